"""A toy target that a painter learns in seconds, in every runtime of the CPU, by the world's reward and by a discriminator's."""

import dataclasses

import numpy as np
import pytest

from agents.config import AGENTS, PRESETS
from agents.inference import Policy
from agents.trainer import Budget, Trainer, Training
from env.backends import make_batch
from env.painting.action import ActionForm
from env.painting.pictures import Pictures
from env.painting.program import Stroke, paint_programs
from env.painting.task import PaintingTask

FORM = ActionForm(grid=4, radii=(0.25,), pressures=(1.0,))
PLACES = (0.125, 0.375, 0.625, 0.875)
CONFIG = dataclasses.replace(
    PRESETS["painter"], num_envs=64, unroll_length=3, minibatches=2, learning_rate=4e-3, entropy_cost=0.03, precision="float32"
)


def toy(goal: str) -> PaintingTask:
    """Vertical strokes at the left and at the right of 16 x 16 pixels; two actions paint one."""
    columns = (PLACES[0], PLACES[3])
    points = [tuple((x, y) for y in (PLACES[0], PLACES[1], PLACES[2], PLACES[3])) for x in columns]
    programs = [(Stroke(line, 0.25, (1, 1), (0, 0, 0)),) for line in points]  # type: ignore[arg-type]
    images = paint_programs(programs, 16, colour=False)
    pictures = Pictures("strokes", images, np.arange(2, dtype=np.int32))
    return PaintingTask("toy", pictures, goal=goal, steps=3, action=FORM)  # type: ignore[arg-type]


def distance(trainer: Trainer, task: PaintingTask) -> float:
    """To the nearest of the pictures, as a fraction of a blank canvas's; to the target where there is one."""
    policy, generator = Policy(trainer.checkpoint(), 64), np.random.default_rng(0)
    with make_batch(task, 64) as batch:
        batch.reset(9)
        for _ in range(task.steps):
            batch.step(policy.act(batch, generator.random((64, 5))))
        canvas = batch.observation["canvas"].astype(float)
        pictures = task.pictures.images.astype(float)
        each = np.square(canvas[:, None] - pictures).mean((2, 3, 4))
        drawn = batch.privileged["picture"]
        found = each[np.arange(64), drawn] if task.has_target else each.min(1)
        return float(found.mean() / np.square(255 - pictures).mean())


@pytest.mark.parametrize(
    ("serial", "workers", "frames", "least"), [(True, 1, 8_000, 0.5), (False, 2, 40_000, 0.7)], ids=["serial", "processes"]
)
def test_a_painter_redraws_the_target(serial, workers, frames, least):
    """Processes get more and reach less: on a busy machine one of them may act for long with what the other has changed."""
    task = toy("redraw")
    training = Training("painter", AGENTS["painter"], CONFIG, "painter", task, "embedded", 1, workers, serial=serial)
    trainer = Trainer(training, Budget(frames=frames))
    before = distance(trainer, task)
    trainer.train()
    assert before > 0.8
    assert distance(trainer, task) < least


def test_a_painter_is_taught_by_a_discriminator():
    task = toy("doodle")
    agent = AGENTS["painter-canvas"]
    trainer = Trainer(
        Training("painter-canvas", agent, CONFIG, "painter", task, "embedded", 1, 1, serial=True), Budget(frames=15_000)
    )
    before = distance(trainer, task)
    trainer.train()
    assert before > 0.8
    assert distance(trainer, task) < 0.5
