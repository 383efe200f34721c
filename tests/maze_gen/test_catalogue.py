"""The mazes of the paper's tasks have the paper's sizes, fruit and lengths of path."""

from pathlib import Path

import numpy as np
import pytest

from maze_gen.catalogue import CATALOGUE, I_MAZE_LANDMARKS, catalogue_maze
from maze_gen.errors import InputError
from maze_gen.generator import GeneratorConfig, generate
from maze_gen.maze import FIRST_LANDMARK_FACE, Maze
from maze_gen.paths import connected, distances, mean_spawn_to_goal
from maze_gen.text import load_maze, read_maze, write_maze

RELEASED = Path(__file__).parents[2].parent / "shared" / "reference" / "lab_mazes"
SIZES = {"small": (5, 10), "large": (9, 15), "huge": (13, 20)}


@pytest.mark.parametrize(
    ("name", "apples", "mean", "seed"),
    [
        ("static-small", 5, 20.4, 813),
        ("static-large", 13, 35.0, 1061),
        ("static-huge", 26, 23.1, 136),
        ("random-goal-small", 0, 14.3, 177),
        ("random-goal-large", 0, 19.7, 1),
        ("random-goal-huge", 0, 32.4, 43),
    ],
)
def test_sizes_fruit_and_paths_are_the_papers(name, apples, mean, seed):
    maze = catalogue_maze(name)
    kind, _, size = name.rpartition("-")
    goals = 1 if kind == "static" else 0
    assert maze.open.shape == SIZES[size]
    assert maze.open.all()
    assert connected(maze)
    assert (len(maze.apples), len(maze.strawberries), len(maze.goals), len(maze.spawns)) == (apples, 0, goals, 0)
    assert mean_spawn_to_goal(maze) == pytest.approx(mean, rel=0.01)
    assert maze == generate(GeneratorConfig(*SIZES[size], apples=apples, goals=goals), seed)


@pytest.mark.parametrize(
    ("name", "size", "apples", "mean"),
    [
        ("lab-static-01", "small", 5, 20.4),
        ("lab-static-02", "large", 13, 35.0),
        ("lab-static-03", "huge", 26, 23.1),
        ("lab-random-goal-01", "small", 0, 14.3),
        ("lab-random-goal-02", "large", 0, 19.7),
        ("lab-random-goal-03", "huge", 0, 32.4),
    ],
)
def test_layouts_of_deepmind_labs_levels_are_the_papers_mazes(name, size, apples, mean):
    maze = catalogue_maze(name)
    assert maze.open.shape == SIZES[size]
    assert (len(maze.apples), len(maze.goals)) == (apples, int("static" in name))
    assert mean_spawn_to_goal(maze) == pytest.approx(mean, abs=0.05)
    assert maze.layout_digest != catalogue_maze(name.removeprefix("lab-")[:-2] + size).layout_digest
    recorded = RELEASED / f"{name.removeprefix('lab-').replace('-', '_')}.txt"
    if not recorded.exists():
        pytest.skip(f"there is no {recorded}")
    assert maze == load_maze(recorded, "thin")


def test_every_maze_has_its_text():
    for name, geometry in CATALOGUE.items():
        maze = catalogue_maze(name)
        read = read_maze(write_maze(maze), geometry)
        assert write_maze(read) == write_maze(maze)
        assert (read == maze) == (name != "i-maze")


def quarters(values: np.ndarray) -> list[np.ndarray]:
    """The four quarters of the map, mirrored so that they lie on the first one."""
    return [values, values[:, ::-1], values[::-1], values[::-1, ::-1]]


def test_the_i_maze_is_an_i_with_four_arms():
    maze = catalogue_maze("i-maze")
    assert int(maze.open.sum()) == 77
    assert connected(maze)
    for quarter in quarters(maze.open):
        np.testing.assert_array_equal(quarter, maze.open)
    assert len(maze.goals) == 4
    assert {(row, maze.cols - 1 - col) for row, col in maze.goals} == set(maze.goals)
    assert {(maze.rows - 1 - row, col) for row, col in maze.goals} == set(maze.goals)
    corridor = {(row, col) for row in range(4, 9) for col in range(4, 7)}
    assert {*maze.spawns, *maze.apples} < corridor
    assert len(maze.apples) == 5
    assert {int(distances(maze, goal)[spawn]) for goal in maze.goals for spawn in maze.spawns} == {6, 8}


def test_no_goal_of_the_i_maze_is_seen_from_the_corridor():
    """Lines from every point of a fine grid over the corridor to the goals' middles cross a solid cell."""
    maze = catalogue_maze("i-maze")
    for row in np.arange(4.05, 9, 0.1):
        for col in np.arange(4.05, 7, 0.1):
            for goal_row, goal_col in maze.goals:
                line = np.linspace(0, 1, 200)
                rows = (row + line * (goal_row + 0.5 - row)).astype(int)
                cols = (col + line * (goal_col + 0.5 - col)).astype(int)
                assert not maze.open[rows, cols].all()


def test_the_arms_of_the_i_maze_look_nearly_alike():
    maze = catalogue_maze("i-maze")
    faces = maze.decoration.faces
    shown = faces[faces >= FIRST_LANDMARK_FACE]
    assert len(shown) == len(set(shown.tolist())) == I_MAZE_LANDMARKS
    east, north, west, south = range(4)
    without = np.where(faces >= FIRST_LANDMARK_FACE, 0, faces)
    for mirrored in (without[:, ::-1][..., [west, north, east, south]], without[::-1][..., [east, south, west, north]]):
        both = (without > 0) & (mirrored > 0)
        assert both.sum() > 0.8 * maze.walls.sum()
        np.testing.assert_array_equal(without[both], mirrored[both])
    assert len(set(without[without > 0].tolist())) > 1


def test_a_maze_is_made_once_and_unknown_names_are_told():
    assert catalogue_maze("static-small") is catalogue_maze("static-small")
    assert isinstance(catalogue_maze("static-small"), Maze)
    with pytest.raises(InputError, match=r"'static-tiny'.*static-large, static-small"):
        catalogue_maze("static-tiny")
