"""All workers in one process, one after the other: for tests and for debugging; the same worker, the same store."""

from collections.abc import Sequence

from agents.learning.parameter_store import ParameterStore
from agents.rollout import StoppedError
from agents.runtime.worker import Report, Worker, WorkerSpec


class SerialRuntime:
    """Runs the workers in turn, a round each."""

    def __init__(self, specs: Sequence[WorkerSpec], store: ParameterStore) -> None:
        self.workers = [Worker(spec, store) for spec in specs]
        self.turn = 0
        self.stopping = False

    def poll(self, timeout: float) -> list[Report]:
        """Runs the next worker's round; an empty list after `stop`."""
        if self.stopping:
            return []
        worker = self.workers[self.turn % len(self.workers)]
        try:
            report = worker.run_round(lambda: self.stopping)
        except StoppedError:
            return []
        self.turn += 1
        return [report]

    def stop(self) -> list[Report]:
        """Ends the run; returns reports that weren't polled."""
        self.stopping = True
        for worker in self.workers:
            worker.close()
        return []
