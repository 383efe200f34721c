"""A node of a cluster: a runtime on a store of its own, which answers with what its workers have changed and reported."""

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import torch

from agents.cluster.exchange import NodeExchange, Reply, Vector
from agents.learning.parameter_store import ParameterStore
from agents.model import FlatParameters
from agents.runtime.runtime import make_runtime, make_store
from agents.runtime.worker import Report, WorkerSpec, initial_model
from maze_gen.errors import Note

POLL_SECONDS = 0.05


@dataclass(frozen=True)
class NodeStart:
    """What a node begins with.

    Attributes:
        runtime: a name of `agents.runtime.runtime.RUNTIMES`.
        specs: of its workers.
        parameters: [P] of the driver.
        statistics: of the driver's optimiser.
        progress: fraction of the budget that is spent.
    """

    runtime: str
    specs: Sequence[WorkerSpec]
    parameters: Vector
    statistics: Mapping[str, npt.NDArray[Any]]
    progress: float


class Node:
    """Runs workers as on one machine; the driver talks to it by `round`, one call at a time, from the thread that made it."""

    def __init__(self, start: NodeStart) -> None:
        self._store = _store_of(start)
        self._exchange = NodeExchange(self._store)
        self._runtime = make_runtime(start.runtime, start.specs, self._store)

    def round(self, parameters: Vector, progress: float, seconds: float, with_statistics: bool = False) -> Reply:
        """Takes over the driver's parameters, lets the workers go on, and answers with what they did since the round before.

        Raises:
            WorkerError: workers died or raised again and again.
        """
        self._store.set_progress(progress)
        self._exchange.take(parameters)
        reports: list[Report] = []
        end = time.monotonic() + seconds
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            while (left := end - time.monotonic()) > 0:
                reports += self._runtime.poll(min(left, POLL_SECONDS))
        return self._reply(reports, [str(warning.message) for warning in caught if warning.category is Note], with_statistics)

    def stop(self) -> Reply:
        """Ends the workers, and answers with what they did since the last round."""
        reports = self._runtime.stop()
        return self._reply(reports, [], True)

    def _reply(self, reports: list[Report], notes: list[str], with_statistics: bool) -> Reply:
        change = self._exchange.change()
        if not with_statistics:
            return Reply(change, reports, notes)
        _, statistics = self._store.snapshot()
        return Reply(change, reports, notes, {name: part.numpy() for name, part in statistics.items()})


def _store_of(start: NodeStart) -> ParameterStore:
    spec = start.specs[0]
    flat = FlatParameters(initial_model(spec.agent, spec.task.spec(), spec.config, spec.seed))
    store = make_store(start.runtime, spec.config, flat)
    store.parameters.copy_(torch.tensor(start.parameters))
    for name, place in store.statistics.items():
        place.copy_(torch.tensor(start.statistics[name]))
    store.set_progress(start.progress)
    return store
