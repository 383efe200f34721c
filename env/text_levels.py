"""Makes a text level playable by the rules of a task: everything can be reached, and spawns are far enough from the goal."""

import warnings
from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from maze_gen.errors import Note
from maze_gen.maze import Maze
from maze_gen.paths import SPAWN_DISTANCE, UNREACHABLE, farthest_spawns, goal_cells, reachable
from maze_gen.text import block_walls, plain_maze, with_default_decoration


def without_pockets(maze: Maze, origin: str) -> Maze:
    """A block maze without the floor that nobody can reach: levels of DeepMind Lab have some beside and between their rooms.

    What can be reached from a spawn stays, or, without spawns, from a goal, or the largest part. Where something lies on floor
    that nobody reaches, the maze stays as it is, and worlds refuse it. A `Note` says how much became wall.
    """
    if maze.geometry == "thin":
        return maze
    seeds = maze.spawns or maze.goals
    within = np.zeros_like(maze.open)
    if seeds:
        for seed in seeds:
            if not within[seed]:
                within |= reachable(maze, seed)
    else:
        within = _largest_part(maze)
    lost = maze.open & ~within
    things = (*maze.spawns, *maze.goals, *maze.apples, *maze.strawberries)
    if not lost.any() or any(lost[cell] for cell in things):
        return maze
    warnings.warn(f"{origin}: floor that nobody can reach is wall ({int(lost.sum())} cells)", Note, stacklevel=3)
    made = plain_maze("block", within, block_walls(within), maze.spawns, maze.apples, maze.strawberries, maze.goals)
    return with_default_decoration(made)


def _largest_part(maze: Maze) -> npt.NDArray[np.bool_]:
    """[rows, cols] bool: the largest set of cells that can be reached from one another."""
    left, largest = maze.open.copy(), np.zeros_like(maze.open)
    # Each part is searched once; a part can be no larger than what is left.
    while left.sum() > largest.sum():
        row, col = np.argwhere(left)[0].tolist()
        part = reachable(maze, (row, col))
        left &= ~part
        largest = max(largest, part, key=np.sum)
    return largest


def with_room_to_start(maze: Maze, goal: Literal["fixed", "episode"], origin: str) -> tuple[Maze, int]:
    """(the maze, the spawn distance of the paper's tasks, or the largest that leaves every goal a spawn).

    Where the goal is drawn among all cells, those go that are no step away from any spawn: an agent would start on the goal.
    """
    cells = maze.goals[:1] if goal == "fixed" else goal_cells(maze)
    farthest = farthest_spawns(maze)
    reached = [int(farthest[cell]) for cell in cells]
    if min(reached, default=0) >= SPAWN_DISTANCE or UNREACHABLE in reached:
        # Things that nobody reaches are refused by the worlds, with their place.
        return maze, SPAWN_DISTANCE
    kept = tuple(cell for cell, far in zip(cells, reached, strict=True) if far > 0)
    if kept and len(kept) < len(cells):
        maze = replace(maze, goals=kept)
    distance = min((far for far in reached if far > 0), default=1)
    if distance < SPAWN_DISTANCE:
        warnings.warn(
            f"{origin}: the maze is too small for {SPAWN_DISTANCE} cells of path between spawn and goal: agents start {distance} "
            "or more away; --spawn-distance sets another number",
            Note,
            stacklevel=3,
        )
    return maze, min(distance, SPAWN_DISTANCE)
