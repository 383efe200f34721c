"""Optimisers whose statistics lie in shared memory, so that all workers' gradients go through the same ones."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from agents.config import TrainConfig


class SharedOptimizer(ABC):
    """Applies gradients to one flat vector of parameters, in place.

    Attributes:
        statistics: [P] float tensors by name, and the number of updates; in shared memory after `share_memory`, and what a
            checkpoint saves.
    """

    def __init__(self, names: tuple[str, ...], size: int, dtype: torch.dtype, device: torch.device | str) -> None:
        self.statistics = {name: torch.zeros(size, dtype=dtype, device=device) for name in names}
        self.statistics["updates"] = torch.zeros((), dtype=torch.int64, device=device)

    def share_memory(self) -> None:
        for part in self.statistics.values():
            part.share_memory_()

    @abstractmethod
    def apply(self, parameters: Tensor, gradient: Tensor, learning_rate: Tensor | float) -> None:
        """One update.

        Args:
            parameters: [P], changed in place.
            gradient: [P], may be overwritten.
            learning_rate: one number, or [P], one for each parameter.
        """

    def _step(self, parameters: Tensor, change: Tensor, root: Tensor, learning_rate: Tensor | float) -> None:
        """parameters −= learning_rate · change / root; `root` is overwritten."""
        if isinstance(learning_rate, Tensor):
            parameters.addcmul_(torch.div(change, root, out=root), learning_rate, value=-1)
        else:
            parameters.addcdiv_(change, root, value=-learning_rate)


class SharedAdam(SharedOptimizer):
    """Adam with bias correction, as `torch.optim.Adam`."""

    def __init__(self, size: int, epsilon: float, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu") -> None:
        super().__init__(("mean", "square"), size, dtype, device)
        self.epsilon = epsilon
        self.decays = (0.9, 0.999)
        self.root = torch.empty(0, dtype=dtype)

    def apply(self, parameters: Tensor, gradient: Tensor, learning_rate: Tensor | float) -> None:
        # The count stays a tensor: on a GPU nobody waits to hear it.
        updates = self.statistics["updates"].add_(1).double()
        mean, square = self.statistics["mean"], self.statistics["square"]
        first, second = self.decays
        mean.lerp_(gradient, 1 - first)
        square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
        if self.root.shape != square.shape:
            self.root = torch.empty_like(square)
        torch.sqrt(square, out=self.root)
        self.root.mul_((1 - second**updates) ** -0.5).add_(self.epsilon).mul_(1 - first**updates)
        self._step(parameters, mean, self.root, learning_rate)


class SharedRMSProp(SharedOptimizer):
    """RMSProp without momentum, not centred, as `torch.optim.RMSprop`: the change is g / (√(mean g²) + ε)."""

    def __init__(
        self,
        size: int,
        decay: float,
        epsilon: float,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__(("square",), size, dtype, device)
        self.decay = decay
        self.epsilon = epsilon
        self.root = torch.empty(0, dtype=dtype)

    def apply(self, parameters: Tensor, gradient: Tensor, learning_rate: Tensor | float) -> None:
        self.statistics["updates"].add_(1)
        square = self.statistics["square"]
        square.mul_(self.decay).addcmul_(gradient, gradient, value=1 - self.decay)
        if self.root.shape != square.shape:
            self.root = torch.empty_like(square)
        torch.sqrt(square, out=self.root)
        self._step(parameters, gradient, self.root.add_(self.epsilon), learning_rate)


def make_optimizer(
    config: TrainConfig, size: int, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
) -> SharedOptimizer:
    """The optimiser of `config` for `size` parameters."""
    if config.optimizer == "adam":
        return SharedAdam(size, config.optimizer_epsilon, dtype, device)
    return SharedRMSProp(size, config.optimizer_decay, config.optimizer_epsilon, dtype, device)


def clip_gradient(gradient: Tensor, longest: float) -> Tensor:
    """Scales `gradient` down to the length `longest` where it is longer (0 leaves it); returns its length before, a scalar."""
    length = gradient.norm()
    if longest:
        gradient.mul_((length.new_full((), longest, dtype=torch.float64) / length).clamp_(max=1))
    return length
