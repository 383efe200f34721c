"""Which workers of a training still lack a node."""

import dataclasses
import heapq
from collections.abc import Iterable, Sequence

from agents.runtime.worker import WorkerSpec

RESTARTS = 1000
"""Restarts of a worker on one node that are kept distinct from those on another."""


class Seats:
    """Workers by their index: each is given to a node, and comes back when that node is gone."""

    def __init__(self, specs: Sequence[WorkerSpec]) -> None:
        self._specs = {spec.index: spec for spec in specs}
        self._free = sorted(self._specs)
        self._given = dict.fromkeys(self._specs, 0)

    def __len__(self) -> int:
        """How many lack a node."""
        return len(self._free)

    def take(self, count: int) -> list[WorkerSpec]:
        """Up to `count` workers, those of the lowest index; one that had a node before begins its next episodes."""
        taken = [heapq.heappop(self._free) for _ in range(min(count, len(self._free)))]
        specs = [self._spec(index) for index in taken]
        for index in taken:
            self._given[index] += 1
        return specs

    def give_back(self, indices: Iterable[int]) -> None:
        """Their node is gone."""
        for index in indices:
            heapq.heappush(self._free, index)

    def _spec(self, index: int) -> WorkerSpec:
        spec, times = self._specs[index], self._given[index]
        if not times:
            return spec
        return dataclasses.replace(spec, state=None, restarts=spec.restarts + RESTARTS * times)
