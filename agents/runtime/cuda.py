"""Workers as CUDA streams of one process: worlds, networks, losses and updates stay on the GPU, and the host only queues them.

A worker's round is queued as: learn from its last rollout, read the shared parameters, record a rollout. Rounds are queued worker
by worker, so while one acts, another learns. The host waits for a round's metrics only when that worker's next round is in the
queue, so the GPU is never idle. Reads and updates of the shared parameters keep the order in which the host queued them
(`agents.learning.parameter_store.StreamStore`), so a seed gives one result however fast the streams are.

On the CPU the same code runs synchronously.
"""

import contextlib
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor

from agents.cuda_graphs import Capture, CudaGraph, RecordingError, as_it_is
from agents.episode_stats import episodes_of
from agents.learning.learner import PendingMetrics
from agents.learning.parameter_store import ParameterStore
from agents.runtime.errors import WorkerError
from agents.runtime.worker import Report, Worker, WorkerSpec
from agents.state import State

Mark = float | torch.cuda.Event
"""A moment: of the clock, or when a stream gets there."""


class CudaRuntime:
    """Runs workers on the device of the store, a stream each where that is a GPU.

    Args:
        graphs: whether rollouts and gradients are recorded as CUDA graphs and replayed; without it every kernel is launched from
            Python, which is slow, and the same otherwise. Nothing is recorded on the CPU.
    """

    def __init__(self, specs: Sequence[WorkerSpec], store: ParameterStore, graphs: bool = True) -> None:
        if store.parameters.is_cuda:
            # Products of matrices round their factors to 10 bits, as convolutions do without being asked.
            torch.set_float32_matmul_precision("high")
        self.workers: list[StreamWorker] = []
        self.turn = 0
        self.stopping = False
        with _explained(specs):
            for spec in specs:
                self.workers.append(StreamWorker(spec, store, graphs))

    def poll(self, timeout: float) -> list[Report]:
        """Queues the next worker's round, and returns the report of its round before; an empty list after `stop`.

        Raises:
            WorkerError: the GPU's memory is full.
        """
        if self.stopping:
            return []
        worker = self.workers[self.turn % len(self.workers)]
        with _explained([worker.worker.spec]):
            report = worker.round()
        self.turn += 1
        return [] if report is None else [report]

    def states(self, timeout: float) -> dict[int, State]:
        """None: rollouts are under way, and a resumed training begins the workers' next episodes."""
        return {}

    def stop(self) -> list[Report]:
        """Waits for what was queued, and ends the run; returns reports that weren't polled.

        A rollout that was not learned from is dropped.
        """
        self.stopping = True
        reports = [report for worker in self.workers if (report := worker.finish()) is not None]
        self.workers = []
        return reports


@dataclass
class _Acted:
    """A rollout that was queued: its episodes as `EpisodeStats.record` has them, and when it begins and ends."""

    record: Tensor
    begin: Mark
    end: Mark


@dataclass
class _Learned:
    """A rollout that is learned from, with the metrics of its gradients in the host's memory once `end` has passed."""

    acted: _Acted
    pending: PendingMetrics
    begin: Mark
    end: Mark


class StreamWorker:
    """A worker, its stream, and the work that is queued on it."""

    def __init__(self, spec: WorkerSpec, store: ParameterStore, graphs: bool) -> None:
        self.stream = torch.cuda.Stream(store.parameters.device) if store.parameters.is_cuda else None
        with self._on_stream():
            self.worker = Worker(spec, store, self._capture(graphs))
        self.acted: _Acted | None = None
        self.learned: _Learned | None = None

    def round(self) -> Report | None:
        """Queues a round; waits for the one before, and returns its report."""
        before = self.learned
        with self._on_stream():
            self.learned = self._learn(self.acted) if self.acted else None
            self.acted = self._act()
        return self._report(before) if before else None

    def finish(self) -> Report | None:
        """Waits for all that was queued and frees the worlds; returns the last report.

        Raises:
            InputError: an action couldn't be played.
        """
        if self.stream:
            self.stream.synchronize()
        report = self._report(self.learned) if self.learned else None
        self.learned = self.acted = None
        with self._on_stream():
            self.worker.env.check()
        self.worker.close()
        return report

    def _act(self) -> _Acted:
        begin = self._mark()
        worker = self.worker
        worker.store.pull(worker.flat.values)
        worker.actor.act()
        return _Acted(_to_host(worker.actor.episodes.record), begin, self._mark())

    def _learn(self, acted: _Acted) -> _Learned:
        begin = self._mark()
        pending = self.worker.learner.learn(self.worker.actor.rollout)
        pending.gradients = [_to_host(values) for values in pending.gradients]
        return _Learned(acted, pending, begin, self._mark())

    def _report(self, learned: _Learned) -> Report:
        if isinstance(learned.end, torch.cuda.Event):
            learned.end.synchronize()
        acted = learned.acted
        return Report(
            worker=self.worker.spec.index,
            steps=self.worker.actor.rollout.reward.numel(),
            episodes=episodes_of(acted.record, self.worker.actor.episodes.names),
            metrics=learned.pending.metrics(),
            acting_seconds=_seconds(acted.begin, acted.end),
            learning_seconds=_seconds(learned.begin, learned.end),
        )

    def _capture(self, graphs: bool) -> Capture:
        stream = self.stream
        if stream is None or not graphs:
            return as_it_is
        return lambda work: CudaGraph(work, stream)

    def _on_stream(self) -> AbstractContextManager[object]:
        return torch.cuda.stream(self.stream) if self.stream else contextlib.nullcontext()

    def _mark(self) -> Mark:
        if self.stream is None:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record(self.stream)
        return event


def _to_host(tensor: Tensor) -> Tensor:
    """A copy in the host's memory, of which a GPU's stream takes care when it gets there."""
    copy = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=tensor.is_cuda)
    return copy.copy_(tensor, non_blocking=True)


def _seconds(begin: Mark, end: Mark) -> float:
    if isinstance(begin, torch.cuda.Event):
        assert isinstance(end, torch.cuda.Event)
        return begin.elapsed_time(end) / 1000
    assert isinstance(end, float)
    return end - begin


@contextlib.contextmanager
def _explained(specs: Sequence[WorkerSpec]) -> Iterator[None]:
    """Turns a full GPU memory, or a missing part of NVIDIA's compiler, into a `WorkerError` that names the remedy."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        envs = specs[0].config.num_envs
        raise WorkerError(
            f"the GPU's memory is full with {envs} environments a worker: "
            f"give fewer --num-envs or --workers, or more --minibatches\n{error}"
        ) from error
    except RecordingError as error:
        raise WorkerError(f"{error}; --serial trains without graphs") from error
    except ImportError as error:
        reason = " ".join(str(error).split())
        raise WorkerError(
            f"Numba can't compile for the GPU ({reason}): pip install 'numba-cuda[cu13]' brings what it needs"
        ) from error
