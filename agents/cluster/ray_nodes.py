"""Ray's nodes as the coordinator knows them. Only the process that talks to the cluster imports this."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from agents.cluster.coordinator import NodeLostError, Place
from agents.cluster.exchange import Reply, Vector
from agents.cluster.node import Node, NodeStart
from agents.cluster.ray_cluster import available
from agents.runtime.errors import WorkerError

LOOK_SECONDS = 0.5
FETCH_SECONDS = 10.0


class NodeActor:
    """A node in an actor; it is made by its first round, so that its errors are the round's."""

    def __init__(self, start: NodeStart) -> None:
        self._start = start
        self._node: Node | None = None

    def round(self, parameters: Vector, progress: float, seconds: float, with_statistics: bool) -> Reply:
        if self._node is None:
            self._node = Node(self._start)
        return self._node.round(parameters, progress, seconds, with_statistics)

    def stop(self) -> Reply:
        assert self._node is not None
        return self._node.stop()


class RayNodes:
    """`agents.cluster.coordinator.Nodes` of the cluster that Ray is connected to."""

    def __init__(self) -> None:
        # In a thread: while the cluster's head is away, this question waits, and rounds go on.
        self._places: dict[str, Place] = {}
        self._stopped = threading.Event()
        self._look()
        self._thread = threading.Thread(target=self._keep_looking, name="nodes", daemon=True)
        self._thread.start()

    def places(self) -> Mapping[str, Place]:
        return self._places

    def start(self, place: str, start: NodeStart) -> Any:
        gpu = start.runtime.startswith("cuda")
        actor = ray.remote(NodeActor).options(
            num_cpus=1 if gpu else len(start.specs),
            num_gpus=1 if gpu else 0,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(place, soft=False),
        )
        return actor.remote(start)

    def share(self, parameters: Vector) -> Any:
        return ray.put(parameters)

    def order(self, node: Any, parameters: Any, progress: float, seconds: float, with_statistics: bool) -> Any:
        return node.round.remote(parameters, progress, seconds, with_statistics)

    def order_stop(self, node: Any) -> Any:
        return node.stop.remote()

    def ready(self, tickets: Sequence[Any], timeout: float) -> list[Any]:
        found, others = ray.wait(list(tickets), num_returns=1, timeout=timeout)
        # The others that are there as well.
        more, _ = ray.wait(others, num_returns=len(others), timeout=0) if found and others else ([], [])
        return [*found, *more]

    def reply(self, ticket: Any) -> Reply:
        try:
            return ray.get(ticket, timeout=FETCH_SECONDS)
        except RayTaskError as error:
            cause = error.cause
            if isinstance(cause, WorkerError):
                raise WorkerError(str(cause)) from None
            raise NodeLostError(f"{type(cause).__name__}: {cause}\n{error}", own=True) from None
        except GetTimeoutError:
            raise NodeLostError(f"its reply did not come within {FETCH_SECONDS:.0f} s") from None
        except RayError as error:
            text = str(error)
            raise NodeLostError(f"{type(error).__name__}: {text}", own="creation task" in text) from None

    def kill(self, node: Any) -> None:
        ray.kill(node)

    def close(self) -> None:
        self._stopped.set()
        self._thread.join(2.0)

    def _keep_looking(self) -> None:
        while not self._stopped.wait(LOOK_SECONDS):
            try:
                self._look()
            except Exception:
                # The head is away; what was seen last stands.
                continue

    def _look(self) -> None:
        free = available()
        self._places = {
            node["NodeID"]: Place(node["NodeManagerAddress"], *free.get(node["NodeID"], (0, 0)))
            for node in ray.nodes()
            if node["Alive"]
        }
