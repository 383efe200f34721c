"""The interface of auxiliary losses: the features that one reads, its head, its target from the worlds, its metrics."""

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
        loop_closure_labels: `episode` or `trip`, of loop closure: whether a respawn forgets the positions before it.
    """

    spec: WorldSpec
    encoder_features: int
    core_features: int
    depth_form: str = "classes"
    loop_closure_labels: str = "episode"


Sums = dict[str, Tensor]
"""Scalars that add up over batches; `AuxiliaryLoss.metrics` computes metrics from their sums."""


class Recorder(ABC):
    """Reads an auxiliary loss's target from the worlds, once per observation.

    Attributes:
        shape: of one row's target.
        dtype: of the target.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype

    @abstractmethod
    def record(self, worlds: TensorWorlds, starts: Tensor, out: Tensor) -> None:
        """Writes the target of the current observation.

        Args:
            worlds: right after the `reset`, `reset_rows` or `step` that made the observation.
            starts: [N] bool, the rows whose episode begins with this observation.
            out: [N, *shape], written in place.
        """

    def state_dict(self) -> dict[str, Tensor]:
        """What it has to remember between observations; nothing by default."""
        return {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continues from `state_dict`."""
        return


class Memory(ABC):
    """A replay buffer of a worker's past steps, for a loss that samples its own pictures instead of reading the rollout's.

    Attributes:
        draws: number of random numbers that `draw` takes.
    """

    draws: int

    @abstractmethod
    def add(self, images: Tensor, reward: Tensor, starts: Tensor) -> None:
        """Appends a rollout: images [T, N, size, size, C] uint8, reward after each step [T, N] float32, starts [T, N] bool."""

    @abstractmethod
    def draw(self, uniforms: Tensor) -> tuple[Tensor, Tensor] | None:
        """Samples with `uniforms` [draws] float32 in [0, 1).

        Returns:
            Pictures [M, size, size, C] uint8 and the loss's target for them; None while the buffer has nothing to sample.
        """

    @abstractmethod
    def state_dict(self) -> dict[str, Tensor]:
        """What it keeps."""

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continues from `state_dict`."""


class AuxiliaryLoss(nn.Module, ABC):
    """A head and its loss.

    Attributes:
        reads: the features that `forward` takes: those of the encoder or of the core over the rollout, those of the encoder for
            pictures that the loss's own memory samples, those of the core as they would be with a slot written at another step
            (`auxiliary.hindsight`), or the keys by which it recognises views (`auxiliary.same_place`).
        detached: whether the features are detached, so that no gradient of the loss reaches the agent.
        observe: names of the arrays that the worlds must make for the loss's target.

    Recorders and memories are made for tensors on a device, and `masked` or not: a masked one has no data-dependent control flow,
    synchronises nothing, and keeps its tensors where they are, so that it can be recorded as a CUDA graph. The same holds for
    `loss`, always.
    """

    reads: Literal["encoder", "core", "memory", "hindsight", "key"]
    detached: bool = False
    observe: frozenset[str] = frozenset()

    def recorder(self, num_envs: int, device: torch.device | str = "cpu", masked: bool = False) -> Recorder | None:
        """The recorder of this loss's target for `num_envs` worlds; None for a loss that reads a memory."""
        return None

    def memory(self, num_envs: int, device: torch.device | str = "cpu", masked: bool = False) -> Memory | None:
        """The replay buffer for `num_envs` worlds; None for a loss that reads the rollout."""
        return None

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """Features [M, F] float32 → predictions [M, ...]."""

    @abstractmethod
    def loss(self, features: Tensor, target: Tensor) -> tuple[Tensor, Sums]:
        """The mean loss over M steps, and sums from which `metrics` computes metrics.

        Args:
            features: [M, F] float32.
            target: [M, ...], as the recorder or the memory made it.
        """

    @staticmethod
    @abstractmethod
    def metrics(sums: Mapping[str, float]) -> dict[str, float]:
        """Metrics for TensorBoard, by name, from sums added up over batches."""


def ratio(part: float, whole: float) -> float:
    """part / whole, or 0 where the whole is 0."""
    return part / whole if whole else 0.0


def count(number: int, device: torch.device) -> Tensor:
    """A number as one of `Sums`, filled in on the device without a copy from the host."""
    return torch.full((), number, dtype=torch.float64, device=device)
