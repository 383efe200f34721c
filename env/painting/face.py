"""Canvases as Gymnasium's environments, one or a batch."""

from typing import Any

from env.backends import make_batch
from env.batch import BatchEnv
from env.face import FaceKind, Form, UnknownSettingError, refuse_unknown
from env.painting.registry import PAINTING_TASKS, PaintingSettings, make_painting
from env.painting.task import PaintingTask
from env.single import KnossosEnv
from env.vector import KnossosVectorEnv
from maze_gen.errors import InputError

FACTS = ("picture", "label", "distance", "pieces", "points", "stroke_radius", "stroke_pressure", "stroke_colour")


def painting_task(task: str | PaintingTask | None, settings: PaintingSettings) -> PaintingTask:
    """The task that a face's arguments name.

    Raises:
        InputError: an unknown setting or task, or settings beside a task that is given whole.
    """
    try:
        refuse_unknown(settings, PaintingSettings.__annotations__, "keyword argument")
    except InputError as error:
        raise UnknownSettingError(str(error)) from None
    if isinstance(task, PaintingTask):
        for name, value in settings.items():
            if value is not None:
                raise InputError(f"{name}={value!r}: the task {task.name!r} is given whole; leave the setting out")
        return task
    if task is None:
        raise InputError(f"which task? give one of {', '.join(PAINTING_TASKS)}")
    return make_painting(task, settings)


def open_canvases(task: str | PaintingTask | None, num_envs: int, threads: int, **settings: Any) -> tuple[BatchEnv, Form]:
    """A batch of canvases as a face's arguments describe it, and the form of what it observes.

    Raises:
        InputError: as `painting_task`, and for a brush that isn't there.
    """
    batch = make_batch(painting_task(task, settings), num_envs, threads=threads)  # type: ignore[arg-type]
    return batch, Form(batch, normalize=False)


PAINTING_FACE = FaceKind(open_canvases, FACTS, "canvas", ())


class PaintingEnv(KnossosEnv):
    """One canvas; `settings` are those of `env.painting.registry.PaintingSettings`.

    Observations are a dictionary: `canvas` and, where there is one, `target`, [side, side, C] uint8, and `pen`, `time`, `effect`
    and `noise`, see `docs/painting.md`. Actions are `MultiDiscrete`. An episode terminates after the task's steps. Infos hold
    index, label and distance of the target, and the stroke that the last action laid.
    """

    kind = PAINTING_FACE


class PaintingVectorEnv(KnossosVectorEnv):
    """Canvases painted together; see `PaintingEnv`, and `env.vector.KnossosVectorEnv` for the modes of starting anew."""

    kind = PAINTING_FACE
