"""What the child process of a training does on the cluster."""

import os
import traceback
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Protocol

from agents.cluster.coordinator import Coordinator, Nodes
from agents.cluster.link import apart, connecting
from agents.cluster.messages import Changes, Failed, Finished
from agents.cluster.seats import Seats
from agents.cluster.settings import ClusterSettings
from agents.learning.parameter_store import ParameterStore
from agents.runtime.errors import WorkerError
from agents.runtime.worker import WorkerSpec

STEP_SECONDS = 0.05


class ClosableNodes(Nodes, Protocol):
    """Nodes that are let go at the end."""

    def close(self) -> None: ...


def train_on_nodes(
    settings: ClusterSettings,
    pipe: Connection,
    parent: int,
    specs: Sequence[WorkerSpec],
    store: ParameterStore,
    changes: Changes,
) -> None:
    """Runs nodes until the trainer sends anything; sends it their answers (`agents.cluster.messages`)."""
    apart(settings.log, parent)

    def work() -> None:
        from agents.cluster.ray_nodes import RayNodes

        coordinate(RayNodes(), settings, pipe, specs, store, changes)

    connecting(settings, pipe, work)


def coordinate(
    nodes: ClosableNodes,
    settings: ClusterSettings,
    pipe: Connection,
    specs: Sequence[WorkerSpec],
    store: ParameterStore,
    changes: Changes,
) -> None:
    """Runs nodes as `train_on_nodes` says, on a cluster that is connected."""
    coordinator = Coordinator(nodes, Seats(specs), store, changes, settings, pipe.send)
    try:
        while not pipe.poll(0):
            coordinator.step(STEP_SECONDS)
    except WorkerError as error:
        pipe.send(Failed(str(error)))
    except OSError as error:
        # Ray's: its own process of this machine is gone. Nothing that is left of it can be asked or ended.
        why = " ".join(str(error).split())
        pipe.send(Failed(f"the Ray cluster at {settings.address} was lost ({why}; what Ray says is in {settings.log})"))
        pipe.send(Finished())
        os._exit(1)
    except Exception as error:
        first = f"talking to the cluster failed with {type(error).__name__}: {' '.join(str(error).split())}"
        pipe.send(Failed("\n".join([first, traceback.format_exc()])))
    coordinator.finish()
    nodes.close()
