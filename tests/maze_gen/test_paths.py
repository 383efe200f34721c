"""Shortest paths, against a graph library and against the definition."""

from itertools import pairwise

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maze_gen.errors import InputError
from maze_gen.generator import GeneratorConfig, generate_plain
from maze_gen.maze import STEPS, Maze
from maze_gen.paths import (
    all_distances,
    connected,
    distances,
    goal_cells,
    mean_spawn_to_goal,
    next_sides,
    reachable,
    shortest_path,
    spawn_cells,
)
from maze_gen.text import read_maze

TWO_PARTS = read_maze("*******\n*   * *\n* *** *\n*   * *\n*******\n")
"""Five cells one can walk between, and two more beyond a wall."""

mazes = st.builds(
    lambda rows, cols, loops, geometry, seed: generate_plain(GeneratorConfig(rows, cols, geometry, loops=loops), seed),
    st.integers(2, 7),
    st.integers(1, 7),
    st.floats(0, 0.5),
    st.sampled_from(["thin", "block"]),
    st.integers(0, 10**6),
)


def graph_of(maze: Maze) -> networkx.Graph:
    graph = networkx.Graph()
    for row, col in np.argwhere(maze.open).tolist():
        graph.add_node((row, col))
        for side, (step_row, step_col) in enumerate(STEPS):
            if not maze.walls[row, col, side]:
                graph.add_edge((row, col), (row + step_row, col + step_col))
    return graph


@given(mazes)
@settings(max_examples=30, deadline=None)
def test_distances_are_those_of_the_graph(maze):
    expected = np.full((maze.open.size, maze.open.size), -1)
    for goal, reached in networkx.all_pairs_shortest_path_length(graph_of(maze)):
        for cell, steps in reached.items():
            expected[goal[0] * maze.cols + goal[1], cell[0] * maze.cols + cell[1]] = steps
    found = all_distances(maze)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, expected)


@given(mazes, st.data())
@settings(max_examples=40, deadline=None)
def test_a_shortest_path_walks_through_passages_and_is_as_long_as_the_distance(maze, data):
    cells = [(row, col) for row, col in np.argwhere(maze.open).tolist()]
    start, goal = data.draw(st.sampled_from(cells)), data.draw(st.sampled_from(cells))
    path = shortest_path(maze, start, goal)
    assert (path[0], path[-1]) == (start, goal)
    assert len(path) == distances(maze, goal)[start] + 1
    graph = graph_of(maze)
    assert all(graph.has_edge(here, there) for here, there in pairwise(path))


@given(mazes)
@settings(max_examples=30, deadline=None)
def test_every_next_side_leads_one_step_nearer(maze):
    goal = tuple(np.argwhere(maze.open)[0].tolist())
    field, sides = distances(maze, goal), next_sides(maze, goal)
    assert sides[goal] == -1
    for row, col in np.argwhere(maze.open).tolist():
        if (row, col) != goal:
            side = sides[row, col]
            assert not maze.walls[row, col, side]
            assert field[row + STEPS[side][0], col + STEPS[side][1]] == field[row, col] - 1


def test_what_cannot_be_reached_is_told():
    left = np.array([[True, True, False], [True, True, False]])
    assert not connected(TWO_PARTS)
    np.testing.assert_array_equal(reachable(TWO_PARTS), left)
    np.testing.assert_array_equal(reachable(TWO_PARTS, (0, 2)), ~left)
    assert (distances(TWO_PARTS, (0, 0)) == [[0, 1, -1], [1, 2, -1]]).all()
    assert next_sides(TWO_PARTS, (0, 0))[0, 2] == -1
    with pytest.raises(InputError, match=r"no path from cell \(0, 2\) to cell \(1, 0\)"):
        shortest_path(TWO_PARTS, (0, 2), (1, 0))


def test_cells_that_are_none_are_refused():
    solid = read_maze("****\n* **\n****\n", "block")
    with pytest.raises(InputError, match="outside"):
        distances(TWO_PARTS, (2, 0))
    with pytest.raises(InputError, match="outside"):
        distances(TWO_PARTS, (0, -1))
    with pytest.raises(InputError, match="solid"):
        distances(solid, (1, 2))
    with pytest.raises(InputError, match="start cell"):
        shortest_path(TWO_PARTS, (0, 3), (0, 0))


def test_spawns_and_goals_follow_the_rule():
    corridor = read_maze("*" * 21 + "\n*G     A P   P     P*\n" + "*" * 21 + "\n")
    assert goal_cells(corridor) == ((0, 0),)
    assert spawn_cells(corridor, (0, 0)) == ((0, 6), (0, 9))
    assert spawn_cells(corridor, (0, 0), spawn_distance=4) == ((0, 4), (0, 6), (0, 9))
    free = read_maze("*" * 21 + "\n*        A          *\n" + "*" * 21 + "\n")
    assert goal_cells(free) == tuple((0, col) for col in range(10) if (0, col) not in free.apples)
    assert spawn_cells(free, (0, 1)) == tuple((0, col) for col in range(6, 10))
    assert spawn_cells(free, (0, 1), spawn_distance=8) == ((0, 9),)


def test_the_mean_path_is_the_mean_over_pairs_of_goal_and_spawn():
    free = read_maze("*" * 17 + "\n*               *\n" + "*" * 17 + "\n")
    # Eight cells in a row, spawns at 5 or more: from the goal in cell 0 that is 5, 6, 7, in cell 1 5 and 6, in cell 2 5, and
    # mirrored; cells 3 and 4 have none.
    assert mean_spawn_to_goal(free) == pytest.approx((5 + 6 + 7 + 5 + 6 + 5) / 6)
    assert np.isnan(mean_spawn_to_goal(TWO_PARTS))
