"""Where an agent may stand: compiled code relies on it, and checks nothing."""

from typing import Any

import numpy as np
import numpy.typing as npt

HALF_WIDTH = 15.0
SLAB = 1.0
CELL = 100.0


def first_misplaced(
    faces: npt.NDArray[np.uint8],
    is_open: npt.NDArray[np.uint8],
    maze: npt.NDArray[Any],
    size: tuple[int, int],
    position: npt.NDArray[np.float32],
    clear: bool = True,
) -> int:
    """The first row that stands where no agent can, or -1.

    An agent inside a wall could leave the maze, because movement starts outside of all walls by the rules.

    Args:
        faces, is_open: `Pool.faces` and `Pool.open`.
        maze: [N] integers, the maze of each row.
        size: rows and columns of the mazes.
        position: [N, 2] float32, units.
        clear: whether the agent's square must be clear of all walls; else it is enough that its centre lies in an open cell.
    """
    rows, cols = size
    x, y = position[:, 0], position[:, 1]
    inside = np.isfinite(position).all(axis=1) & (x > 0) & (y > 0) & (x < cols * CELL) & (y < rows * CELL)
    ix, iy = (np.where(inside, value / np.float32(CELL), np.float32(0.0)).astype(np.int64) for value in (x, y))
    good = inside & (is_open[maze, iy * cols + ix] != 0)
    if clear:
        for row in range(-1, 2):
            for col in range(-1, 2):
                good &= _clear_of_cell(faces, maze, size, position, (iy + row, ix + col))
    wrong = np.flatnonzero(~good)
    return int(wrong[0]) if len(wrong) else -1


def _clear_of_cell(
    faces: npt.NDArray[np.uint8],
    maze: npt.NDArray[Any],
    size: tuple[int, int],
    position: npt.NDArray[np.float32],
    cell: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
) -> npt.NDArray[np.bool_]:
    """[N] bool, whether the agents' squares are clear of the slabs of one cell each, its (iy, ix)."""
    (rows, cols), (iy, ix) = size, cell
    exists = (iy >= 0) & (iy < rows) & (ix >= 0) & (ix < cols)
    square = np.where(exists, iy * cols + ix, 0) * 4
    left, low = ix * CELL, iy * CELL
    right, high = left + CELL, low + CELL
    slabs = (
        (right - SLAB, right, low, high),
        (left, right, high - SLAB, high),
        (left, left + SLAB, low, high),
        (left, right, low, low + SLAB),
    )
    x, y = position[:, 0], position[:, 1]
    clear = np.ones(len(position), dtype=np.bool_)
    for side, (x0, x1, y0, y1) in enumerate(slabs):
        apart = (x <= x0 - HALF_WIDTH) | (x >= x1 + HALF_WIDTH) | (y <= y0 - HALF_WIDTH) | (y >= y1 + HALF_WIDTH)
        clear &= apart | ~exists | (faces[maze, square + side] == 0)
    return clear
