"""What compiled code relies on is checked when mazes are packed, whoever made them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from env.engine.maze_pool import pack
from env.task import Task
from maze_gen.errors import InputError
from maze_gen.generator import GeneratorConfig, generate
from maze_gen.maze import EAST, NORTH, WEST, Maze


def forged(**changes: Any) -> Task:
    """A task whose second maze is changed behind its own checks."""
    mazes = [generate(GeneratorConfig(rows=3, cols=4, goals=1, apples=2), seed) for seed in range(2)]
    task = Task("forged", tuple(mazes), episode_seconds=10, spawn_distance=1)
    maze: Maze = task.mazes[1]
    for name, value in changes.items():
        if name in ("faces", "theme"):
            object.__setattr__(maze.decoration, name, value(maze.decoration.faces.copy()) if name == "faces" else value)
        else:
            object.__setattr__(maze, name, value)
    return task


def set_face(row: int, col: int, side: int, code: int):
    def change(faces: np.ndarray) -> np.ndarray:
        faces[row, col, side] = code
        return faces

    return change


def one_sided(faces: np.ndarray) -> np.ndarray:
    """A wall that only one of the two cells has."""
    row, col = np.argwhere(faces[:, :-1, EAST] == 0)[0]
    faces[row, col + 1, WEST] = 1
    return faces


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"faces": set_face(0, 1, NORTH, 0)}, "maze 1: the cell in row 0, column 1 has no wall to the north"),
        ({"faces": one_sided}, "no wall to the east, where no open cell leads back"),
        ({"faces": set_face(0, 0, NORTH, 9)}, "face code 9"),
        ({"faces": set_face(0, 0, NORTH, 80)}, "face code 80"),
        ({"faces": lambda faces: faces[:2]}, "has faces"),
        ({"theme": 5}, "theme 5"),
        ({"theme": -1}, "theme -1"),
        ({"goals": ((7, 0),)}, "the goal in row 7, column 0 is not on an open cell"),
        ({"goals": ((-1, 0),)}, "the goal in row -1"),
        ({"apples": ((0, 4),)}, "the apple in row 0, column 4"),
        ({"spawns": ((3, 0),)}, "the spawn in row 3"),
        ({"strawberries": ((0, 10**6),)}, "the strawberry in row 0, column 1000000"),
    ],
)
def test_forged_mazes_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        pack(forged(**changes))


def test_solid_cells_are_closed_off() -> None:
    task = forged()
    maze = task.mazes[1]
    solid = maze.open.copy()
    solid[1, 1] = False
    object.__setattr__(maze, "open", solid)
    with pytest.raises(InputError, match="where no open cell leads back"):
        pack(task)


def test_sound_mazes_are_packed() -> None:
    task = replace(forged(), spawn_distance=0)
    assert pack(task).faces.shape == (2, 3 * 4 * 4)
