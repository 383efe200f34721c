"""Shortest paths: distances in cells, directions to the goal, and reachable cells."""

from collections import deque

import numpy as np
import numpy.typing as npt

from maze_gen.errors import InputError
from maze_gen.maze import STEPS, Cell, Maze

UNREACHABLE = -1
SPAWN_DISTANCE = 5
"""Least cells of path between a spawn and the goal (more than 4, as in the released levels)."""


def passages(maze: Maze) -> npt.NDArray[np.bool_]:
    """[rows, cols, 4] bool: whether the EAST, NORTH, WEST, SOUTH side of a cell is open to a neighbour."""
    return maze.open[..., None] & ~maze.walls


def distances(maze: Maze, goal_cell: Cell) -> npt.NDArray[np.int32]:
    """[rows, cols] int32: steps from cell to cell on the shortest path to `goal_cell`, -1 where there is none.

    Raises:
        InputError: `goal_cell` is outside the maze or solid.
    """
    _check_open(maze, goal_cell, "goal")
    ways = passages(maze).reshape(-1, 4).tolist()
    cols = maze.cols
    jumps = [step_row * cols + step_col for step_row, step_col in STEPS]
    field = [UNREACHABLE] * len(ways)
    start = goal_cell[0] * cols + goal_cell[1]
    field[start] = 0
    queue = deque([start])
    while queue:
        cell = queue.popleft()
        following = field[cell] + 1
        for way, jump in zip(ways[cell], jumps, strict=True):
            if way and field[cell + jump] == UNREACHABLE:
                field[cell + jump] = following
                queue.append(cell + jump)
    return np.array(field, dtype=np.int32).reshape(maze.open.shape)


def all_distances(maze: Maze) -> npt.NDArray[np.int32]:
    """[cells, cells] int32, a cell being row x cols + col: row `goal` is `distances(maze, goal)`, all -1 for a solid cell."""
    cells = maze.rows * maze.cols
    field = np.full((cells, cells), UNREACHABLE, dtype=np.int32)
    for goal in np.flatnonzero(maze.open.ravel()).tolist():
        field[goal] = distances(maze, divmod(goal, maze.cols)).ravel()
    return field


def next_sides(maze: Maze, goal_cell: Cell) -> npt.NDArray[np.int8]:
    """[rows, cols] int8: the side (EAST, NORTH, WEST, SOUTH) by which the shortest path to the goal leaves a cell.

    -1 at the goal itself and where there is no path; the first side in that order where several are as good.
    """
    field = distances(maze, goal_cell)
    padded = np.pad(field, 1, constant_values=UNREACHABLE)
    sides = np.full(field.shape, -1, dtype=np.int8)
    ways = passages(maze)
    for side in reversed(range(4)):
        step_row, step_col = STEPS[side]
        beyond = padded[1 + step_row : 1 + step_row + maze.rows, 1 + step_col : 1 + step_col + maze.cols]
        sides[ways[..., side] & (field > 0) & (beyond == field - 1)] = side
    return sides


def next_cells(maze: Maze, goal_cell: Cell) -> npt.NDArray[np.int32]:
    """[rows, cols] int32: the cell after each cell on a shortest path to the goal, row x cols + col; the goal's at the goal.

    -1 where there is no path; of several shortest paths the one of `next_sides`.
    """
    jumps = np.array([step_row * maze.cols + step_col for step_row, step_col in STEPS] + [0], dtype=np.int32)
    cells = np.arange(maze.open.size, dtype=np.int32).reshape(maze.open.shape)
    following = cells + jumps[next_sides(maze, goal_cell)]
    return np.where(distances(maze, goal_cell) == UNREACHABLE, np.int32(-1), following)


def shortest_path(maze: Maze, start: Cell, goal_cell: Cell) -> list[Cell]:
    """The cells of a shortest path, from `start` to `goal_cell`, both included.

    Raises:
        InputError: one of them isn't an open cell, or there is no path.
    """
    _check_open(maze, start, "start")
    sides = next_sides(maze, goal_cell)
    path = [start]
    while path[-1] != goal_cell:
        row, col = path[-1]
        side = int(sides[row, col])
        if side < 0:
            raise InputError(f"no path from cell {start} to cell {goal_cell} of the maze")
        path.append((row + STEPS[side][0], col + STEPS[side][1]))
    return path


def reachable(maze: Maze, start: Cell | None = None) -> npt.NDArray[np.bool_]:
    """[rows, cols] bool: the cells that can be reached from `start`, or from the first open cell."""
    if start is None:
        start = divmod(int(np.argmax(maze.open.ravel())), maze.cols)
    return distances(maze, start) != UNREACHABLE


def connected(maze: Maze) -> bool:
    """Whether every open cell can be reached from every other."""
    return bool((reachable(maze) == maze.open).all())


def goal_cells(maze: Maze) -> tuple[Cell, ...]:
    """Cells that may hold the goal: the maze's goals, or every open cell without fruit."""
    if maze.goals:
        return maze.goals
    fruit = {*maze.apples, *maze.strawberries}
    return tuple((row, col) for row, col in np.argwhere(maze.open).tolist() if (row, col) not in fruit)


def spawn_cells(maze: Maze, goal_cell: Cell, spawn_distance: int = SPAWN_DISTANCE) -> tuple[Cell, ...]:
    """Cells where an agent may start: spawns, or any open cell, at least `spawn_distance` cells of path from the goal."""
    far = distances(maze, goal_cell) >= spawn_distance
    if maze.spawns:
        return tuple(cell for cell in maze.spawns if far[cell])
    return tuple((row, col) for row, col in np.argwhere(far).tolist())


def farthest_spawns(maze: Maze, enough: int = SPAWN_DISTANCE) -> npt.NDArray[np.int32]:
    """[rows, cols] int32: cells of path from each cell to the farthest spawn (any open cell where there are none), -1 for none.

    Where a cell that may hold the goal has a spawn `enough` cells away, so far is exact enough: the value may be that of any such
    spawn. Two or three searches are enough for most mazes, however large.
    """
    spawns = list(maze.spawns) or [(row, col) for row, col in np.argwhere(maze.open).tolist()]
    goals = tuple(np.array(goal_cells(maze), dtype=np.intp).reshape(-1, 2).T)
    farthest = np.full(maze.open.shape, UNREACHABLE, dtype=np.int32)
    for spawn in [spawns[0], spawns[-1], *spawns[1:-1]]:
        farthest = np.maximum(farthest, distances(maze, spawn))
        reached = farthest[goals]
        if (reached >= enough).all() or (reached == UNREACHABLE).any():
            break
    return farthest


def mean_spawn_to_goal(maze: Maze, spawn_distance: int = SPAWN_DISTANCE) -> float:
    """Mean cells of path over every pair of a goal and a spawn that the rule of `spawn_cells` allows with it.

    The released levels' means are 20.4, 35.0, 23.1 (static) and 14.3, 19.7, 32.4 (random goal). NaN where no pair is allowed.
    """
    lengths: list[int] = []
    for goal in goal_cells(maze):
        field = distances(maze, goal)
        lengths.extend(int(field[cell]) for cell in spawn_cells(maze, goal, spawn_distance))
    return float(np.mean(lengths)) if lengths else float("nan")


def _check_open(maze: Maze, cell: Cell, what: str) -> None:
    row, col = cell
    if not (0 <= row < maze.rows and 0 <= col < maze.cols):
        raise InputError(f"{what} cell {cell} is outside the maze of {maze.rows} x {maze.cols} cells")
    if not maze.open[row, col]:
        raise InputError(f"{what} cell {cell} is solid wall")
