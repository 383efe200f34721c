"""The mazes of a task, packed into a few arrays that the device functions read.

The engine numbers the squares of the grid from the bottom: square = iy * cols + ix with ix = floor(x / 100) and
iy = floor(y / 100), so that a position gives its square without the maze. Cells, everywhere outside of the engine, count from the
top: row * cols + col.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from env.engine.textures.atlas import texture_number
from env.navigation import APPLE, STRAWBERRY, drawn_apples
from env.task import Task
from maze_gen.errors import InputError
from maze_gen.maze import COLOURED_FACES, FIRST_LANDMARK_FACE, LANDMARKS, PLAIN_FACE, STEPS, THEMES, Cell, Maze

MAX_CELLS = 65534
SIDE_NAMES = ("east", "north", "west", "south")
_FACE_CODES = (
    *range(PLAIN_FACE, PLAIN_FACE + COLOURED_FACES + 1),
    *range(FIRST_LANDMARK_FACE, FIRST_LANDMARK_FACE + LANDMARKS),
)
_TEXTURES = np.zeros(256, dtype=np.uint8)
"""Number of the texture of each face code; 0 where there is no wall."""
_TEXTURES[list(_FACE_CODES)] = [texture_number(code) for code in _FACE_CODES]


class Pool(NamedTuple):
    """M mazes of R x C cells; arrays on the device that reads them.

    Attributes:
        faces: [M, R*C*4] uint8, index ((iy * C + ix) * 4 + side), side EAST, NORTH, WEST, SOUTH: 0 where that side of the cell
            is open, else the number of the texture of its wall, seen from inside that cell. A wall is a slab of 1 unit inside
            the cell.
        ceiling: [M] uint8, 1 where a ceiling lies on the walls (`thin`), 0 under the open sky (`block`).
        theme: [M] uint8, the theme of the maze's decoration.
        open: [M, R*C] uint8, 1 for an open cell.
        spawn: [M, R*C] uint8, 1 for a cell where an agent may start.
        goal_squares: [M, G] int32, where the goal may be; the first `goal_count` of a row count.
        goal_count: [M] int32.
        fruit_squares: [M, F] int32, the maze's own fruit, -1 for none; F is the most fruit of an episode, own or drawn.
        fruit_kinds: [M, F] uint8, APPLE or STRAWBERRY.
        apples_drawn: [M] int32, apples that an episode draws where the task draws them.
    """

    faces: Any
    ceiling: Any
    theme: Any
    open: Any
    spawn: Any
    goal_squares: Any
    goal_count: Any
    fruit_squares: Any
    fruit_kinds: Any
    apples_drawn: Any


def pack(task: Task) -> Pool:
    """Packs the mazes of a task, after checking that its rules can be kept in all of them, and what compiled code relies on.

    Raises:
        InputError: mazes of more than 65,534 cells; no goal where the task's goal is fixed; a maze that is not closed, whose
            walls disagree, or with a thing that does not lie on an open cell.
    """
    rows, cols = task.mazes[0].rows, task.mazes[0].cols
    if rows * cols > MAX_CELLS:
        raise InputError(f"task {task.name!r}: a maze of {rows} x {cols} cells is too large, at most {MAX_CELLS} cells")
    closed = _are_closed(task.mazes)
    for index, maze in enumerate(task.mazes):
        if not closed or maze.spawns or maze.apples or maze.strawberries or maze.goals:
            _check_maze(task, index)
    goals = [_goal_squares(task, index) for index in range(len(task.mazes))]
    fruit = [_fruit(task, maze) for maze in task.mazes]
    drawn = [drawn_apples(int(maze.open.sum())) if task.fruit == "episode" else 0 for maze in task.mazes]
    most_fruit = task.fruit_slots
    count = len(task.mazes)
    pool = Pool(
        faces=_TEXTURES[np.stack([maze.decoration.faces[::-1].ravel() for maze in task.mazes])],
        ceiling=np.array([maze.geometry == "thin" for maze in task.mazes], dtype=np.uint8),
        theme=np.array([maze.decoration.theme for maze in task.mazes], dtype=np.uint8),
        open=np.stack([maze.open[::-1].ravel() for maze in task.mazes]).astype(np.uint8),
        spawn=np.zeros((count, rows * cols), dtype=np.uint8),
        goal_squares=np.full((count, max(len(squares) for squares in goals)), -1, dtype=np.int32),
        goal_count=np.array([len(squares) for squares in goals], dtype=np.int32),
        fruit_squares=np.full((count, most_fruit), -1, dtype=np.int32),
        fruit_kinds=np.full((count, most_fruit), APPLE, dtype=np.uint8),
        apples_drawn=np.array(drawn, dtype=np.int32),
    )
    for index, maze in enumerate(task.mazes):
        pool.spawn[index, _squares(maze, maze.spawns) if maze.spawns else pool.open[index] != 0] = 1
        pool.goal_squares[index, : len(goals[index])] = goals[index]
        if fruit[index]:
            pool.fruit_squares[index, : len(fruit[index])] = _squares(maze, [cell for cell, _ in fruit[index]])
            pool.fruit_kinds[index, : len(fruit[index])] = [kind for _, kind in fruit[index]]
    return pool


def _squares(maze: Maze, cells: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """The squares of cells, [K] in their order."""
    row, col = np.asarray(cells).T
    return (maze.rows - 1 - row) * maze.cols + col


def _are_closed(mazes: tuple[Maze, ...]) -> bool:
    """Whether open cells, walls and faces of all mazes pass `_check_maze`, checked in one pass."""
    if any(maze.decoration.faces.shape != (*maze.open.shape, 4) for maze in mazes):
        return False
    open, faces = np.stack([maze.open for maze in mazes]), np.stack([maze.decoration.faces for maze in mazes])
    passages = open[..., None] & (faces == 0)
    east, north, west, south = (passages[..., side] for side in range(4))
    return bool(
        faces.dtype == np.uint8
        and (_TEXTURES[faces] != 0)[faces != 0].all()
        and all(maze.decoration.theme in range(THEMES) for maze in mazes)
        and open.any(axis=(1, 2)).all()
        and not (east[:, :, -1].any() or north[:, 0].any() or west[:, :, 0].any() or south[:, -1].any())
        and np.array_equal(east[:, :, :-1], west[:, :, 1:])
        and np.array_equal(south[:, :-1], north[:, 1:])
    )


def _check_maze(task: Task, index: int) -> None:
    """Checks what keeps agents, rays and searches inside the arrays; compiled code itself checks nothing."""
    maze = task.mazes[index]
    rows, cols = maze.rows, maze.cols
    if not maze.open.any():
        raise InputError(f"{_of(task, index)} has no open cell")
    theme, faces = maze.decoration.theme, maze.decoration.faces
    if theme not in range(THEMES):
        raise InputError(f"{_of(task, index)} has theme {theme}, expected 0 to {THEMES - 1}")
    if faces.shape != (rows, cols, 4) or faces.dtype != np.uint8:
        raise InputError(f"{_of(task, index)} has faces {faces.shape} {faces.dtype}, expected {(rows, cols, 4)} uint8")
    unknown = np.setdiff1d(faces, [0, *_FACE_CODES])
    if len(unknown):
        raise InputError(f"{_of(task, index)} has a wall of face code {unknown[0]}, which no texture has")
    passages = maze.open[..., None] & (faces == 0)
    for side, (down, right) in enumerate(STEPS):
        padded = np.pad(passages[..., (side + 2) % 4], 1)
        beyond = padded[1 + down : 1 + down + rows, 1 + right : 1 + right + cols]
        wrong = np.argwhere(passages[..., side] & ~beyond)
        if len(wrong):
            row, col = wrong[0]
            raise InputError(
                f"{_of(task, index)}: the cell in row {row}, column {col} has no wall to the {SIDE_NAMES[side]}, where "
                "no open cell leads back"
            )
    things = {"spawn": maze.spawns, "apple": maze.apples, "strawberry": maze.strawberries, "goal": maze.goals}
    for name, cells in things.items():
        for row, col in cells:
            if not (0 <= row < rows and 0 <= col < cols and maze.open[row, col]):
                raise InputError(f"{_of(task, index)}: the {name} in row {row}, column {col} is not on an open cell")


def _of(task: Task, index: int) -> str:
    return f"task {task.name!r}: maze {index}" if len(task.mazes) > 1 else f"the maze of task {task.name!r}"


def _goal_squares(task: Task, index: int) -> npt.NDArray[np.int64]:
    maze = task.mazes[index]
    if task.goal == "fixed":
        if not maze.goals:
            raise InputError(f"{_of(task, index)} has no goal (G), which its rules need")
        return _squares(maze, maze.goals[:1])
    if maze.goals:
        return _squares(maze, maze.goals)
    free = maze.open.copy()
    for cell, _ in _fruit(task, maze):
        free[cell] = False
    if not free.any():
        raise InputError(f"{_of(task, index)} has no open cell without fruit, where its goal could be")
    return _squares(maze, np.argwhere(free))


def _fruit(task: Task, maze: Maze) -> list[tuple[Cell, int]]:
    """The maze's own fruit, which a task that draws its fruit does not use."""
    if task.fruit == "episode":
        return []
    return [(cell, APPLE) for cell in maze.apples] + [(cell, STRAWBERRY) for cell in maze.strawberries]
