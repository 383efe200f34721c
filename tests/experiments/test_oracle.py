"""The oracle finds every goal, as fast as the rules of motion allow, and its fields agree with paths counted in cells."""

import numpy as np
import pytest

from env.engine import oracle
from env.registry import make_task
from experiments.analysis.playback import Playback
from experiments.analysis.recorder import record
from experiments.analysis.trips import trips_of
from experiments.policies import OraclePlayer, RandomPlayer
from maze_gen.maze import Maze
from maze_gen.paths import distances
from maze_gen.text import read_maze

CORRIDOR = """
*********************
*                  G*
*********************
""".strip()


def test_field_of_a_corridor_is_the_straight_way() -> None:
    maze = read_maze(CORRIDOR, "thin")
    field = oracle.field(maze, 9)
    # Touched from 50 units before the goal's middle at 950 on; node k lies at 5 + 10 k.
    middle = field[oracle.NODES // 2]
    expected = np.maximum(905 - (5 + 10 * np.arange(90)), 0)
    np.testing.assert_allclose(middle[2:90], expected[2:90], atol=1e-3)


@pytest.mark.parametrize("number", range(4))
def test_field_lies_between_straight_line_and_path_in_cells(number: int) -> None:
    maze = make_task("procedural-small", split="heldout", mazes=4).mazes[number]
    goal = (2, 3)
    field = oracle.field(maze, goal[0] * maze.cols + goal[1])[::-1]
    cells = distances(maze, goal)
    for (row, col), steps in np.ndenumerate(cells):
        middle = field[row * 10 + 4 : row * 10 + 6, col * 10 + 4 : col * 10 + 6].mean()
        x, y = maze.center((row, col))
        goal_x, goal_y = maze.center(goal)
        straight = np.hypot(x - goal_x, y - goal_y)
        assert straight - 62 <= middle <= 100 * steps + 10, (row, col)


def test_no_way_through_walls() -> None:
    """Two corridors with a wall between them and no gap: the field ends at the wall."""
    maze = read_maze("*******\n*     *\n*******\n*    G*\n*******", "thin")
    field = oracle.field(maze, 5)
    assert (field[10:] == oracle.FAR).all()
    assert field[5, 5] == pytest.approx(145, abs=10)


@pytest.mark.parametrize("name", ["static-small", "random-goal-small", "i-maze"])
def test_every_episode_has_goals(name: str) -> None:
    found = record(Playback(make_task(name), 25), OraclePlayer)
    assert found.goals.any(axis=1).all()


def test_it_is_never_lost_on_mazes_it_has_not_seen() -> None:
    """Every trip with time enough for it ends at the goal: 0.5 s a cell is 200 units/s, slower than any straight walk."""
    found = record(Playback(make_task("procedural-small", split="heldout", mazes=50), 50), OraclePlayer)
    trips = trips_of(found)
    enough = (trips.end - trips.start) * found.step_seconds > 0.5 * trips.shortest + 1.5
    assert trips.reached[enough].all()
    assert enough.sum() < trips.reached.sum()


def test_it_walks_at_full_speed_on_the_shortest_path() -> None:
    found = record(Playback(make_task("static-small"), 25), OraclePlayer)
    trips = trips_of(found)
    done = trips.reached
    assert (trips.taken[done] <= trips.shortest[done] + 0.6).mean() > 0.97
    seconds = (trips.end - trips.start + 1)[done] * found.step_seconds
    # 320 units/s is the fastest straight walk; sliding along walls is faster, turning and starting cost time.
    assert 100 * trips.shortest[done].sum() / seconds.sum() > 300


def test_it_beats_a_random_policy_by_far() -> None:
    task = make_task("static-small")
    oracle_return = record(Playback(task, 25), OraclePlayer).returns.mean()
    random_return = record(Playback(task, 25), RandomPlayer).returns.mean()
    assert oracle_return > 90
    assert random_return < 12


def test_solid_cells_are_walls_in_block_mazes() -> None:
    maze: Maze = make_task("i-maze").mazes[0]
    goal = maze.goals[0]
    field = oracle.field(maze, goal[0] * maze.cols + goal[1])[::-1]
    for row, col in np.argwhere(~maze.open).tolist():
        assert (field[row * 10 + 2 : row * 10 + 8, col * 10 + 2 : col * 10 + 8] == oracle.FAR).all()
