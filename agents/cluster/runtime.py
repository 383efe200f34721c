"""Workers on the nodes of a cluster, as a runtime of the trainer, which keeps the agent."""

import dataclasses
import multiprocessing
import os
import time
import warnings
from collections.abc import Sequence
from multiprocessing.connection import wait
from typing import Any

from agents.cluster.address import check_installed, resolve
from agents.cluster.exchange import Ledger, Receipt
from agents.cluster.link import link
from agents.cluster.messages import Changes, Connected, Delivery, Dropped, Failed, Finished, Refused, Remark
from agents.cluster.settings import ClusterSettings
from agents.learning.parameter_store import ParameterStore
from agents.runtime.errors import WorkerError
from agents.runtime.processes import started_like_workers
from agents.runtime.worker import Report, WorkerSpec
from agents.state import State
from maze_gen.errors import InputError, Note

CONNECT_SECONDS = 120.0
STOP_SECONDS, CLOSE_SECONDS = 10.0, 15.0
"""How long the nodes' last replies may take, beyond an exchange, and how long Ray may take to end."""


class ClusterRuntime:
    """Starts the process that talks to the cluster, and adds what its nodes answer to the store.

    Raises:
        InputError: Ray isn't installed, no cluster answers, or none of its processors is free.
    """

    def __init__(self, specs: Sequence[WorkerSpec], store: ParameterStore, settings: ClusterSettings) -> None:
        check_installed(settings.address)
        found = dataclasses.replace(settings, address=resolve(settings.address))
        context = multiprocessing.get_context("spawn")
        store.share(context)
        self.settings = found
        self._ledger = Ledger(store, settings.in_flight)
        self._changes = Changes(len(store.parameters))
        self._pending: list[Report] = []
        self._failure: str | None = None
        self._finished = False
        self._figures = Figures(len(store.parameters))
        self._pipe, theirs = context.Pipe()
        arguments = (found, list(specs), store, self._changes, theirs, os.getpid())
        self.process = context.Process(target=link, args=arguments, name="cluster", daemon=True)
        with started_like_workers():
            self.process.start()
        theirs.close()
        self.processors = self._connect()

    def poll(self, timeout: float) -> list[Report]:
        """Reports that arrive within `timeout` seconds, and what their nodes have changed.

        Raises:
            WorkerError: the cluster was lost, workers die again and again, or no node is left.
        """
        reports, self._pending = self._pending, []
        reports += self._receive(0 if reports else timeout)
        if self._failure is not None:
            self._pending, failure = reports, self._failure
            raise WorkerError(failure)
        return reports

    def states(self, timeout: float) -> dict[int, State]:
        """None: a resumed training begins the workers' next episodes."""
        return {}

    def stop(self) -> list[Report]:
        """Ends the workers of all nodes, within seconds; returns reports that weren't polled."""
        reports, self._pending = self._pending, []
        if self._pipe.closed:
            return reports
        try:
            self._pipe.send("stop")
        except OSError:
            self._finished = True
        deadline = time.monotonic() + self.settings.exchange_seconds + STOP_SECONDS
        while not self._finished and time.monotonic() < deadline:
            reports += self._receive(0.1)
        self.process.join(CLOSE_SECONDS if self._finished else 0)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self._pipe.close()
        return reports

    def figures(self) -> dict[str, float]:
        """What TensorBoard shows of the cluster, over the exchanges since the last call; empty where there were none."""
        return self._figures.take()

    def _connect(self) -> int:
        """Waits until the cluster answers; returns its free processors."""
        if not self._pipe.poll(CONNECT_SECONDS):
            self.stop()
            raise InputError(f"--cluster {self.settings.address}: no answer within {CONNECT_SECONDS:.0f} s: see {self.settings.log}")
        try:
            message = self._pipe.recv()
        except (EOFError, OSError):
            message = Refused(f"--cluster {self.settings.address}: Ray ended before it was connected: see {self.settings.log}")
        if isinstance(message, Connected):
            for note in message.notes:
                warnings.warn(note, Note, stacklevel=4)
            return message.processors
        self._finished = True
        self.stop()
        raise InputError(message.reason.splitlines()[0])

    def _receive(self, timeout: float) -> list[Report]:
        """Takes all messages that are there, after at most `timeout` seconds without any."""
        reports: list[Report] = []
        if self._finished:
            return reports
        wait([self._pipe, self.process.sentinel], timeout)
        try:
            while self._pipe.poll(0):
                reports += self._take(self._pipe.recv())
            gone = not self.process.is_alive() and not self._pipe.poll(0)
        except (EOFError, OSError):
            gone = True
        if gone and not self._finished:
            lost = f"the Ray cluster at {self.settings.address} was lost (what Ray says is in {self.settings.log})"
            self._failure, self._finished = self._failure or lost, True
        return reports

    def _take(self, message: Any) -> list[Report]:
        match message:
            case Delivery():
                return self._deliver(message)
            case Dropped():
                self._ledger.drop(message.member)
                warnings.warn(message.note, Note, stacklevel=5)
            case Remark():
                warnings.warn(message.note, Note, stacklevel=5)
            case Failed() | Refused():
                self._failure = self._failure or message.reason
            case Finished():
                self._finished = True
        return []

    def _deliver(self, delivery: Delivery) -> list[Report]:
        reply = self._changes.reply(delivery)
        receipt = self._ledger.take(delivery.member, delivery.number, delivery.read, reply)
        self._changes.take()
        for note in delivery.notes:
            warnings.warn(note, Note, stacklevel=6)
        if receipt is None:
            return []
        self._figures.add(delivery, receipt)
        return delivery.reports


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
