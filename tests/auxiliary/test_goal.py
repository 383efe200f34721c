"""The goal's losses and labels against slow versions in NumPy, and errors in them that the comparison must notice."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from auxiliary import goal, loop_closure
from auxiliary.loss import HeadContext
from tests.agents.worlds import counting_task
from tests.auxiliary import reference
from tests.auxiliary.checks import CONTEXT, RANDOM, F, compare, random_path
from tests.mutants import Mutant, assert_caught, by_name

ROWS, COLS = 3, 4


def linear(w, x):
    return reference.linear(w, "output", x)


def masked(w, features, target, classes, head=reference.head):
    """Losses and correctness of the steps with a target, over the scores `classes` (a slice) of the head."""
    losses, right = [], []
    for x, label in zip(features, target, strict=True):
        if label >= 0:
            scores = head(w, x)[classes]
            losses.append(reference.cross_entropy(scores, label))
            right.append(np.argmax(scores) == label)
    return float(np.sum(losses)) / len(target), float(np.mean(right))


def goal_cell(w, features, target):
    loss, accuracy = masked(w, features, target, slice(None))
    return loss, {"accuracy": accuracy, "known rate": float(np.mean(target >= 0))}


def goal_direction(w, features, target, head=reference.head):
    direction, right_direction = masked(w, features, target[:, 0], slice(12), head)
    distance, right_distance = masked(w, features, target[:, 1], slice(12, None), head)
    known = float(np.mean(target[:, 0] >= 0))
    metrics = {"direction accuracy": right_direction, "distance accuracy": right_distance, "known rate": known}
    return (direction + distance) / 2, metrics


def goal_path(w, features, target):
    return goal_direction(w, features, target, linear)


def check_cell_loss(module):
    compare(module.GoalCellLoss(CONTEXT), goal_cell, 9, np.array([-1, 0, 1, 2, -1, 4, 3, 3, -1]))


def check_direction_loss(module):
    target = np.array([[-1, -1], [0, 1], [11, 4], [5, 0], [-1, -1], [7, 2], [3, 3]])
    compare(module.GoalDirectionLoss(CONTEXT), goal_direction, 7, target)


def check_path_loss(module):
    target = np.array([[-1, -1], [0, 1], [11, 5], [5, 0], [-1, -1], [7, 2], [3, 3]])
    compare(module.GoalPathLoss(CONTEXT), goal_path, 7, target)


def episodes(steps, num_envs):
    """Positions, headings, goals reached, starts, goal's cell, next cell and path's length at random; [steps, num_envs, ...]."""
    random = RANDOM(11)
    starts = random.random((steps, num_envs)) < 0.06
    starts[0] = True
    cell = np.zeros((steps, num_envs), np.int32)
    for t in range(steps):
        drawn = random.integers(ROWS * COLS, size=num_envs)
        cell[t] = np.where(starts[t], drawn, cell[t - 1])
    return SimpleNamespace(
        position=(random.random((steps, num_envs, 2)) * [COLS * 100, ROWS * 100]).astype(np.float32),
        heading=(random.random((steps, num_envs)) * 360).astype(np.float32),
        # A goal may also be reached in the last step of an episode, whose observation is the next one's first.
        goals=(random.random((steps, num_envs)) < 0.05).astype(np.int32),
        starts=starts,
        cell=cell,
        following=np.where(random.random(cell.shape) < 0.1, -1, random.integers(ROWS * COLS, size=cell.shape)).astype(np.int32),
        length=random.integers(0, 15, size=cell.shape).astype(np.int32),
    )


def recorded(recorder, played):
    made = []
    for t in range(len(played.starts)):
        worlds = SimpleNamespace(
            privileged={
                "goal_cell": torch.from_numpy(played.cell[t]),
                "position": torch.from_numpy(played.position[t]),
                "heading": torch.from_numpy(played.heading[t]),
                "next_cell": torch.from_numpy(played.following[t]),
                "goal_distance": torch.from_numpy(played.length[t]),
            },
            statistics={"goals": torch.from_numpy(played.goals[t])},
        )
        out = torch.zeros(played.starts.shape[1], *recorder.shape, dtype=recorder.dtype)
        recorder.record(worlds, torch.from_numpy(played.starts[t]), out)
        made.append(out.numpy())
    return np.array(made)


def was_reached(played, t, row):
    """Whether the goal was reached between the start of the present episode and step t."""
    start = max(s for s in range(t + 1) if played.starts[s, row])
    return any(played.goals[s, row] for s in range(start + 1, t + 1))


def seen_from(position, heading, cell):
    """Classes of direction and distance of a cell's centre, by an arc cosine and the sign of a cross product."""
    row, col = divmod(int(cell), COLS)
    return seen_from_point(col * 100 + 50 - position[0], (ROWS - 1 - row) * 100 + 50 - position[1], heading)


def seen_from_maze(maze, position, heading, cell):
    """Class of the direction of a cell's centre in a maze."""
    x, y = maze.center(cell)
    return seen_from_point(float(x - position[0]), float(y - position[1]), heading)[0]


def seen_from_point(x, y, heading):
    distance = math.sqrt(x * x + y * y)
    ahead = np.array([math.cos(math.radians(heading)), math.sin(math.radians(heading))])
    angle = math.degrees(math.acos(np.clip((x * ahead[0] + y * ahead[1]) / distance, -1, 1)))
    left = angle if ahead[0] * y - ahead[1] * x >= 0 else -angle
    sector = min(range(12), key=lambda k: abs((left - 30 * k + 180) % 360 - 180))
    return sector, sum(distance >= edge for edge in (100, 200, 350, 550))


def check_cell_labels(module):
    played = episodes(150, 3)
    made = recorded(module.GoalCellRecorder(3), played)
    for t in range(150):
        for row in range(3):
            assert made[t, row] == (played.cell[t, row] if was_reached(played, t, row) else -1)
    assert 0.2 < (made >= 0).mean() < 0.8


def check_direction_labels(module):
    played = episodes(150, 3)
    made = recorded(module.GoalDirectionRecorder(3, ROWS, COLS), played)
    for t in range(150):
        for row in range(3):
            expected = (-1, -1)
            if was_reached(played, t, row):
                expected = seen_from(played.position[t, row].astype(np.float64), played.heading[t, row], played.cell[t, row])
            assert tuple(made[t, row]) == expected
    assert len(np.unique(made[..., 0])) == 13
    assert len(np.unique(made[..., 1])) >= 4


def check_path_labels(module):
    played = episodes(150, 3)
    made = recorded(module.GoalPathRecorder(3, ROWS, COLS), played)
    for t in range(150):
        for row in range(3):
            expected = (-1, -1)
            following = played.following[t, row]
            if was_reached(played, t, row) and following >= 0:
                position, heading = played.position[t, row].astype(np.float64), played.heading[t, row]
                length = sum(played.length[t, row] >= edge for edge in (1, 2, 4, 7, 11))
                expected = (seen_from(position, heading, following)[0], length)
            assert tuple(made[t, row]) == expected
    assert len(np.unique(made[..., 0])) == 13
    assert len(np.unique(made[..., 1])) == 7


def check_trip_labels(module):
    """Row 0 walks an episode, row 1 is put elsewhere at step 70: its labels are those of two paths."""
    steps, second = 150, 70
    path = random_path(RANDOM(7), steps)
    for masked in (False, True):
        head = module.LoopClosureLoss(HeadContext(counting_task().spec(), F, F, loop_closure_labels="trip"))
        head.episode_steps = steps
        recorder = head.recorder(2, masked=masked)
        made = []
        for t in range(steps):
            worlds = SimpleNamespace(
                privileged={"position": torch.from_numpy(np.stack((path[t], path[t])))},
                statistics={"respawns": torch.tensor([0, int(t == second)])},
            )
            out = torch.zeros(2, dtype=torch.uint8)
            recorder.record(worlds, torch.tensor([t == 0, t == 0]), out)
            made.append(out.tolist())
        rows = np.array(made).T.tolist()
        assert rows[0] == reference.loop_labels(path)
        assert rows[1] == reference.loop_labels(path[:second]) + reference.loop_labels(path[second:])
        assert rows[0] != rows[1]


CHECKS = {
    "cell loss": (goal, check_cell_loss),
    "direction loss": (goal, check_direction_loss),
    "cell labels": (goal, check_cell_labels),
    "direction labels": (goal, check_direction_labels),
    "path loss": (goal, check_path_loss),
    "path labels": (goal, check_path_labels),
    "trip labels": (loop_closure, check_trip_labels),
}


@pytest.mark.parametrize("name", CHECKS)
def test_it_is_the_formulas(name):
    module, check = CHECKS[name]
    check(module)


TABLE = {
    "cell loss": (
        ("a mean over known steps", "total / len(target)", "total / known.clamp(min=1)"),
        ("steps without a target count", "(target != UNKNOWN).sum()", "(target != 99).sum()"),
        ("the accuracy counts the least likely", "logits.argmax(1)", "logits.argmin(1)"),
    ),
    "direction loss": (
        ("a sum of both", "(direction_loss + distance_loss) / 2", "direction_loss + distance_loss"),
        ("the distance's target is the direction's", "target[:, 1])", "target[:, 0] % DISTANCES)"),
        ("metrics are confused", 'ratio(sums["right_direction"],', 'ratio(sums["right_distance"],'),
    ),
    "cell labels": (
        ("episodes are one", "self.rows &= ~starts", "self.rows &= True | starts"),
        ("known from the start", "out.masked_fill_(~self.reached.update(worlds, starts), UNKNOWN)", "starts.any()"),
        ("the last step of an episode reaches the next goal", "self.rows &= ~starts", "self.rows &= ~starts | self.rows"),
        ("only when it is reached", "self.rows |= ", "self.rows[:] = "),
    ),
    "direction labels": (
        ("to the right", "/ width).long().remainder(SECTORS)", "/ width).long().neg().remainder(SECTORS)"),
        ("absolute", "torch.rad2deg(torch.atan2(up, right)) - heading", "torch.rad2deg(torch.atan2(up, right))"),
        ("sectors begin at their middle", "left_of_view + width / 2", "left_of_view"),
        (
            "rows count from the bottom",
            'rows - 0.5 - torch.div(cell, cols, rounding_mode="floor")',
            "cell // cols",
        ),
        ("along one axis", "torch.hypot(right, up)", "right.abs()"),
    ),
    "path labels": (
        ("towards the goal itself", 'offset_to(facts["next_cell"]', 'offset_to(facts["goal_cell"]'),
        ("edges of the straight distance", "torch.tensor(PATH_EDGES", "torch.tensor(DISTANCE_EDGES"),
        ("no path is a path", ' & (facts["next_cell"] >= 0)', ""),
    ),
    "trip labels": (
        ("respawns are ignored", 'starts | (worlds.statistics["respawns"] > 0)', "starts"),
        ("both kinds are episodes", '== "trip"', '== "trips"'),
    ),
}
MUTANTS = by_name(
    [
        Mutant(f"{what}: {name}", CHECKS[what][0], old, new, CHECKS[what][1])
        for what, rows in TABLE.items()
        for name, old, new in rows
    ]
)


@pytest.mark.parametrize("name", MUTANTS)
def test_an_error_is_noticed(name, tmp_path):
    assert_caught(MUTANTS[name], tmp_path)


def test_without_a_known_step_there_is_no_loss_and_no_gradient():
    head = goal.GoalCellLoss(CONTEXT)
    loss, sums = head.loss(torch.randn(4, F), torch.full((4,), goal.UNKNOWN))
    loss.backward()
    assert float(loss.detach()) == 0
    assert all(part.grad is not None and not part.grad.any() for part in head.parameters())
    assert head.metrics({name: float(value) for name, value in sums.items()}) == {"accuracy": 0, "known rate": 0}


@pytest.mark.parametrize(
    "make",
    [
        lambda: goal.GoalCellRecorder(3),
        lambda: goal.GoalDirectionRecorder(3, ROWS, COLS),
        lambda: goal.GoalPathRecorder(3, ROWS, COLS),
    ],
    ids=["cell", "direction", "path"],
)
def test_a_recorder_goes_on_from_its_state(make):
    played = episodes(150, 3)
    whole = recorded(make(), played)
    first, second = make(), make()
    half = 75
    parts = [
        SimpleNamespace(**{name: array[cut] for name, array in vars(played).items()}) for cut in (slice(half), slice(half, None))
    ]
    made = recorded(first, parts[0])
    second.load_state_dict(first.state_dict())
    np.testing.assert_array_equal(np.concatenate((made, recorded(second, parts[1]))), whole)
    # Without the state it would not.
    assert (recorded(make(), parts[1]) != whole[half:]).any()
