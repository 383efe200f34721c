"""The informed baselines see what an agent sees, find every goal, and gain from remembering."""

import math

import numpy as np
import pytest

from env.backends import make_batch
from env.engine import oracle
from env.registry import make_task
from experiments.analysis.metrics import SEARCHER
from experiments.informed import search, sight, steering
from experiments.informed.__main__ import Played, play, table
from experiments.informed.policies import INFORMED, Searcher, WallFollower
from experiments.policies import BASELINES
from maze_gen.paths import distances
from maze_gen.text import read_maze

ROOM = """
*******
* *   *
* *** *
*     *
*******
""".strip()
COMB = """
*******
* * * *
* * * *
*     *
*******
""".strip()
SIDES = ((1, 0), (0, 1), (-1, 0), (0, -1))


def place_of(maze, cell):
    return (maze.rows - 1 - cell // maze.cols) * maze.cols + cell % maze.cols


def marched(maze, x, y, heading):
    """(sides seen, cells whose middle is seen): rays followed in steps of half a unit through the maze."""
    sides, seen = {}, {(int(y // 100)) * maze.cols + int(x // 100)}
    for ray in range(sight.RAYS):
        angle = math.radians(heading) - math.atan(2 * (ray + 0.5) / sight.RAYS - 1)
        dx, dy = math.cos(angle), math.sin(angle)
        along, step, here = 0.0, 0.5, (int(x // 100), int(y // 100))
        while True:
            px, py = x + along * dx, y + along * dy
            now = (int(px // 100), int(py // 100))
            if now[0] != here[0] and now[1] != here[1]:
                # Too far past a corner to see which side came first.
                along, step = along - step, step / 2
                continue
            if now != here:
                side = SIDES.index((now[0] - here[0], now[1] - here[1]))
                row = maze.rows - 1 - here[1]
                closed = bool(maze.walls[row, here[0], side])
                sides[here[1] * maze.cols + here[0], side] = sight.WALL if closed else sight.OPEN
                if closed:
                    break
                here = now
            if math.hypot(px - 100 * here[0] - 50, py - 100 * here[1] - 50) <= sight.NOTICED:
                seen.add(here[1] * maze.cols + here[0])
            step = 0.5 if math.hypot(px % 100 - 50, py % 100 - 50) < 70 else step
            along += step
    return sides, seen


@pytest.mark.parametrize("heading", [3.0, 97.0, 171.0, 250.0])
def test_what_is_seen_is_what_rays_reach(heading):
    maze = make_task("random-goal-small").mazes[0]
    random = np.random.default_rng(int(heading))
    for _ in range(4):
        x, y = 100 * random.integers([maze.cols, maze.rows]) + random.uniform(20, 80, 2)
        known, seen = sight.nothing_known(1, maze.rows * maze.cols)
        walls, first = oracle.walls_of(maze)[None], np.zeros(1, np.int32)
        at, looks = np.array([[x, y]], np.float32), np.array([heading], np.float32)
        sight.look(known, seen, walls, first, (maze.rows, maze.cols), at, looks)
        sides, cells = marched(maze, float(at[0, 0]), float(at[0, 1]), heading)
        both = {}
        for (place, side), state in sides.items():
            both[place * 4 + side] = state
            other = sight.opposite(place, side, maze.rows, maze.cols)
            if other >= 0:
                both[other] = state
        assert {int(k): int(known[0, k]) for k in np.flatnonzero(known[0])} == both
        assert set(np.flatnonzero(seen[0]).tolist()) == cells


def test_nothing_behind_is_seen():
    """In a corridor from the left end, looking right: the whole lower row; looking left: the own cell alone."""
    maze = read_maze(ROOM, "thin")
    walls, first = oracle.walls_of(maze)[None], np.zeros(1, np.int32)
    at = np.array([[50, 50]], np.float32)
    for heading, expected in ((0.0, {0, 1, 2}), (180.0, {0})):
        known, seen = sight.nothing_known(1, 6)
        sight.look(known, seen, walls, first, (2, 3), at, np.array([heading], np.float32))
        assert set(np.flatnonzero(seen[0]).tolist()) == expected


def test_known_paths_are_the_mazes_where_everything_is_known():
    maze = make_task("procedural-small", split="heldout", mazes=1).mazes[0]
    size, cells = (maze.rows, maze.cols), maze.rows * maze.cols
    known = np.where(oracle.walls_of(maze), sight.WALL, sight.OPEN).astype(np.uint8)
    steps, first, last, queue = search.workspace(cells)
    for cell in (0, 17, 49):
        place = place_of(maze, cell)
        search.paths(steps, first, last, queue, known, place, size)
        field = distances(maze, divmod(cell, maze.cols))
        assert [steps[place_of(maze, other)] for other in range(cells)] == field.ravel().tolist()
        for other in range(cells):
            at = place_of(maze, other)
            if at != place:
                # Both ends of the path are one step shorter from the other end.
                beyond = sight.opposite(place, int(first[at]), *size) // 4
                search_from = distances(maze, divmod(other, maze.cols)).flat[place_of(maze, beyond)]
                assert search_from == steps[at] - 1


def chosen(known, seen, place, heading, goal=search.NOWHERE, size=(1, 5)):
    steps, first, last, queue = search.workspace(size[0] * size[1])
    search.paths(steps, first, last, queue, known, place, size)
    found = np.full(2, search.NOWHERE, np.int32)
    search.frontier(found, (steps, first, last), known, seen, goal, heading, size, np.array([1.0, 0.3]))
    return tuple(found.tolist())


def test_the_frontier_that_costs_least_is_chosen():
    """A corridor of five cells, the agent in the middle; what it hasn't seen is at the ends."""
    known = np.full(20, sight.WALL, np.uint8)
    for place in range(5):
        if place < 4:
            known[place * 4] = known[(place + 1) * 4 + 2] = sight.OPEN
    seen = np.array([0, 1, 1, 1, 0], np.uint8)
    assert chosen(known, seen, 2, 0.0) == (4, 0)
    assert chosen(known, seen, 2, 180.0) == (0, 2)
    assert chosen(known, seen, 3, 180.0) == (0, 2)
    # The goal is remembered to lie in the last cell, to which no way is known: rather the frontier beside it.
    known[3 * 4] = known[4 * 4 + 2] = sight.UNKNOWN
    assert chosen(known, seen, 2, 90.0) == (0, 2)
    assert chosen(known, seen, 2, 90.0, goal=4) == (3, 0)
    # Everything is known.
    known[3 * 4] = known[4 * 4 + 2] = sight.WALL
    assert chosen(known, np.ones(5, np.uint8), 2, 0.0) == (search.NOWHERE, -1)


def test_with_no_price_on_looking_it_is_the_oracles_plan():
    task = make_task("random-goal-small")
    maze = task.mazes[0]
    with make_batch(task, 6, observe=("velocity",)) as env:
        env.reset(3)
        for _ in range(40):
            facts = env.privileged
            row, col = np.divmod(facts["goal_cell"], maze.cols)
            goal = np.stack([100 * col + 50, 100 * (maze.rows - row) - 50], 1).astype(np.float32)
            fields = np.stack([oracle.field(maze, int(cell)) for cell in facts["goal_cell"]])
            index = np.arange(6, dtype=np.int32)
            walls = np.stack([oracle.walls_of(maze)] * 6)
            agents = oracle.Agents(index, index, facts["position"], facts["heading"], env.observation["velocity"], goal)
            planned, steered = np.zeros((2, 6), np.int32)
            oracle.plan(planned, walls, fields, agents, task.action_repeat)
            anywhere = steering.Gaze(np.full(6, np.nan, np.float32), np.array([3, 0], np.float32))
            steering.steer(steered, walls, fields, agents, anywhere, task.action_repeat)
            # The oracle never turns in its second action.
            assert (planned == steered).mean() >= 0.5
            env.step(planned.astype(np.int64))


def test_searchers_find_the_goal_in_mazes_they_never_saw_and_gain_from_remembering():
    task = make_task("procedural-small", split="heldout", mazes=50)
    forgetting, remembering = (play(task, INFORMED[name], 16, 0) for name in ("forgetting searcher", SEARCHER))
    best = play(task, BASELINES["oracle"], 16, 0)
    assert (forgetting.goals > 0).all()
    assert forgetting.first == pytest.approx(remembering.first)
    assert remembering.later < 0.6 * forgetting.later
    assert forgetting.returns.mean() + 40 < remembering.returns.mean() < best.returns.mean()
    assert "| 100% |" in table({SEARCHER: remembering, "oracle": best})


def test_a_wall_follower_takes_the_leftmost_open_side():
    """From the middle of the comb's back, looking right: every dead end, from the left on."""
    maze = read_maze(COMB, "thin")
    follower = WallFollower(1)
    follower.size = (2, 3)
    follower._walls, follower._maze = oracle.walls_of(maze)[None], np.zeros(1, np.int32)
    follower.known, follower.seen = sight.nothing_known(1, 6)
    follower._paths = search.workspace(6)
    follower.target, follower._side = np.full(1, search.NOWHERE), np.zeros(1, np.int64)
    follower.to_goal, follower.facing = np.zeros(1, np.bool_), np.zeros(1, np.float32)
    place, visited = 1, []
    for _ in range(8):
        follower._decide(0, place, search.NOWHERE, 0.0)
        place = int(follower.target[0])
        visited.append(place)
    assert visited == [4, 1, 2, 5, 2, 1, 0, 3]


@pytest.mark.parametrize("remembers", [False, True])
def test_a_respawn_forgets_unless_it_remembers(remembers):
    searcher = Searcher(2, remembers)
    searcher.known, searcher.seen = np.ones((2, 8), np.uint8), np.ones((2, 2), np.uint8)
    searcher._frontier = np.zeros((2, 2), np.int32)
    no, one = np.zeros(2, np.bool_), np.array([True, False])
    searcher._begin_trips(no, one, np.zeros(2, np.float32))
    assert searcher.seen.tolist() == ([[1, 1], [1, 1]] if remembers else [[0, 0], [1, 1]])
    searcher._begin_trips(one, no, np.zeros(2, np.float32))
    assert searcher.known[0].tolist() == [0] * 8


def test_in_the_i_maze_memory_is_worth_much_and_the_oracle_can_show_it():
    task = make_task("i-maze")
    forgetting, remembering = (play(task, INFORMED[name], 12, 1) for name in ("forgetting searcher", SEARCHER))
    best = play(task, BASELINES["oracle"], 12, 1)
    assert best.returns.mean() >= 280
    assert best.later <= 2.7
    assert remembering.returns.mean() > forgetting.returns.mean() + 150


def test_times_of_goals():
    played = Played(np.zeros(3), np.array([2, 1, 0]), [[4.0, 7.0], [2.0], []])
    assert (played.first, played.later) == (3.0, 3.0)
    written = played.as_json()
    assert written["first_goal_seconds"] == 3.0
    assert written["returns"] == "0 0 0"
    assert Played(np.zeros(2), np.zeros(2, np.int64), [[], []]).as_json()["later_goal_seconds"] is None
