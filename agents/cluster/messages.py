"""Messages from the process that talks to the cluster to the trainer, and the shared memory with the changes."""

from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt
import torch

from agents.cluster.exchange import Reply
from agents.runtime.worker import Report

SLOTS = 4
"""Changes that lie in shared memory at a time, before the trainer has added the first of them."""


@dataclass(frozen=True)
class Connected:
    """The cluster answers.

    Attributes:
        processors: free ones of all nodes, or GPUs where workers are their streams.
        notes: for a person.
    """

    processors: int
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Refused:
    """The cluster can't be used, for a reason that is the user's to change."""

    reason: str


@dataclass(frozen=True)
class Delivery:
    """A node's reply, whose change lies in shared memory (`Changes`).

    Attributes:
        member, number, read: as `agents.cluster.exchange.Ledger.take` wants them.
        reports, notes, statistics: of the reply.
        members: how many nodes have workers now.
        seconds: between the order of the round and its reply.
    """

    member: int
    number: int
    read: int
    reports: list[Report]
    notes: list[str]
    statistics: dict[str, npt.NDArray[Any]] | None
    members: int
    seconds: float


@dataclass(frozen=True)
class Dropped:
    """A node is no longer counted on: what it still sends isn't taken.

    Attributes:
        note: for a person, saying why.
    """

    member: int
    note: str


@dataclass(frozen=True)
class Remark:
    """For a person, nothing more."""

    note: str


@dataclass(frozen=True)
class Failed:
    """The training can't go on; the first line says why."""

    reason: str


@dataclass(frozen=True)
class Finished:
    """All replies have been delivered; nothing follows."""


class Changes:
    """Changes on their way to the trainer: a ring of vectors [P] in memory that both processes see.

    Deliveries and changes keep one order: the n-th delivery's change is the n-th that was put here.
    """

    def __init__(self, size: int) -> None:
        self._vectors = torch.zeros(SLOTS, size).share_memory_()
        # How many were put, which only the cluster's process counts, and how many were taken, which only the trainer counts.
        self._put = torch.zeros((), dtype=torch.int64).share_memory_()
        self._taken = torch.zeros((), dtype=torch.int64).share_memory_()

    @property
    def taken(self) -> int:
        return int(self._taken)

    @property
    def full(self) -> bool:
        return int(self._put) - self.taken >= SLOTS

    def put(self, change: npt.NDArray[Any]) -> int:
        """Copies a change; there must be room. Returns what `taken` will have reached when the trainer has added it."""
        number = int(self._put)
        self._vectors[number % SLOTS].numpy()[:] = change
        self._put.add_(1)
        return number + 1

    def reply(self, delivery: Delivery) -> Reply:
        """The reply of the next delivery; `take` frees its memory."""
        change = self._vectors[self.taken % SLOTS].numpy()
        return Reply(change, delivery.reports, delivery.notes, delivery.statistics)

    def take(self) -> None:
        self._taken.add_(1)
