"""What an auxiliary loss is: which features it reads, the head it adds, the target it needs from a rollout, its own metrics."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from env.batch import WorldSpec
from env.tensors import TensorWorlds


@dataclass(frozen=True)
class HeadContext:
    """What a head is made for.

    Attributes:
        spec: of the worlds; sizes that a loss needs are its extents.
        encoder_features, core_features: widths of the features that it may read.
        depth_form: `classes` or `regression`, of the depth losses.
    """

    spec: WorldSpec
    encoder_features: int
    core_features: int
    depth_form: str = "classes"


Sums = dict[str, Tensor]
"""Scalars that add up over batches; `AuxiliaryLoss.metrics` makes figures of their sums."""


class Recorder(ABC):
    """Takes an auxiliary loss's target from the worlds, once an observation.

    Attributes:
        shape: of one row's target.
        dtype: of the target.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype

    @abstractmethod
    def record(self, worlds: TensorWorlds, starts: Tensor, out: Tensor) -> None:
        """Writes the target of the present observation.

        Args:
            worlds: right after the `reset`, `reset_rows` or `step` that made the observation.
            starts: [N] bool, the rows whose episode begins with this observation.
            out: [N, *shape], written in place.
        """


class Memory(ABC):
    """Keeps past steps of a worker, for a loss that draws its own pictures instead of reading the chunk's.

    Attributes:
        draws: how many random numbers `draw` takes.
    """

    draws: int

    @abstractmethod
    def add(self, images: Tensor, reward: Tensor, starts: Tensor) -> None:
        """A chunk: images [T, N, size, size, C] uint8, reward after each step [T, N] float32, starts [T, N] bool."""

    @abstractmethod
    def draw(self, uniforms: Tensor) -> tuple[Tensor, Tensor] | None:
        """Draws with `uniforms` [draws] float32 in [0, 1).

        Returns:
            Pictures [M, size, size, C] uint8 and the loss's target for them; None while there is nothing to draw from.
        """


class AuxiliaryLoss(nn.Module, ABC):
    """A head and its loss.

    Attributes:
        reads: the features that `forward` takes: the encoder's or the core's of the chunk, or the encoder's of pictures that
            the loss's own memory draws.
        detached: whether the loss only reads: no gradient of it reaches the agent.
        observe: names of the arrays that the worlds must make for the loss's target.

    Recorders and memories are made for tensors on a device, and `masked` or not: a masked one never asks a tensor what it holds,
    does the same work every time, and keeps its tensors where they are, so that a GPU does it without the host. So does `loss`,
    always.
    """

    reads: Literal["encoder", "core", "memory"]
    detached: bool = False
    observe: frozenset[str] = frozenset()

    def recorder(self, num_envs: int, device: torch.device | str = "cpu", masked: bool = False) -> Recorder | None:
        """What takes this loss's target from `num_envs` worlds; None for a loss that reads a memory."""
        return None

    def memory(self, num_envs: int, device: torch.device | str = "cpu", masked: bool = False) -> Memory | None:
        """What keeps past steps of `num_envs` worlds; None for a loss that reads the chunk."""
        return None

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """Features [M, F] float32 → predictions [M, ...]."""

    @abstractmethod
    def loss(self, features: Tensor, target: Tensor) -> tuple[Tensor, Sums]:
        """The mean loss over M steps, and sums of which `metrics` makes figures.

        Args:
            features: [M, F] float32.
            target: [M, ...], as the recorder or the memory made it.
        """

    @staticmethod
    @abstractmethod
    def metrics(sums: Mapping[str, float]) -> dict[str, float]:
        """Figures for TensorBoard from added-up sums."""


def share(part: float, whole: float) -> float:
    """part / whole, and 0 of nothing."""
    return part / whole if whole else 0.0


def count(number: int, device: torch.device) -> Tensor:
    """A number as one of `Sums`, made on the device: nothing is sent there."""
    return torch.full((), number, dtype=torch.float64, device=device)
