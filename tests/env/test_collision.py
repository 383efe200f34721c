"""An agent never enters a wall, nor leaves the maze, whatever it does."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from env.engine.engine import Engine
from env.navigation import NUM_ACTIONS
from env.task import Task
from maze_gen.catalogue import CATALOGUE, catalogue_maze
from maze_gen.maze import STEPS, Maze
from maze_gen.text import read_maze, write_maze

HALF_WIDTH = 15.0
SLAB = 1.0
ROUNDING = 1e-3
POSTS = """
*************
*     *     *
* * * * *** *
*   *       *
* * * * * * *
*   * * *   *
* *** * * * *
*           *
*************
"""
"""Walls that end in the open, alone and in pairs, and corners between them."""


def of_geometry(name: str, geometry: str) -> Maze:
    maze = read_maze(POSTS.strip(), "thin") if name == "posts" else catalogue_maze(name)
    if maze.geometry == geometry:
        return maze
    if geometry == "block":
        return read_maze(write_maze(maze), "block")
    return replace(maze, geometry="thin")


def slabs_overlapped(maze: Maze, position: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """[N] bool: whether the square around a position [N, 2] overlaps a slab or a solid cell, found cell by cell."""
    overlapped = np.zeros(len(position), dtype=bool)
    x, y = position[:, 0], position[:, 1]
    col, row = (x // 100).astype(int), maze.rows - 1 - (y // 100).astype(int)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            r, c = row + down, col + right
            inside = (r >= 0) & (r < maze.rows) & (c >= 0) & (c < maze.cols)
            r, c = np.clip(r, 0, maze.rows - 1), np.clip(c, 0, maze.cols - 1)
            low_x, low_y = c * 100.0, (maze.rows - 1 - r) * 100.0
            boxes = [(low_x, low_x + 100, low_y, low_y + 100, ~maze.open[r, c])]
            for side, (away, aside) in enumerate(STEPS):
                left = low_x + (100 - SLAB if aside > 0 else 0)
                right_edge = low_x + (SLAB if aside < 0 else 100)
                bottom = low_y + (100 - SLAB if away < 0 else 0)
                top = low_y + (SLAB if away > 0 else 100)
                boxes.append((left, right_edge, bottom, top, maze.walls[r, c, side]))
            for left, right_edge, bottom, top, there in boxes:
                apart = (
                    (x + HALF_WIDTH <= left + ROUNDING)
                    | (x - HALF_WIDTH >= right_edge - ROUNDING)
                    | (y + HALF_WIDTH <= bottom + ROUNDING)
                    | (y - HALF_WIDTH >= top - ROUNDING)
                )
                overlapped |= inside & there & ~apart
    return overlapped


@pytest.mark.parametrize("geometry", ["thin", "block"])
@pytest.mark.parametrize("name", [*CATALOGUE, "posts"])
def test_never_in_a_wall(name: str, geometry: str) -> None:
    """A million frames of held random actions, looked at after each."""
    maze = of_geometry(name, geometry)
    task = Task(name, (maze,), episode_seconds=10, goal="episode", spawn_distance=1, action_repeat=1)
    rng = np.random.default_rng(0)
    n, frames = 4000, 250
    with Engine(task, n, observe={"velocity"}) as engine:
        engine.reset(1)
        actions = rng.integers(0, NUM_ACTIONS, n)
        before = engine.privileged["cell"].copy()
        moved = np.zeros(n)
        for _ in range(frames):
            actions = np.where(rng.random(n) < 0.05, rng.integers(0, NUM_ACTIONS, n), actions)
            start = engine.privileged["position"].astype(np.float64)
            engine.step(actions)
            position = engine.privileged["position"].astype(np.float64)
            assert np.isfinite(position).all()
            assert (position > 0).all()
            assert (position < [maze.cols * 100, maze.rows * 100]).all()
            assert not slabs_overlapped(maze, position).any()
            distance = np.abs(position - start).max(axis=1)
            # A change of cell goes through an open side, unless the goal sent the agent elsewhere.
            for row in np.flatnonzero((engine.privileged["cell"] != before) & (distance < 20)):
                old, new = divmod(int(before[row]), maze.cols), divmod(int(engine.privileged["cell"][row]), maze.cols)
                sides = [side for side, step in enumerate(STEPS) if (old[0] + step[0], old[1] + step[1]) == new]
                if sides:
                    assert not maze.walls[(*old, sides[0])]
            before[:] = engine.privileged["cell"]
            moved += np.where(distance < 20, distance, 0)
    assert moved.mean() > 100


def test_overlap_check_sees_walls() -> None:
    maze = of_geometry("posts", "thin")
    assert slabs_overlapped(maze, np.array([[15.5, 50.0], [50.0, 15.5], [99.0, 99.0]])).all()
    assert not slabs_overlapped(maze, np.array([[16.125, 50.0], [50.0, 50.0]])).any()
