"""Workers on the nodes of a cluster, as a runtime of the trainer, which keeps the agent."""

import multiprocessing
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from agents.cluster.exchange import Ledger, Receipt
from agents.cluster.link import CLOSE_SECONDS, Link, LinkLostError
from agents.cluster.messages import Changes, Delivery, Dropped, Failed, Finished, Refused, Remark
from agents.cluster.settings import ClusterSettings
from agents.cluster.training_link import train_on_nodes
from agents.learning.parameter_store import ParameterStore
from agents.runtime.errors import WorkerError
from agents.runtime.worker import Report, WorkerSpec
from agents.state import State
from maze_gen.errors import Note

STOP_SECONDS = 10.0
"""How long the nodes' last replies may take, beyond an exchange."""


class ClusterRuntime:
    """Starts the process that talks to the cluster, and adds what its nodes answer to the store.

    Args:
        target: what the process runs, a function like `agents.cluster.training_link.train_on_nodes`.

    Attributes:
        processors: of the cluster, that were free when it was reached.
        process: that talks to the cluster.

    Raises:
        InputError: Ray isn't installed, no cluster answers, or none of its processors is free.
    """

    def __init__(
        self,
        specs: Sequence[WorkerSpec],
        store: ParameterStore,
        settings: ClusterSettings,
        target: Callable[..., None] = train_on_nodes,
    ) -> None:
        store.share(multiprocessing.get_context("spawn"))
        self.settings = settings
        self._ledger = Ledger(store, settings.in_flight)
        self._changes = Changes(len(store.parameters))
        self._pending: list[Report] = []
        self._failure: str | None = None
        self._finished = self._stopped = False
        self._figures = Figures(len(store.parameters))
        self._link = Link(settings, target, (list(specs), store, self._changes))
        self.processors = self._link.processors
        self.process = self._link.process

    def poll(self, timeout: float) -> list[Report]:
        """Reports that arrive within `timeout` seconds, after what their nodes have changed was added.

        Raises:
            WorkerError: the cluster was lost, workers die again and again, or no node is left.
        """
        if self._failure is None:
            self._receive(timeout)
        if self._failure is not None:
            raise WorkerError(self._failure)
        reports, self._pending = self._pending, []
        return reports

    def states(self, timeout: float) -> dict[int, State]:
        """None: a resumed training begins the workers' next episodes."""
        return {}

    def stop(self) -> list[Report]:
        """Ends the workers of all nodes, within seconds; returns reports that weren't polled."""
        if self._stopped:
            return []
        self._stopped = True
        try:
            self._link.send("stop")
        except OSError:
            self._finished = True
        deadline = time.monotonic() + self.settings.exchange_seconds + STOP_SECONDS
        while not self._finished and time.monotonic() < deadline:
            self._receive(0.1)
        self._link.close(CLOSE_SECONDS if self._finished else 0)
        reports, self._pending = self._pending, []
        return reports

    def figures(self) -> dict[str, float]:
        """What TensorBoard shows of the cluster, over the exchanges since the last call; empty where there were none."""
        return self._figures.take()

    def _receive(self, timeout: float) -> None:
        try:
            for message in self._link.receive(timeout):
                self._take(message)
        except LinkLostError as error:
            if not self._finished:
                self._failure, self._finished = self._failure or str(error), True

    def _take(self, message: Any) -> None:
        match message:
            case Delivery():
                self._deliver(message)
            case Dropped():
                self._ledger.drop(message.member)
                warnings.warn(message.note, Note, stacklevel=5)
            case Remark():
                warnings.warn(message.note, Note, stacklevel=5)
            case Failed() | Refused():
                self._failure = self._failure or message.reason
            case Finished():
                self._finished = True

    def _deliver(self, delivery: Delivery) -> None:
        reply = self._changes.reply(delivery)
        receipt = self._ledger.take(delivery.member, delivery.number, delivery.read, reply)
        self._changes.take()
        if receipt is not None:
            self._figures.add(delivery, receipt)
            self._pending += delivery.reports
        for note in delivery.notes:
            warnings.warn(note, Note, stacklevel=6)


class Figures:
    """What exchanges were like, added up.

    Args:
        size: P, the number of parameters.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._clear()

    def _clear(self) -> None:
        self._began = time.monotonic()
        self._rounds = self._in_flight = self._nodes = self._bytes = 0
        self._weight = self._seconds = 0.0

    def add(self, delivery: Delivery, receipt: Receipt) -> None:
        self._rounds += 1
        self._in_flight += receipt.in_flight
        self._weight += receipt.weight
        self._seconds += delivery.seconds
        self._nodes = delivery.members
        # Parameters one way and their change the other.
        self._bytes += 2 * 4 * self.size + sum(part.nbytes for part in (delivery.statistics or {}).values())

    def take(self) -> dict[str, float]:
        """Means over the exchanges since the last call, by the names that TensorBoard shows."""
        rounds, seconds = self._rounds, time.monotonic() - self._began
        if not rounds:
            return {}
        found = {
            "cluster/updates_in_flight": self._in_flight / rounds,
            "cluster/weight": self._weight / rounds,
            "cluster/nodes": float(self._nodes),
            "cluster/round_seconds": self._seconds / rounds,
            "cluster/mb_per_second": self._bytes / 1e6 / max(seconds, 1e-9),
        }
        self._clear()
        return found
