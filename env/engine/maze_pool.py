"""The mazes of a task, packed into a few arrays that the device functions read.

The engine numbers cells from the bottom: place = iy * cols + ix with ix = floor(x / 100) and iy = floor(y / 100), so that a
position gives its cell without knowing the maze. `flip` turns such places into the cells of everything outside of the engine,
row * cols + col counted from the top, and back.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from env.engine.textures.atlas import texture_number
from env.navigation import APPLE, STRAWBERRY, drawn_apples, fruit_slots
from env.task import Task
from maze_gen.errors import InputError
from maze_gen.maze import Cell, Maze

MAX_CELLS = 65534


class Pool(NamedTuple):
    """M mazes of R x C cells; arrays on the device that reads them.

    Attributes:
        faces: [M, R*C*4] uint8, index ((iy * C + ix) * 4 + side), side EAST, NORTH, WEST, SOUTH: 0 where that side of the cell
            is open, else the number of the texture of its wall, seen from inside that cell. A wall is a slab of 1 unit inside
            the cell.
        ceiling: [M] uint8, 1 where a ceiling lies on the walls (`thin`), 0 under the open sky (`block`).
        theme: [M] uint8, the theme of the maze's decoration.
        open: [M, R*C] uint8, 1 for a cell one can stand in.
        spawn: [M, R*C] uint8, 1 for a cell where an agent may start.
        goal_places: [M, G] int32, where the goal may be; the first `goal_count` of a row count.
        goal_count: [M] int32.
        fruit_places: [M, F] int32, the maze's own fruit, -1 for none; F also has room for what an episode may draw.
        fruit_kinds: [M, F] uint8, APPLE or STRAWBERRY.
        apples_drawn: [M] int32, apples that an episode draws where the task draws them.
    """

    faces: Any
    ceiling: Any
    theme: Any
    open: Any
    spawn: Any
    goal_places: Any
    goal_count: Any
    fruit_places: Any
    fruit_kinds: Any
    apples_drawn: Any


def flip(cell: int, rows: int, cols: int) -> int:
    """The engine's place of a cell row * cols + col, and the cell of a place."""
    return (rows - 1 - cell // cols) * cols + cell % cols


def pack(task: Task) -> Pool:
    """Packs the mazes of a task, after checking that its rules can be kept in all of them.

    Raises:
        InputError: no maze at all; mazes of different size, or of more than 65,534 cells; no goal where the task's goal is
            fixed; a cell that the task needs can't be reached; no spawn far enough from a goal.
    """
    if not task.mazes:
        raise InputError(f"task {task.name!r} has no maze")
    rows, cols = task.mazes[0].rows, task.mazes[0].cols
    if rows * cols > MAX_CELLS:
        raise InputError(f"task {task.name!r}: a maze of {rows} x {cols} cells is too large, at most {MAX_CELLS} cells")
    for index, maze in enumerate(task.mazes):
        if (maze.rows, maze.cols) != (rows, cols):
            raise InputError(
                f"task {task.name!r}: maze {index} has {maze.rows} x {maze.cols} cells, maze 0 has {rows} x {cols}; "
                "the mazes of a task must be equally large"
            )
        if not maze.open.any():
            raise InputError(f"{_of(task, index)} has no open cell")
    goals = [_goal_cells(task, index) for index in range(len(task.mazes))]
    fruit = [_fruit(task, maze) for maze in task.mazes]
    spawns = [maze.spawns or _open_cells(maze) for maze in task.mazes]
    drawn = [drawn_apples(int(maze.open.sum())) if task.fruit == "episode" else 0 for maze in task.mazes]
    room = fruit_slots(task)
    count = len(task.mazes)
    pool = Pool(
        faces=np.stack([_faces(maze) for maze in task.mazes]),
        ceiling=np.array([maze.geometry == "thin" for maze in task.mazes], dtype=np.uint8),
        theme=np.array([maze.decoration.theme for maze in task.mazes], dtype=np.uint8),
        open=np.stack([maze.open[::-1].ravel() for maze in task.mazes]).astype(np.uint8),
        spawn=np.zeros((count, rows * cols), dtype=np.uint8),
        goal_places=np.full((count, max(len(cells) for cells in goals)), -1, dtype=np.int32),
        goal_count=np.array([len(cells) for cells in goals], dtype=np.int32),
        fruit_places=np.full((count, room), -1, dtype=np.int32),
        fruit_kinds=np.full((count, room), APPLE, dtype=np.uint8),
        apples_drawn=np.array(drawn, dtype=np.int32),
    )

    def place(cell: Cell) -> int:
        return (rows - 1 - cell[0]) * cols + cell[1]

    for index in range(count):
        pool.spawn[index, [place(cell) for cell in spawns[index]]] = 1
        pool.goal_places[index, : len(goals[index])] = [place(cell) for cell in goals[index]]
        for item, (cell, kind) in enumerate(fruit[index]):
            pool.fruit_places[index, item] = place(cell)
            pool.fruit_kinds[index, item] = kind
    return pool


def _of(task: Task, index: int) -> str:
    return f"task {task.name!r}: maze {index}" if len(task.mazes) > 1 else f"the maze of task {task.name!r}"


def _open_cells(maze: Maze) -> tuple[Cell, ...]:
    return tuple((int(row), int(col)) for row, col in np.argwhere(maze.open))


def _goal_cells(task: Task, index: int) -> tuple[Cell, ...]:
    maze = task.mazes[index]
    if task.goal == "fixed":
        if not maze.goals:
            raise InputError(f"{_of(task, index)} has no goal (G), which its rules need")
        return maze.goals[:1]
    if maze.goals:
        return maze.goals
    fruit = {cell for cell, _ in _fruit(task, maze)}
    cells = tuple(cell for cell in _open_cells(maze) if cell not in fruit)
    if not cells:
        raise InputError(f"{_of(task, index)} has no open cell without fruit, where its goal could be")
    return cells


def _fruit(task: Task, maze: Maze) -> list[tuple[Cell, int]]:
    """The fruit that lies in the maze itself, which a task that draws its fruit doesn't use."""
    if task.fruit == "episode":
        return []
    return [(cell, APPLE) for cell in maze.apples] + [(cell, STRAWBERRY) for cell in maze.strawberries]


def _faces(maze: Maze) -> npt.NDArray[np.uint8]:
    numbers = np.zeros(256, dtype=np.uint8)
    for code in np.unique(maze.decoration.faces):
        if code:
            numbers[code] = texture_number(maze.decoration.theme, int(code))
    return numbers[maze.decoration.faces[::-1]].ravel()
