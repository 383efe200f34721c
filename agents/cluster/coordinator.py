"""Places workers on the nodes of a cluster, orders their rounds, and does without those that are lost."""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agents.cluster.exchange import Reply, Vector
from agents.cluster.messages import Changes, Delivery, Dropped, Finished, Remark
from agents.cluster.node import NodeStart
from agents.cluster.seats import Seats
from agents.cluster.settings import ClusterSettings
from agents.learning.parameter_store import ParameterStore
from agents.runtime.errors import WorkerError

PLACE_SECONDS = 1.0
"""Between two looks for nodes that have come."""
START_SECONDS = 180.0
SILENT_SECONDS, SILENT_ROUNDS = 10.0, 5
"""A node that doesn't answer for so long, and for so many rounds' time, is dropped; its first answer may take longer."""
STATISTICS_SECONDS = 30.0
"""Between two rounds whose node sends its optimiser's statistics, for the checkpoint."""
STOP_SECONDS = 6.0
LONELY_SECONDS = 60.0
"""A training without any node says so after this time."""
MOST_BACK_OFF = 30.0
MOST_FAILURES, FAILURES_SECONDS = 3, 120.0
"""So many errors that our code raises on nodes, within so many seconds, end a training."""


class NodeLostError(Exception):
    """A node, or its actor, is gone or can't be reached; the message says how.

    Attributes:
        own: whether it is an error that our code raised there, and would raise again.
    """

    def __init__(self, message: str, own: bool = False) -> None:
        super().__init__(message)
        self.own = own


@dataclass(frozen=True)
class Place:
    """A node of the cluster.

    Attributes:
        name: for people, e.g. its address.
        processors, gpus: that are free.
    """

    name: str
    processors: int
    gpus: int = 0


class Nodes(Protocol):
    """What is needed of a cluster: Ray's nodes, or such as tests make."""

    def places(self) -> Mapping[str, Place]:
        """Nodes that live, by their id; doesn't wait."""
        ...

    def start(self, place: str, start: NodeStart) -> Any:
        """Starts a node's workers there; returns what the other methods know it by, at once."""
        ...

    def share(self, parameters: Vector) -> Any:
        """Makes [P] parameters readable by all nodes; copies them."""
        ...

    def order(self, node: Any, parameters: Any, progress: float, seconds: float, with_statistics: bool) -> Any:
        """Orders a round on shared parameters (`agents.cluster.node.Node.round`); returns a ticket for its reply."""
        ...

    def order_stop(self, node: Any) -> Any:
        """Orders a node to end its workers; returns a ticket for its last reply."""
        ...

    def ready(self, tickets: Sequence[Any], timeout: float) -> list[Any]:
        """Those tickets whose replies have come, after at most `timeout` seconds without any."""
        ...

    def reply(self, ticket: Any) -> Reply:
        """The reply of a ticket that is ready.

        Raises:
            NodeLostError: there is none.
            WorkerError: the node's workers died or raised again and again.
        """
        ...

    def kill(self, node: Any) -> None:
        """Ends a node's actor and its workers at once; doesn't wait."""
        ...


@dataclass
class Member:
    """A node that has workers.

    Attributes:
        number: of this start of it; never used again.
        ticket: of the reply that is awaited; None between two rounds.
        applied: what `Changes.taken` reaches when its last reply has been added.
        answered: whether it ever replied.
    """

    number: int
    place: str
    name: str
    node: Any
    workers: list[int]
    began: float
    rounds: int = 0
    ticket: Any = None
    ordered: float = 0.0
    read: int = 0
    applied: int = 0
    answered: bool = False


class Coordinator:
    """Everything but the store: that lies with the trainer, which adds each reply before its node's next round is ordered."""

    def __init__(
        self,
        nodes: Nodes,
        seats: Seats,
        store: ParameterStore,
        changes: Changes,
        settings: ClusterSettings,
        send: Callable[[Any], None],
    ) -> None:
        self.nodes, self.seats, self.store, self.changes, self.settings, self.send = nodes, seats, store, changes, settings, send
        self.members: list[Member] = []
        self._started = 0
        self._looked = -PLACE_SECONDS
        self._statistics = time.monotonic()
        self._lonely: float | None = None
        self._remarked = False
        self._back_off: dict[str, tuple[float, float]] = {}
        self._failures: deque[float] = deque(maxlen=MOST_FAILURES)
        self._shared: tuple[int, int, Any] | None = None

    def step(self, timeout: float) -> None:
        """Does what is due, and delivers the replies that come within about `timeout` seconds.

        Raises:
            WorkerError: workers die again and again, or no node has come for too long.
        """
        if time.monotonic() - self._looked >= PLACE_SECONDS:
            self._looked = time.monotonic()
            self._place()
        self._order()
        self._collect(timeout)
        self._drop_silent()

    def finish(self) -> None:
        """Ends all nodes, and delivers what they did until then."""
        deadline = time.monotonic() + self.settings.exchange_seconds + STOP_SECONDS
        stopping: dict[int, Any] = {}
        for member in [*self.members]:
            if member.answered:
                stopping[member.number] = self.nodes.order_stop(member.node)
            else:
                self._forget(member)
        while self.members and time.monotonic() < deadline:
            for member in self.members:
                if member.ticket is None and member.number in stopping:
                    member.ticket, member.ordered = stopping.pop(member.number), time.monotonic()
                    member.rounds += 1
            self._collect(0.05)
            for member in [*self.members]:
                if member.ticket is None and member.number not in stopping:
                    self._forget(member)
        for member in [*self.members]:
            self._forget(member)
        self.send(Finished())

    def _place(self) -> None:
        now = time.monotonic()
        places = self.nodes.places()
        for place, found in sorted(places.items(), key=lambda item: -item[1].processors):
            if self._holds(found) < 1 or not len(self.seats) or now < self._back_off.get(place, (0.0, 0.0))[0]:
                continue
            # One that is starting has its processors already, though the cluster may not have counted them yet.
            if any(member.place == place and not member.answered for member in self.members):
                continue
            self._start(place, found)
        self._wait_for_nodes(now)

    def _holds(self, place: Place) -> int:
        """How many workers can start there now: a process a processor, or the streams of one GPU, fed by one processor."""
        return self.settings.streams * min(1, place.gpus, place.processors) if self.settings.streams else place.processors

    def _start(self, place: str, found: Place) -> None:
        specs = self.seats.take(self._holds(found))
        parameters, statistics = self.store.snapshot()
        start = NodeStart(
            "cuda" if self.settings.streams else "processes",
            specs,
            parameters.numpy(),
            {name: part.numpy() for name, part in statistics.items()},
            self.store.progress,
        )
        self._started += 1
        workers = [spec.index for spec in specs]
        node = self.nodes.start(place, start)
        self.members.append(Member(self._started, place, found.name, node, workers, time.monotonic()))
        if self._shared is not None:
            self.send(Remark(f"node {found.name} gets {len(workers)} worker{'s' if len(workers) > 1 else ''}"))

    def _wait_for_nodes(self, now: float) -> None:
        if self.members:
            self._lonely, self._remarked = None, False
            return
        self._lonely = self._lonely or now
        if now - self._lonely > self.settings.patience:
            raise WorkerError(f"no node of the cluster has had a free {self.settings.unit} for {self.settings.patience:.0f} s")
        if now - self._lonely > LONELY_SECONDS and not self._remarked:
            self._remarked = True
            self.send(
                Remark(f"no node of the cluster has had a free {self.settings.unit} for {LONELY_SECONDS:.0f} s; waiting for one")
            )

    def _order(self) -> None:
        taken = self.changes.taken
        for member in self.members:
            if member.ticket is not None or member.applied > taken:
                continue
            now = time.monotonic()
            with_statistics = now - self._statistics >= STATISTICS_SECONDS
            if with_statistics:
                self._statistics = now
            member.read, shared = self._parameters()
            member.ticket = self.nodes.order(
                member.node, shared, self.store.progress, self.settings.exchange_seconds, with_statistics
            )
            member.ordered = now
            member.rounds += 1

    def _parameters(self) -> tuple[int, Any]:
        """(updates, parameters for all nodes): shared again only where the trainer has added something."""
        taken = self.changes.taken
        if self._shared is None or self._shared[0] != taken:
            updates = self.store.updates
            self._shared = taken, updates, self.nodes.share(self.store.parameters.numpy())
        return self._shared[1:]

    def _collect(self, timeout: float) -> None:
        waiting = {member.ticket: member for member in self.members if member.ticket is not None}
        if not waiting:
            time.sleep(timeout)
            return
        # Soon again where a reply is about to be added: its node waits for the next order.
        taken = self.changes.taken
        pause = 0.005 if any(member.ticket is None and member.applied > taken for member in self.members) else timeout
        for ticket in self.nodes.ready(list(waiting), pause):
            self._deliver(waiting[ticket])

    def _deliver(self, member: Member) -> None:
        if self.changes.full:
            # The trainer is busy; the reply stays where it is.
            time.sleep(0.005)
            return
        try:
            reply = self.nodes.reply(member.ticket)
        except NodeLostError as error:
            self._drop(member, str(error).splitlines()[0])
            if error.own:
                self._count_failure(member, error)
            return
        except WorkerError as error:
            self._forget(member)
            raise _of_node(member, error) from None
        member.ticket = None
        member.answered = True
        member.applied = self.changes.put(reply.change)
        seconds = time.monotonic() - member.ordered
        nodes = len({member.place for member in self.members if member.answered})
        notes = [f"node {member.name}: {note}" for note in reply.notes]
        self.send(Delivery(member.number, member.rounds, member.read, reply.reports, notes, reply.statistics, nodes, seconds))

    def _count_failure(self, member: Member, error: NodeLostError) -> None:
        self._failures.append(time.monotonic())
        if len(self._failures) == MOST_FAILURES and self._failures[-1] - self._failures[0] < FAILURES_SECONDS:
            raise _of_node(member, error)

    def _drop_silent(self) -> None:
        now = time.monotonic()
        limit = max(SILENT_SECONDS, SILENT_ROUNDS * self.settings.exchange_seconds)
        for member in [*self.members]:
            if member.ticket is None:
                continue
            silent = now - (member.ordered if member.answered else member.began)
            if silent > (limit if member.answered else START_SECONDS):
                self._drop(member, f"it has not answered for {silent:.0f} s")

    def _drop(self, member: Member, why: str) -> None:
        workers = f"its {len(member.workers)} workers go" if len(member.workers) > 1 else "its worker goes"
        self._forget(member)
        now = time.monotonic()
        _, pause = self._back_off.get(member.place, (0.0, 0.5))
        # A node that went well for a while has a clean record.
        pause = 1.0 if now - member.began > 60.0 else min(2 * pause, MOST_BACK_OFF)
        self._back_off[member.place] = now + pause, pause
        self.send(Dropped(member.number, f"node {member.name} is lost ({why}); {workers} where a {self.settings.unit} is free"))

    def _forget(self, member: Member) -> None:
        self.nodes.kill(member.node)
        self.members.remove(member)
        self.seats.give_back(member.workers)


def _of_node(member: Member, error: Exception) -> WorkerError:
    first, *others = str(error).splitlines()
    return WorkerError("\n".join([f"node {member.name}: {first}", *others]))
