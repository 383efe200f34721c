"""The mazes of the paper's tasks, by name: our own layouts with the paper's sizes, numbers of fruit and path lengths, and Lab's.

The seed of each layout was selected so that its mean path from spawn to goal is near that of the released level
(`paths.mean_spawn_to_goal`). The I-maze was drawn by hand after the paper's description: 77 cells, trips of 6 or 8 cells from the
central corridor to an alcove at the end of an arm, which is not visible from the corridor. The texts are in `layouts/`,
among them those of DeepMind Lab's levels.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from maze_gen.decoration import decorate
from maze_gen.errors import InputError
from maze_gen.maze import COLOURED_FACES, FIRST_LANDMARK_FACE, LANDMARKS, PLAIN_FACE, Decoration, Geometry, Maze
from maze_gen.rng import RandomStream, seed_from
from maze_gen.text import load_maze

LAYOUTS = Path(__file__).parent / "layouts"

BLOCK_MAZES = {"i-maze"}
"""Block mazes: every character of their text is a cell."""

CATALOGUE: dict[str, Geometry] = {
    path.stem: "block" if path.stem in BLOCK_MAZES else "thin" for path in sorted(LAYOUTS.glob("*.txt"))
}
"""Geometry of each maze by its name, that of its file in `layouts/`."""

I_MAZE_LANDMARKS = 4


@cache
def catalogue_maze(name: str) -> Maze:
    """The maze of that name.

    Raises:
        InputError: no maze has that name.
    """
    if name not in CATALOGUE:
        raise InputError(f"no maze {name!r} in the catalogue: expected one of {', '.join(CATALOGUE)}")
    maze = load_maze(LAYOUTS / f"{name}.txt", CATALOGUE[name])
    return replace(maze, decoration=_symmetric_decoration(maze)) if name == "i-maze" else maze


def _symmetric_decoration(maze: Maze) -> Decoration:
    """Decoration of the I-maze: wall colours are mirror-symmetric in both axes, so that opposite arms look nearly alike.

    Only I_MAZE_LANDMARKS pictures distinguish the arms.
    """
    plain = decorate(maze.open, maze.walls, seed=0, landmarks=0)
    faces = plain.faces.copy()
    faces[maze.walls] = PLAIN_FACE
    random = RandomStream(seed_from("i-maze"))
    rows, cols = maze.open.shape
    for row in range((rows + 1) // 2):
        for col in range((cols + 1) // 2):
            colour = PLAIN_FACE + (1 + random.below(COLOURED_FACES) if random.chance(0.3) else 0)
            for place in {(row, col), (row, cols - 1 - col), (rows - 1 - row, col), (rows - 1 - row, cols - 1 - col)}:
                faces[place][maze.walls[place]] = colour
    pictured = decorate(maze.open, maze.walls, seed=1, landmarks=I_MAZE_LANDMARKS).faces
    is_picture = (pictured >= FIRST_LANDMARK_FACE) & (pictured < FIRST_LANDMARK_FACE + LANDMARKS)
    return Decoration(plain.theme, np.where(is_picture, pictured, faces))
