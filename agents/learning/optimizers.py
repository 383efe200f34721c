"""Optimisers whose statistics lie in shared memory, so that all workers' gradients go through the same ones."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.optim.adam import adam

from agents.config import TrainConfig

Rates = Sequence[tuple[int, float]]
"""Learning rates of stretches of the parameters, one after the other: (how many parameters, rate)."""


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
    def apply(self, parameters: Tensor, gradient: Tensor, rates: Rates) -> None:
        """One update.

        Args:
            parameters: [P], changed in place.
            gradient: [P], may be overwritten.
            rates: of all P.
        """


def _stretches(rates: Rates) -> Iterator[tuple[slice, float]]:
    first = 0
    for size, rate in rates:
        yield slice(first, first + size), rate
        first += size


class SharedAdam(SharedOptimizer):
    """Adam with bias correction: torch's, which takes one pass over the parameters."""

    def __init__(self, size: int, epsilon: float, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu") -> None:
        super().__init__(("mean", "square"), size, dtype, device)
        self.epsilon = epsilon
        self.decays = (0.9, 0.999)

    def apply(self, parameters: Tensor, gradient: Tensor, rates: Rates) -> None:
        first, second = self.decays
        updates = self.statistics["updates"]
        for part, rate in _stretches(rates):
            adam(
                [parameters[part]],
                [gradient[part]],
                [self.statistics["mean"][part]],
                [self.statistics["square"][part]],
                [],
                # Torch counts this update itself. The count stays a tensor: on a GPU nobody waits to hear it.
                [updates.float()],
                fused=True,
                amsgrad=False,
                beta1=first,
                beta2=second,
                lr=rate,
                weight_decay=0.0,
                eps=self.epsilon,
                maximize=False,
            )
        updates.add_(1)


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

    def apply(self, parameters: Tensor, gradient: Tensor, rates: Rates) -> None:
        self.statistics["updates"].add_(1)
        square = self.statistics["square"]
        square.mul_(self.decay).addcmul_(gradient, gradient, value=1 - self.decay)
        if self.root.shape != square.shape:
            self.root = torch.empty_like(square)
        torch.sqrt(square, out=self.root)
        self.root.add_(self.epsilon)
        for part, rate in _stretches(rates):
            parameters[part].addcdiv_(gradient[part], self.root[part], value=-rate)


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
