"""Optimisers of one flat vector of parameters. All workers share their statistics, which lie in shared memory."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.optim.adam import adam

from agents.config import TrainConfig

Rates = Sequence[tuple[int, float]]
"""Learning rates of consecutive segments of the parameters: (number of parameters, rate), together all P of them."""


class SharedOptimizer(ABC):
    """Applies gradients to one flat vector of parameters, in place.

    Attributes:
        statistics: [P] float tensors by name, and the number of updates, an int64 scalar; in shared memory after
            `share_memory`. Checkpoints save them under these names.
    """

    def __init__(self, names: tuple[str, ...], size: int, dtype: torch.dtype, device: torch.device | str) -> None:
        self.statistics = {name: torch.zeros(size, dtype=dtype, device=device) for name in names}
        self.statistics["updates"] = torch.zeros((), dtype=torch.int64, device=device)

    def share_memory(self) -> None:
        for part in self.statistics.values():
            part.share_memory_()

    @abstractmethod
    def apply(self, parameters: Tensor, gradient: Tensor, rates: Rates) -> None:
        """Applies one update.

        Args:
            parameters: [P] float, changed in place.
            gradient: [P] float, may be overwritten.
            rates: learning rates of all P parameters.
        """


def _segments(rates: Rates) -> Iterator[tuple[slice, float]]:
    """Each segment as a slice of the parameters, with its learning rate."""
    first = 0
    for size, rate in rates:
        yield slice(first, first + size), rate
        first += size


class SharedAdam(SharedOptimizer):
    """Adam with bias correction (arXiv 1412.6980, algorithm 1), by torch's fused kernel: one pass over the parameters.

    Args:
        size: P, the number of parameters.
        eps: ε, added to the root of the mean square.
        dtype, device: of the statistics.
    """

    def __init__(self, size: int, eps: float, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu") -> None:
        super().__init__(("mean", "square"), size, dtype, device)
        self.eps = eps
        self.betas = (0.9, 0.999)

    def apply(self, parameters: Tensor, gradient: Tensor, rates: Rates) -> None:
        beta1, beta2 = self.betas
        updates = self.statistics["updates"]
        for part, rate in _segments(rates):
            adam(
                [parameters[part]],
                [gradient[part]],
                [self.statistics["mean"][part]],
                [self.statistics["square"][part]],
                [],
                # Torch counts this update itself, in a copy. The count stays a tensor, so that a GPU isn't synchronised.
                [updates.float()],
                fused=True,
                amsgrad=False,
                beta1=beta1,
                beta2=beta2,
                lr=rate,
                weight_decay=0.0,
                eps=self.eps,
                maximize=False,
            )
        updates.add_(1)


class SharedRMSProp(SharedOptimizer):
    """RMSProp without momentum, not centred, as `torch.optim.RMSprop`: the change is −rate · g / (√(mean g²) + ε).

    With `inside_root` it is −rate · g / √(mean g² + ε), as the paper's (arXiv 1602.01783, equation S2).

    Args:
        size: P, the number of parameters.
        alpha: α, the decay of the mean square.
        eps: ε.
        dtype, device: of the statistics.
    """

    def __init__(
        self,
        size: int,
        alpha: float,
        eps: float,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        *,
        inside_root: bool = False,
    ) -> None:
        super().__init__(("square",), size, dtype, device)
        self.alpha = alpha
        self.eps = eps
        self.inside_root = inside_root
        self.root = torch.empty(0, dtype=dtype)

    def apply(self, parameters: Tensor, gradient: Tensor, rates: Rates) -> None:
        self.statistics["updates"].add_(1)
        square = self.statistics["square"]
        square.mul_(self.alpha).addcmul_(gradient, gradient, value=1 - self.alpha)
        if self.root.shape != square.shape:
            self.root = torch.empty_like(square)
        if self.inside_root:
            torch.add(square, self.eps, out=self.root)
            self.root.sqrt_()
        else:
            torch.sqrt(square, out=self.root)
            self.root.add_(self.eps)
        for part, rate in _segments(rates):
            parameters[part].addcdiv_(gradient[part], self.root[part], value=-rate)


def make_optimizer(
    config: TrainConfig, size: int, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
) -> SharedOptimizer:
    """The optimiser of `config` for `size` parameters."""
    if config.optimizer == "adam":
        return SharedAdam(size, config.optimizer_eps, dtype, device)
    inside = config.eps_inside_root
    return SharedRMSProp(size, config.rmsprop_alpha, config.optimizer_eps, dtype, device, inside_root=inside)


def clip_grad_norm(gradient: Tensor, max_norm: float) -> Tensor:
    """Scales `gradient` in place to the norm `max_norm` where its norm is larger; 0 leaves it as it is.

    Args:
        gradient: [P] float.

    Returns:
        The norm before, a scalar.
    """
    norm = gradient.norm()
    if max_norm:
        gradient.mul_((norm.new_full((), max_norm, dtype=torch.float64) / norm).clamp_(max=1))
    return norm
