"""The greedy search: it finds strokes that are there, its canvases are those of the world, and nothing that it lays is a loss."""

import dataclasses
import itertools

import numpy as np
import pytest

from env.painting.action import ActionForm
from env.painting.pictures import Pictures, load_pictures
from env.painting.program import Stroke, paint_programs
from env.painting.registry import make_painting
from env.painting.strokes import quadratic
from env.painting.task import PaintingTask
from experiments.painting.gallery import paint
from experiments.painting.search import GreedySearch

FORM = ActionForm(grid=4, radii=(0.06, 0.12), pressures=(1.0,))


def one_stroke_each() -> PaintingTask:
    """Targets that are one stroke of the task's own actions."""
    generator = np.random.default_rng(3)
    places = FORM.place_of(generator.integers(16, size=(12, 3)))
    curves = [quadratic(start, control, end) for start, control, end in places]
    programs = [(Stroke(tuple(map(tuple, curve.tolist())), 0.12, (1, 1), (0, 0, 0)),) for curve in curves]
    images = paint_programs(programs, 16, colour=False)  # type: ignore[arg-type]
    return PaintingTask("toy", Pictures("strokes", images, np.full(12, -1, np.int32)), goal="redraw", steps=4, action=FORM)


def test_it_finds_the_stroke_that_is_there():
    task = one_stroke_each()
    found = paint(task, GreedySearch(task, 60, 1), 60, 1)
    assert (found.distance == 0).mean() > 0.9


def test_its_first_stroke_is_the_best_of_all():
    """Against all strokes of a small form, each painted by the definition of a program."""
    task = dataclasses.replace(one_stroke_each(), steps=2)
    digits = load_pictures("digits", "train", 16, False)
    pictures = Pictures("digits", digits.images[:6].copy(), digits.labels[:6].copy())
    task = dataclasses.replace(task, pictures=pictures)
    found = paint(task, GreedySearch(task, 6, 1), 6, 1)
    curves = quadratic(*(FORM.place_of(np.array(cells)) for cells in zip(*itertools.product(range(16), repeat=3), strict=True)))
    every = [(Stroke(tuple(map(tuple, curve)), radius, (1, 1), (0, 0, 0)),) for radius in FORM.radii for curve in curves.tolist()]
    images = paint_programs(every, 16, colour=False) / 255  # type: ignore[arg-type]
    assert found.target is not None
    for target, distance in zip(found.target / 255, found.distance, strict=True):
        best = min(100 * np.square(images - target).mean((1, 2, 3)).min(), 100 * np.square(1 - target).mean())
        assert best - 1e-3 <= distance <= best * 1.1


@pytest.mark.parametrize("name", ["redraw-digits", "parse-digits", "redraw-views"])
def test_no_stroke_is_a_loss(name):
    task = make_painting(name, {"side": 32, "grid": 8, "steps": 8, "split": "heldout"})
    rewards = []
    search = GreedySearch(task, 4, 1)

    def act(batch):
        rewards.append(batch.outcome.reward.copy())
        return search(batch)

    found = paint(task, act, 4, 1)
    total = np.cumsum(rewards, 0)
    assert found.target is not None
    if not task.action.compound:
        assert (np.diff(total, axis=0) >= -1e-5).all()
    blank = 100 * np.square(1 - found.target / 255).mean((1, 2, 3))
    assert (found.distance < 0.6 * blank).all()


def test_the_same_seed_gives_the_same_paintings():
    task = make_painting("redraw-digits")
    first, second = (paint(task, GreedySearch(task, 3, 4), 3, 2).canvas for _ in range(2))
    np.testing.assert_array_equal(first, second)
