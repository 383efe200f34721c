"""Nodes that answer at once, in actors of one machine. Only the process that talks to the cluster imports this."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import ray

from agents.cluster.coordinator import Place
from agents.cluster.exchange import Reply, Vector
from agents.cluster.node import NodeStart
from agents.cluster.ray_nodes import RayNodes
from agents.learning.learner import Metrics
from agents.runtime.worker import Report


class EchoActor:
    """Has no workers; its change is nothing, of the size of a change."""

    def __init__(self, start: NodeStart) -> None:
        self._worker = start.specs[0].index
        self._change = np.zeros_like(start.parameters)

    def round(self, parameters: Vector, progress: float, seconds: float, with_statistics: bool) -> Reply:
        return Reply(self._change, [Report(self._worker, 0, [], Metrics(1))])

    def stop(self) -> Reply:
        return Reply(self._change, [])


class EchoNodes(RayNodes):
    """So many places of one processor, all of them on the same node."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count = count

    def places(self) -> Mapping[str, Place]:
        return {str(index): Place(f"echo {index}", 1) for index in range(self._count)}

    def start(self, place: str, start: NodeStart) -> Any:
        return ray.remote(EchoActor).options(num_cpus=1, max_restarts=0).remote(start)
