"""All workers in one process, one after the other: for tests and for debugging; the same worker, the same store."""

from collections.abc import Sequence

from agents.actor import StoppedError
from agents.learning.parameter_store import ParameterStore
from agents.runtime.worker import Report, Worker, WorkerSpec
from agents.state import State


class SerialRuntime:
    """Runs the workers in turn, a round each."""

    def __init__(self, specs: Sequence[WorkerSpec], store: ParameterStore) -> None:
        self.workers = [Worker(spec, store.of_worker(spec.index)) for spec in specs]
        self.stopping = False
        self._last: dict[int, State] = {}

    def poll(self, timeout: float) -> list[Report]:
        """Runs the next worker's round; an empty list after `stop`."""
        if self.stopping:
            return []
        # The one that is behind: after a resume, too, it is its turn.
        worker = min(self.workers, key=lambda worker: (int(worker.rounds), worker.spec.index))
        try:
            report = worker.run_round(lambda: self.stopping)
        except StoppedError:
            return []
        return [report]

    def states(self, timeout: float) -> dict[int, State]:
        """States of all workers."""
        if self.stopping:
            return self._last
        found = {worker.spec.index: worker.state_dict() for worker in self.workers}
        return {index: state for index, state in found.items() if state}

    def stop(self) -> list[Report]:
        """Ends the run; returns reports that weren't polled."""
        if not self.stopping:
            self._last = self.states(0)
        self.stopping = True
        for worker in self.workers:
            worker.close()
        return []
