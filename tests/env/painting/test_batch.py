"""Batches of canvases: rules, rewards, determinism, states; against paintings made stroke by stroke."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest

from env.backends import make_batch
from env.painting.action import MOVE, PAINT, PAPER_FORM, ActionForm
from env.painting.batch import PaintingBatch
from env.painting.registry import PAINTING_TASKS, make_painting
from env.painting.strokes import length, spline
from env.painting.task import PaintingTask
from maze_gen.errors import InputError
from tests.env.painting.conftest import needs_mypaint, random_actions

REDRAW, DOODLE, PARSE = make_painting("redraw-digits"), make_painting("doodle-digits"), make_painting("parse-digits")
EVERY = frozenset(REDRAW.spec().observations)


def open_batch(task: PaintingTask, rows: int = 1, threads: int = 1) -> PaintingBatch:
    batch = make_batch(task, rows, threads=threads)
    assert isinstance(batch, PaintingBatch)
    return batch


def play(batch: PaintingBatch, actions: np.ndarray, seed: int = 3) -> list[dict[str, np.ndarray]]:
    """What is observed and rewarded; rows start anew when their episodes end."""
    seen = []
    batch.reset(seed)
    for action in actions:
        batch.step(action)
        outcome = batch.outcome
        seen.append(
            {name: array.copy() for name, array in {**batch.observation, **batch.privileged, "reward": outcome.reward}.items()}
        )
        batch.reset_rows(outcome.terminated)
        seen.append({name: array.copy() for name, array in batch.observation.items()})
    return seen


def assert_equal(left: list[dict[str, np.ndarray]], right: list[dict[str, np.ndarray]], rows: slice = slice(None)) -> None:
    for one, other in zip(left, right, strict=True):
        for name, array in one.items():
            np.testing.assert_array_equal(array[rows], other[name], err_msg=name)


@pytest.mark.parametrize("task", [REDRAW, PARSE], ids=lambda task: task.name)
def test_a_row_depends_on_its_own_actions_alone(task):
    actions = random_actions(task.action.spec.sizes, 25, 7)
    together = play(open_batch(task, 7), actions)
    assert_equal(together, play(open_batch(task, 7, threads=3), actions))
    assert_equal(together, play(open_batch(task, 3), actions[:, :3]), slice(3))
    alone = open_batch(task)
    alone.reset(3, [5])
    for step, action in enumerate(actions[:, 5:6]):
        alone.step(action)
        np.testing.assert_array_equal(alone.observation["canvas"][0], together[2 * step]["canvas"][5])
        assert alone.outcome.reward[0] == together[2 * step]["reward"][5]
        alone.reset_rows(alone.outcome.terminated)


def test_the_first_action_is_a_move_and_moves_leave_no_ink():
    batch = open_batch(DOODLE, 2)
    batch.reset(0)
    batch.step([[PAINT, 17, 99, 2, 3], [MOVE, 17, 5, 1, 2]])
    assert (batch.observation["canvas"] == 255).all()
    assert batch.observation["effect"].tolist() == [[0, 1, 0, 0, 0]] * 2
    np.testing.assert_array_equal(batch.observation["pen"][0], np.array([1.5 / 16, 1.5 / 16, 0], np.float32))
    batch.step([[PAINT, 200, 99, 2, 3], [MOVE, 200, 99, 2, 3]])
    assert [(row < 255).any() for row in batch.observation["canvas"]] == [True, False]
    assert batch.observation["effect"].tolist() == [[1] * 5, [1, 1, 0, 0, 0]]
    assert batch.outcome.statistics["strokes"].tolist() == [1, 0]
    assert batch.outcome.statistics["moves"].tolist() == [0, 1]


def test_what_a_move_leaves_without_effect_changes_nothing():
    actions = random_actions(REDRAW.action.spec.sizes, 16, 8, seed=5)
    other = actions.copy()
    idle = (actions[..., 0] == MOVE) | (np.arange(16) % 8 == 0)[:, None]
    other[..., 2:][idle] = random_actions(REDRAW.action.spec.sizes, 16, 8, seed=6)[..., 2:][idle]
    assert (other != actions).any()
    assert_equal(play(open_batch(REDRAW, 8), actions), play(open_batch(REDRAW, 8), other))


def test_strokes_go_on_where_the_pen_is_with_the_pressure_that_it_had():
    batch = open_batch(DOODLE)
    batch.reset(0)
    for action in ([MOVE, 0, 0, 0, 0], [PAINT, 255, 240, 1, 1], [PAINT, 16, 7, 2, 3], [MOVE, 3, 0, 0, 0], [PAINT, 9, 9, 0, 2]):
        start = batch.observation["pen"][0, :2].copy()
        batch.step([action])
        if action[0] == PAINT:
            np.testing.assert_array_equal(batch.privileged["points"][0, 0], start)
    corners = [DOODLE.action.place_of(np.array(cell)).tolist() for cell in (0, 255)]
    assert corners == [[1 / 32, 1 / 32], [31 / 32, 31 / 32]]
    batch.reset(0)
    pressures = []
    for action in ([MOVE, 0, 0, 0, 0], [PAINT, 255, 240, 1, 1], [PAINT, 16, 7, 2, 3], [MOVE, 3, 0, 0, 0], [PAINT, 9, 9, 0, 2]):
        batch.step([action])
        pressures.append(batch.privileged["stroke_pressure"][0].tolist() if batch.privileged["pieces"][0] else None)
    assert pressures == [None, [0.5, 0.5], [0.5, 1.0], None, [0.75, 0.75]]


def test_rewards_are_falls_of_the_distance():
    batch = open_batch(REDRAW, 6)
    batch.reset(1)
    blank = batch.privileged["distance"].copy()
    total = np.zeros(6)
    for action in random_actions(REDRAW.action.spec.sizes, 8, 6):
        batch.step(action)
        total += batch.outcome.reward
        difference = batch.observation["canvas"].astype(np.float64) - batch.observation["target"]
        np.testing.assert_allclose(
            batch.privileged["distance"], 100 * (difference / 255).reshape(6, -1).__pow__(2).mean(1), rtol=1e-6
        )
    np.testing.assert_allclose(total, blank - batch.privileged["distance"], atol=1e-4)
    assert batch.outcome.terminated.all()
    assert not batch.outcome.truncated.any()
    digits = REDRAW.pictures
    np.testing.assert_array_equal(batch.observation["target"], digits.images[batch.privileged["picture"]])
    np.testing.assert_array_equal(batch.privileged["label"], digits.labels[batch.privileged["picture"]])


def test_doodles_are_not_rewarded():
    seen = play(open_batch(DOODLE, 3), random_actions(DOODLE.action.spec.sizes, 9, 3))
    assert all((step["reward"] == 0).all() for step in seen[::2])


def test_compound_strokes_are_laid_where_they_end():
    batch = open_batch(PARSE)
    batch.reset(2)
    places = [20, 40, 100, 130]
    for index, place in enumerate(places):
        assert (batch.observation["canvas"] == 255).all()
        batch.step([[int(index == 3), place, 1 if index == 0 else 2, 3 if index == 0 else 0]])
    points = PARSE.action.place_of(np.array(places))
    expected = spline(points[None], np.array([4]))
    np.testing.assert_array_equal(batch.privileged["points"][0, :10], expected[0])
    assert batch.privileged["pieces"][0] == 3
    assert batch.privileged["stroke_radius"][0] == np.float32(PARSE.action.radii[1])
    assert batch.privileged["stroke_pressure"][0].tolist() == [1, 1]
    laid = length(batch.privileged["points"], batch.privileged["pieces"])[0] * PARSE.length_penalty
    batch.step([[0, 7, 0, 0]])
    assert batch.outcome.reward[0] == pytest.approx(-PARSE.stroke_penalty)
    assert laid > 0


def test_what_a_stroke_costs():
    free, dear = replace(PARSE, stroke_penalty=0, length_penalty=0), replace(PARSE, stroke_penalty=0.5, length_penalty=2)
    actions = random_actions(PARSE.action.spec.sizes, 16, 5)
    left, right = play(open_batch(free, 5), actions)[::2], play(open_batch(dear, 5), actions)[::2]
    for one, other in zip(left, right, strict=True):
        spent = length(one["points"], one["pieces"]) * 2
        begun = one["reward"] - other["reward"] - spent
        assert set(np.round(begun, 4).tolist()) <= {0.0, 0.5}


def test_the_last_step_ends_a_compound_stroke():
    batch = open_batch(replace(PARSE, steps=3))
    batch.reset(0)
    for place in (5, 90, 200):
        batch.step([[0, place, 0, 3]])
    assert batch.privileged["pieces"][0] == 2
    assert (batch.observation["canvas"] < 255).any()


def test_noise_is_about_normal_and_differs_between_episodes():
    batch = open_batch(DOODLE, 1000)
    first = batch.reset(5)["noise"].copy()
    assert abs(first.mean()) < 0.05
    assert abs(first.std() - 1) < 0.05
    assert abs((np.abs(first) < 1).mean() - 0.683) < 0.02
    batch.step(random_actions(DOODLE.action.spec.sizes, 1, 1000)[0])
    np.testing.assert_array_equal(batch.observation["noise"], first)
    second = batch.reset_rows(np.ones(1000, np.bool_))["noise"]
    assert not (second == first).all(1).any()
    assert np.array_equal(batch.reset(5)["noise"], first)


@pytest.mark.parametrize("task", [REDRAW, PARSE], ids=lambda task: task.name)
def test_a_copy_goes_on_by_itself(task):
    batch = open_batch(task, 4)
    batch.reset(3)
    actions = random_actions(task.action.spec.sizes, 20, 4)
    for action in actions[:5]:
        batch.step(action)
    copies = [copy.deepcopy(batch), pickle.loads(pickle.dumps(batch)), open_batch(task, 4)]
    copies[2].restore_state(batch.state_arrays() or {})
    for action in actions[5:]:
        for one in (batch, *copies):
            one.step(action)
        for one in copies:
            for name, array in {**batch.observation, **batch.privileged, "reward": batch.outcome.reward}.items():
                found = {**one.observation, **one.privileged, "reward": one.outcome.reward}[name]
                np.testing.assert_array_equal(found, array, err_msg=name)
        for one in (batch, *copies):
            one.reset_rows(one.outcome.terminated)


def test_states_that_cannot_be():
    batch = open_batch(REDRAW, 2)
    batch.reset(0)
    good = batch.state_arrays() or {}
    for name, value, message in (
        ("time", np.array([0, 99]), r"time\[1\] is 99"),
        ("picture", np.array([0, 10**6], np.int32), r"picture\[1\]"),
        ("noise", np.full((2, 10), np.nan, np.float32), "finite"),
        ("canvas", np.zeros((2, 8, 8, 1), np.uint8), "'canvas' has shape"),
        ("playing", np.array([True, False]), r"playing\[1\] is False after 0 of"),
        ("pen_place", np.full((2, 2), 1e30, np.float32), r"pen_place\[0, 0\] is 1.*, expected 0 to 1"),
        ("pen_pressure", np.array([-1, 0], np.float32), r"pen_pressure\[0\] is -1"),
        ("path_points", np.array([0, REDRAW.steps]), rf"path_points\[1\] is {REDRAW.steps}"),
    ):
        with pytest.raises(InputError, match=message):
            batch.restore_state(good | {name: value})
    with pytest.raises(InputError, match="'noise' is missing"):
        batch.restore_state({name: array for name, array in good.items() if name != "noise"})


def test_bad_input_is_named():
    batch = open_batch(DOODLE, 2)
    with pytest.raises(InputError, match="step before reset"):
        batch.step(np.zeros((2, 5), np.int64))
    batch.reset(0)
    with pytest.raises(InputError, match=r"shape \(2,\)"):
        batch.step([0, 1])
    with pytest.raises(InputError, match=r"row 1: control 256 is out of range, expected \[0, 256\)"):
        batch.step([[0, 0, 0, 0, 0], [1, 0, 256, 0, 0]])
    for _ in range(8):
        batch.step(np.zeros((2, 5), np.int64))
    with pytest.raises(InputError, match="row 0: its episode has ended"):
        batch.step(np.zeros((2, 5), np.int64))
    batch.step(np.full((2, 5), 10**6), hold_ended=True)
    batch.close()
    with pytest.raises(InputError, match="after close"):
        batch.reset(0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 1}, "steps 1"),
        ({"brush": "crayon"}, "brush 'crayon'"),
        ({"hardness": float("nan")}, "hardness nan"),
        ({"goal": "trace"}, "goal 'trace'"),
        ({"action": ActionForm(colours=3)}, "have 1 channels and the brush 3"),
        ({"stroke_penalty": -1}, "stroke_penalty -1"),
    ],
)
def test_rules_that_make_no_sense(changes, message):
    with pytest.raises(InputError, match=message):
        replace(REDRAW, **changes)


@pytest.mark.parametrize("changes", [{"grid": 1}, {"radii": ()}, {"radii": (0.6,)}, {"pressures": (0.0,)}, {"colours": 1}])
def test_actions_that_make_no_sense(changes):
    with pytest.raises(InputError, match=next(iter(changes))):
        ActionForm(**changes)


def test_published_actions():
    assert PAPER_FORM.spec.sizes == (2, 1024, 1024, 6, 10, 20, 20, 20)
    assert ActionForm().spec.sizes == (2, 256, 256, 3, 4)
    assert set(PAINTING_TASKS) >= {
        "doodle-digits",
        "redraw-digits",
        "parse-digits",
        "doodle-views",
        "redraw-views",
        "parse-characters",
    }
    assert make_painting("redraw-views", {"preset": "paper"}).action.spec.sizes == PAPER_FORM.spec.sizes


@needs_mypaint
def test_libmypaint_paints_the_same_episodes():
    task = replace(REDRAW, brush="mypaint:classic/charcoal", scale=2)
    actions = random_actions(task.action.spec.sizes, 18, 4)
    first = play(open_batch(task, 4), actions)
    assert_equal(first, play(open_batch(task, 4, threads=2), actions))
    assert_equal(first, play(open_batch(task, 2), actions[:, :2]), slice(2))
    batch = open_batch(task, 4)
    batch.reset(0)
    assert batch.state_arrays() is None
    with pytest.raises(InputError, match="cannot be copied"):
        batch.clone()
