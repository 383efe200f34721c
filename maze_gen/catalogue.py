"""The mazes of the paper's tasks, by name: layouts of our own with the paper's sizes, fruit and lengths of path.

The seed of each was searched for, so that its mean path from spawn to goal is near the released level's
(`paths.mean_spawn_to_goal`); the I-maze was drawn by hand after the paper's description. The texts lie in `layouts/`.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from maze_gen.decoration import decorate
from maze_gen.errors import InputError
from maze_gen.maze import COLOURED_FACES, FIRST_LANDMARK_FACE, LANDMARKS, PLAIN_FACE, Decoration, Geometry, Maze
from maze_gen.rng import Draws, seed_from
from maze_gen.text import load_maze

LAYOUTS = Path(__file__).parent / "layouts"

CATALOGUE: dict[str, Geometry] = {
    "static-small": "thin",
    "static-large": "thin",
    "static-huge": "thin",
    "random-goal-small": "thin",
    "random-goal-large": "thin",
    "random-goal-huge": "thin",
    "i-maze": "block",
}
"""Names, and the geometry of each: the I-maze counts open cells among solid ones, as block text does."""

I_MAZE_LANDMARKS = 6


@cache
def catalogue_maze(name: str) -> Maze:
    """The maze of that name.

    Raises:
        InputError: no maze has that name.
    """
    if name not in CATALOGUE:
        raise InputError(f"no maze {name!r} in the catalogue: expected one of {', '.join(CATALOGUE)}")
    maze = load_maze(LAYOUTS / f"{name}.txt", CATALOGUE[name])
    return replace(maze, decoration=_alike(maze)) if name == "i-maze" else maze


def _alike(maze: Maze) -> Decoration:
    """The I-maze's look: its left half coloured as the mirror image of its right, its lower half as that of its upper.

    What tells the arms apart is a few pictures, so that opposite arms look nearly alike.
    """
    plain = decorate(maze.open, maze.walls, seed=0, landmarks=0)
    faces = plain.faces.copy()
    faces[maze.walls] = PLAIN_FACE
    draws = Draws(seed_from("i-maze"))
    rows, cols = maze.open.shape
    for row in range((rows + 1) // 2):
        for col in range((cols + 1) // 2):
            colour = PLAIN_FACE + (1 + draws.below(COLOURED_FACES) if draws.chance(0.3) else 0)
            for place in {(row, col), (row, cols - 1 - col), (rows - 1 - row, col), (rows - 1 - row, cols - 1 - col)}:
                faces[place][maze.walls[place]] = colour
    pictured = decorate(maze.open, maze.walls, seed=1, landmarks=I_MAZE_LANDMARKS).faces
    is_picture = (pictured >= FIRST_LANDMARK_FACE) & (pictured < FIRST_LANDMARK_FACE + LANDMARKS)
    return Decoration(plain.theme, np.where(is_picture, pictured, faces))
