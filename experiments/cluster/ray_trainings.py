"""Trainings of a grid as actors of Ray. Only the process that talks to the cluster imports this."""

import contextlib
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import ray
from ray.exceptions import RayError

from experiments.cluster.training_actor import Progress, Seen, Synced, TrainingActor

SYNC_SECONDS = 3.0
"""Between two looks at what a training has written."""
SILENT_SECONDS = 15.0
"""A training that doesn't answer for so long is lost."""


@dataclass
class _Training:
    """A training on a node, as the child knows it."""

    actor: Any
    ticket: Any = None
    asked: float = 0.0
    next: float = 0.0
    answered: bool = False
    seen: Seen = field(default_factory=dict)


def serve(pipe: Connection) -> None:
    """Takes (number, request, files), sends `Synced`; on "stop" lets all trainings save; ends on None."""
    trainings: dict[int, _Training] = {}
    stopping = False
    while True:
        while pipe.poll(0.1 if not trainings else 0):
            message = pipe.recv()
            if message is None:
                return
            if message == "stop":
                stopping = True
                for number, training in [*trainings.items()]:
                    if not training.answered:
                        _lose(pipe, trainings, number, "it was stopped before it began")
                        continue
                    training.ticket, training.asked = training.actor.stop.remote(training.seen), time.monotonic() + 30.0
                continue
            number, request, files = message
            processors = 1 if request.serial else request.conditions.workers
            actor = ray.remote(TrainingActor).options(num_cpus=processors, max_restarts=0)
            trainings[number] = _Training(actor.remote(request, files))
        now = time.monotonic()
        for number, training in [*trainings.items()]:
            if training.ticket is None and now >= training.next and not stopping:
                training.ticket, training.asked = training.actor.progress.remote(training.seen), now
            silent = training.answered and training.ticket is not None and now - training.asked > SILENT_SECONDS
            if silent:
                _lose(pipe, trainings, number, f"it has not answered for {SILENT_SECONDS:.0f} s")
        tickets = {training.ticket: number for number, training in trainings.items() if training.ticket is not None}
        ready = ray.wait(list(tickets), num_returns=1, timeout=0.2)[0] if tickets else []
        for ticket in ready:
            _take(pipe, trainings, tickets[ticket])


def _take(pipe: Connection, trainings: dict[int, _Training], number: int) -> None:
    training = trainings[number]
    try:
        progress: Progress = ray.get(training.ticket, timeout=60)
    except RayError as error:
        _lose(pipe, trainings, number, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
        return
    training.ticket, training.next, training.answered = None, time.monotonic() + SYNC_SECONDS, True
    training.seen = progress.seen
    pipe.send(Synced(number, progress))
    if progress.ended is not None:
        with contextlib.suppress(RayError):
            ray.get(training.actor.close.remote(), timeout=5)
        ray.kill(training.actor)
        del trainings[number]


def _lose(pipe: Connection, trainings: dict[int, _Training], number: int, why: str) -> None:
    ray.kill(trainings.pop(number).actor)
    pipe.send(Synced(number, None, why))
