"""Plays whole episodes of painting, and keeps what was painted and how."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agents.checkpoint import Checkpoint
from agents.inference import Policy
from agents.model import AgentModel
from env.backends import make_batch
from env.batch import BatchEnv
from env.memory import check_memory
from env.painting.batch import PaintingBatch
from env.painting.program import Program, ProgramRecorder
from env.painting.task import PaintingTask
from maze_gen.errors import InputError

Act = Callable[[BatchEnv], npt.NDArray[np.int64]]
"""Chooses the actions [N, K] of a batch of canvases."""


@dataclass(frozen=True)
class Gallery:
    """N paintings of one task.

    Attributes:
        task: what was painted.
        canvas: [N, side, side, C] uint8, the finished ones.
        target: the same, what was to be painted; None in doodles.
        picture: [N] int32, the index of each target into the task's pictures, -1 without one.
        history: [T + 1, N, side, side, C] uint8, the canvases before the first and after every step.
        distance: [N] float32, to the target, in per cent; 0 in doodles.
        strokes: [N] int64, that were begun.
        programs: of the N paintings.
    """

    task: PaintingTask
    canvas: npt.NDArray[np.uint8]
    target: npt.NDArray[np.uint8] | None
    picture: npt.NDArray[np.int32]
    history: npt.NDArray[np.uint8]
    distance: npt.NDArray[np.float32]
    strokes: npt.NDArray[np.int64]
    programs: list[Program]


def paint(task: PaintingTask, act: Act, count: int, seed: int) -> Gallery:
    """An episode of each of `count` streams of a seed.

    Raises:
        InputError: their canvases don't fit into the memory.
    """
    kept = 2 * (task.steps + 1) * count * task.side * task.side * task.action.channels
    check_memory(f"{count} paintings of {task.steps} steps", kept)
    with make_batch(task, count) as batch:
        assert isinstance(batch, PaintingBatch)
        batch.reset(seed)
        recorder = ProgramRecorder(batch.strokes)
        history, strokes = [batch.observation["canvas"].copy()], np.zeros(count, np.int64)
        for _ in range(task.steps):
            batch.step(act(batch))
            recorder.add()
            history.append(batch.observation["canvas"].copy())
            strokes += batch.outcome.statistics["strokes"]
        target = batch.observation["target"].copy() if task.has_target else None
        programs = [recorder.take(row) for row in range(count)]
        picture, distance = batch.privileged["picture"].copy(), batch.privileged["distance"].copy()
        return Gallery(task, history[-1], target, picture, np.stack(history), distance, strokes, programs)


def painter(agent: Checkpoint | AgentModel, count: int, seed: int) -> Act:
    """A trained agent, which samples its actions."""
    policy, generator = Policy(agent, count), np.random.default_rng(seed)

    def act(batch: BatchEnv) -> npt.NDArray[np.int64]:
        return policy.act(batch, generator.random((count, len(batch.spec.action.sizes))))

    return act


def random_painter(count: int, seed: int) -> Act:
    """Every action with the same chance."""
    generator = np.random.default_rng(seed)
    return lambda batch: np.stack([generator.integers(size, size=count) for size in batch.spec.action.sizes], 1)


def painting_task(checkpoint: Checkpoint) -> PaintingTask:
    """The task of a painter.

    Raises:
        InputError: the agent doesn't paint.
    """
    if not isinstance(checkpoint.task, PaintingTask):
        raise InputError(f"{checkpoint.origin}: an agent of {checkpoint.task.name!r}, which doesn't paint")
    return checkpoint.task
