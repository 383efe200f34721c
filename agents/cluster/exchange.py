"""What nodes that train the same agent tell each other: the change of their parameters, added up where the agent is kept.

Every node learns on a store of its own. About once a second the driver, whose store is the agent, sends its parameters; the node
takes over what others have changed, keeps what its own workers did meanwhile, and answers with its change since. Neither side
ever waits for the other: workers go on while an exchange is under way.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from agents.learning.parameter_store import ParameterStore
from agents.runtime.worker import Report

Vector = npt.NDArray[np.float32]


class NodeExchange:
    """A node's half: what its store and the driver's have in common.

    Args:
        store: of the node; its parameters are those that the driver sent last.
    """

    def __init__(self, store: ParameterStore) -> None:
        self.store = store
        # First the parameters that the driver sent, then those that were sent to the driver.
        self._known = store.parameters.clone()

    def take(self, parameters: Vector) -> None:
        """Takes over what the driver's parameters [P] hold beyond those that were sent to it; the workers' updates since stay."""
        fresh = torch.tensor(parameters, device=self._known.device)
        self.store.add(fresh - self._known)
        self._known = fresh

    def change(self) -> Vector:
        """[P], the change of the node's parameters since `take`, which is sent to the driver."""
        now = torch.empty_like(self._known)
        self.store.pull(now)
        change = now - self._known
        self._known = now
        return change.cpu().numpy()


@dataclass
class Reply:
    """What a node answers after a round. Its change and its reports belong together: both are taken, or neither.

    Attributes:
        change: [P] of the parameters since the round began.
        reports: of the node's workers.
        notes: what a person should know, e.g. that a worker was replaced.
        statistics: of the node's optimiser, where the driver asked for them.
    """

    change: Vector
    reports: list[Report]
    notes: list[str] = field(default_factory=list)
    statistics: dict[str, npt.NDArray[Any]] | None = None

    @property
    def gradients(self) -> int:
        """Updates that the change consists of."""
        return sum(report.metrics.gradients for report in self.reports)


@dataclass(frozen=True)
class Receipt:
    """That a reply was taken.

    Attributes:
        in_flight: updates of others that were added between the node's reading and its change.
        weight: of the change, in (0, 1].
    """

    in_flight: int
    weight: float


class Ledger:
    """The driver's half: adds every reply to its store exactly once, and knows how many updates that made.

    Args:
        store: of the driver; its optimiser's count of updates counts those that arrive.
        in_flight: updates in flight up to which a change is added whole.
    """

    def __init__(self, store: ParameterStore, in_flight: int) -> None:
        self.store = store
        self.in_flight = in_flight
        self._rounds: dict[int, int] = {}
        self._own: dict[int, tuple[int, int]] = {}

    @property
    def updates(self) -> int:
        """That the store consists of."""
        return self.store.updates

    def take(self, member: int, number: int, read: int, reply: Reply) -> Receipt | None:
        """Adds a reply; None, and nothing is changed, where it was added before, or its member was dropped.

        Args:
            member: that answers; each start of a node is another one.
            number: of the round, from 1 for each member.
            read: `updates` when the parameters that the round began with were read.
        """
        if number <= self._rounds.get(member, 0):
            return None
        self._rounds[member] = number
        # A node that stops answers twice to what it read once: its own first answer isn't another's.
        before, own = self._own.get(member, (read, 0))
        own = own if before == read else 0
        others = self.updates - read - own
        self._own[member] = read, own + reply.gradients
        weight = weight_of(others, self.in_flight)
        change = torch.from_numpy(reply.change)
        self.store.add(change if weight == 1 else change * weight, updates=reply.gradients)
        if reply.statistics is not None:
            self._keep(reply.statistics)
        return Receipt(others, weight)

    def drop(self, member: int) -> None:
        """Takes nothing more of a member: its workers were given to others, or are about to be."""
        self._rounds[member] = 2**62
        self._own.pop(member, None)

    def _keep(self, statistics: dict[str, npt.NDArray[Any]]) -> None:
        """Takes over a node's statistics; the count of updates stays the driver's own."""
        for name, place in self.store.statistics.items():
            if name != "updates":
                place.copy_(torch.from_numpy(statistics[name]))


def weight_of(in_flight: int, whole: int) -> float:
    """Weight of a change: 1 up to `whole` updates in flight, then as their inverse root.

    Whole changes that don't know of each other add up to steps that are too long. Rates that fall with a gradient's staleness,
    there as its inverse: arXiv 1511.05950.
    """
    return 1.0 if in_flight <= whole else math.sqrt(whole / in_flight)
