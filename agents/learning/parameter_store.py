"""Parameters and the optimiser's statistics, which all workers share. A worker only needs `pull` and `push`."""

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

import torch
from torch import Tensor

from agents.config import TrainConfig
from agents.learning.optimizers import Rates, clip_grad_norm, make_optimizer
from agents.model import FlatParameters

LOCK_SECONDS = 2.0
"""How long a snapshot waits for the lock, which a killed worker may still hold."""


class Store(Protocol):
    """What a worker needs of the shared parameters, in shared memory or elsewhere."""

    def pull(self, parameters: Tensor) -> None:
        """Copies the present parameters into `parameters` [P]."""
        ...

    def push(self, gradients: Tensor) -> Tensor:
        """Applies `gradients` [P], which may be overwritten; returns their norm before clipping, a scalar."""
        ...

    def tuned(self, config: TrainConfig) -> TrainConfig:
        """The configuration that a worker learns with now."""
        ...


class ParameterStore:
    """Parameters and statistics in memory that all processes of this machine see.

    Attributes:
        parameters: [P] float32.
        optimizer: with its statistics.
        statistics: all that checkpoints hold beside the parameters, by name; the optimiser's.
    """

    def __init__(self, config: TrainConfig, flat: FlatParameters, device: torch.device | str | None = None) -> None:
        self.config = config
        self.agent_size = flat.agent_size
        self.parameters = flat.values.to(device or flat.values.device, copy=True)
        self.optimizer = make_optimizer(config, len(self.parameters), self.parameters.dtype, self.parameters.device)
        # Of the training's budget that is spent, in [0, 1]; always in the host's memory.
        self._progress = torch.zeros((), dtype=torch.float64)
        # Held while an update is applied, where the configuration wants it.
        self._lock: Any = None

    @property
    def statistics(self) -> Mapping[str, Tensor]:
        return self.optimizer.statistics

    def of_worker(self, index: int) -> Store:
        """The store of a worker."""
        return self

    def share(self, context: Any) -> None:
        """Moves everything into memory that processes of the multiprocessing `context` can share, with a lock of its own."""
        self._lock = context.Lock()
        self.parameters.share_memory_()
        self._progress.share_memory_()
        self.optimizer.share_memory()

    def recover_lock(self) -> None:
        """Releases the lock where a process that is gone held it: nobody else holds it that long."""
        if self._lock is not None:
            self._lock.acquire(timeout=LOCK_SECONDS)
            self._lock.release()

    def set_progress(self, fraction: float) -> None:
        """Says which fraction of the training's budget is spent; the learning-rate schedule follows it."""
        self._progress.fill_(min(max(fraction, 0.0), 1.0))

    @property
    def progress(self) -> float:
        """The fraction that `set_progress` was last given."""
        return float(self._progress)

    @property
    def updates(self) -> int:
        """That were applied, in all sessions."""
        return int(self.statistics["updates"])

    def pull(self, parameters: Tensor) -> None:
        parameters.copy_(self.parameters)

    def push(self, gradients: Tensor) -> Tensor:
        # The decoder's gradient changes only the decoder, so the clipped norm leaves it out.
        norm = clip_grad_norm(gradients[: self.agent_size], self.config.max_grad_norm)
        rates = self._learning_rates()
        with self._updating():
            self.optimizer.apply(self.parameters, gradients, rates)
        return norm

    def tuned(self, config: TrainConfig) -> TrainConfig:
        return config

    def add(self, change: Tensor, updates: int = 0) -> None:
        """Adds a change [P] that was made elsewhere, of so many updates."""
        with self._quiet():
            self.parameters.add_(change)
            self.statistics["updates"].add_(updates)

    def snapshot(self) -> tuple[Tensor, dict[str, Tensor]]:
        """Copies in the host's memory, of one moment: the parameters [P], and `statistics`."""
        with self._quiet():
            statistics = self.statistics.items()
            return self.parameters.to("cpu", copy=True), {name: part.to("cpu", copy=True) for name, part in statistics}

    @contextlib.contextmanager
    def _quiet(self) -> Iterator[None]:
        """Nobody applies an update in this block, but where none are locked, or a killed worker still holds the lock."""
        lock = self._lock
        taken = lock is not None and lock.acquire(timeout=LOCK_SECONDS)
        try:
            yield
        finally:
            if lock is not None and taken:
                lock.release()

    def _updating(self) -> AbstractContextManager[Any]:
        return self._lock if self._lock is not None and self.config.locked_updates else contextlib.nullcontext()

    def _learning_rates(self) -> Rates:
        config = self.config
        factor = config.learning_rate_factor(self.progress)
        decoder_size = len(self.parameters) - self.agent_size
        return (self.agent_size, config.learning_rate * factor), (decoder_size, config.decoder_learning_rate * factor)


class StreamStore(ParameterStore):
    """Parameters and statistics on a GPU, shared by workers of one process that are streams.

    Reads and updates run on the caller's stream, in the order of the calls across streams: no update is lost or partly visible,
    and the speed of a stream changes no result. The host waits for none of it.
    """

    def __init__(self, config: TrainConfig, flat: FlatParameters, device: torch.device | str = "cuda") -> None:
        super().__init__(config, flat, device=device)
        self._last = torch.cuda.current_stream().record_event()

    def pull(self, parameters: Tensor) -> None:
        with self._updating():
            super().pull(parameters)

    def add(self, change: Tensor, updates: int = 0) -> None:
        with self._updating():
            super().add(change, updates)

    def snapshot(self) -> tuple[Tensor, dict[str, Tensor]]:
        with self._updating():
            return super().snapshot()

    @contextlib.contextmanager
    def _updating(self) -> Iterator[None]:
        stream = torch.cuda.current_stream()
        stream.wait_event(self._last)
        yield
        self._last = stream.record_event()
