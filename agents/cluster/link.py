"""The process that talks to the cluster.

It is a child of the trainer: where the cluster's head dies, Ray ends the process that is connected to it without running any more
Python; the trainer lives on, and saves.
"""

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from agents.cluster.coordinator import Coordinator
from agents.cluster.messages import Changes, Connected, Failed, Refused
from agents.cluster.seats import Seats
from agents.cluster.settings import ClusterSettings
from agents.learning.parameter_store import ParameterStore
from agents.runtime.errors import WorkerError
from agents.runtime.processes import end_with
from agents.runtime.worker import WorkerSpec
from maze_gen.errors import InputError

STEP_SECONDS = 0.05


def apart(log: Path, parent: int) -> None:
    """Ends this process with its parent, keeps signals of the terminal from it, and sends all that it prints into a file."""
    end_with(parent)
    os.setsid()
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab", buffering=0) as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


def link(
    settings: ClusterSettings,
    specs: Sequence[WorkerSpec],
    store: ParameterStore,
    changes: Changes,
    pipe: Connection,
    parent: int,
) -> None:
    """Runs nodes until the trainer sends anything through `pipe`, which takes messages of `agents.cluster.messages`.

    Args:
        settings: with an address that `agents.cluster.address.resolve` gave.
        parent: the trainer's process id.
    """
    apart(settings.log, parent)
    # Not before it is known where Ray's output goes.
    from agents.cluster.ray_cluster import connected
    from agents.cluster.ray_nodes import RayNodes

    try:
        with connected(settings.address, settings.processors) as notes:
            nodes = RayNodes()
            free = sum(place.processors for place in nodes.places().values())
            if not free:
                raise InputError(f"--cluster {settings.address}: no processor of the cluster is free")
            pipe.send(Connected(free, notes))
            try:
                _coordinate(Coordinator(nodes, Seats(specs), store, changes, settings, pipe.send), pipe)
            finally:
                nodes.close()
    except InputError as error:
        pipe.send(Refused(str(error)))
    except (BrokenPipeError, EOFError):
        return
    except Exception as error:
        first = f"the connection to the cluster failed with {type(error).__name__}: {' '.join(str(error).split())}"
        pipe.send(Failed("\n".join([first, traceback.format_exc()])))


def _coordinate(coordinator: Coordinator, pipe: Connection) -> None:
    try:
        while not pipe.poll(0):
            coordinator.step(STEP_SECONDS)
    except WorkerError as error:
        pipe.send(Failed(str(error)))
    coordinator.finish()

