"""What makes arrays and cells a maze; compiled code relies on it, and checks nothing itself."""

import operator
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from maze_gen.errors import InputError

SIDE_NAMES = ("east", "north", "west", "south")
_EAST, _NORTH, _WEST, _SOUTH = range(4)
"""As in `maze_gen.maze`, which imports this module."""

Cells = tuple[tuple[int, int], ...]


def check_array(name: str, array: Any, shape: tuple[int | None, ...], dtype: type[np.generic]) -> None:
    """Raises InputError unless `array` is an array of that type and shape; None stands for any length of at least 1."""
    if not isinstance(array, np.ndarray):
        raise InputError(f"a maze's {name} is a {type(array).__name__}, expected an array")
    fits = len(array.shape) == len(shape) and all(
        size >= 1 if wanted is None else size == wanted for size, wanted in zip(array.shape, shape, strict=True)
    )
    if not fits or array.dtype != dtype:
        wanted = ", ".join("at least 1" if size is None else str(size) for size in shape)
        raise InputError(
            f"a maze's {name} has shape {list(array.shape)} and type {array.dtype}, expected [{wanted}] {np.dtype(dtype).name}"
        )


def check_walls(open: npt.NDArray[np.bool_], walls: npt.NDArray[np.bool_], block: bool) -> None:
    """Checks that nobody can leave a maze, and that neighbours agree about the wall between them.

    Args:
        open: [rows, cols].
        walls: [rows, cols, 4].
        block: whether two open neighbours never have a wall between them.

    Raises:
        InputError: else; the message names the cell and its side.
    """
    if not open.any():
        raise InputError("a maze without an open cell: expected at least one that an agent can enter")
    if walls[~open].any():
        row, col, side = np.argwhere(walls & ~open[..., None])[0]
        raise InputError(f"{_place(row, col)} is solid and has a wall to the {SIDE_NAMES[side]}: walls belong to open cells")
    passage = open[..., None] & ~walls
    beyond = np.zeros_like(passage)
    beyond[:, :-1, _EAST] = passage[:, 1:, _WEST]
    beyond[1:, :, _NORTH] = passage[:-1, :, _SOUTH]
    beyond[:, 1:, _WEST] = passage[:, :-1, _EAST]
    beyond[:-1, :, _SOUTH] = passage[1:, :, _NORTH]
    one_way = passage & ~beyond
    if one_way.any():
        row, col, side = np.argwhere(one_way)[0]
        raise InputError(f"{_place(row, col)} has no wall to the {SIDE_NAMES[side]}, where no open cell leads back")
    if block:
        between = ((walls[:, :-1, _EAST] & open[:, 1:]).any(), (walls[:-1, :, _SOUTH] & open[1:]).any())
        if any(between):
            raise InputError("a block maze with a wall between two open cells: its walls are solid cells")


def check_faces(theme: Any, faces: npt.NDArray[np.uint8], walls: npt.NDArray[np.bool_], themes: int, known: Any) -> None:
    """Checks a decoration.

    Args:
        faces: [rows, cols, 4] codes.
        themes: how many there are.
        known: [256] bool, the codes that faces may have.

    Raises:
        InputError: an unknown theme or code, or a face where no wall is, or none where one is.
    """
    if isinstance(theme, bool) or not isinstance(theme, int | np.integer) or not 0 <= theme < themes:
        raise InputError(f"a maze's theme is {theme!r}, expected 0 to {themes - 1}")
    wrong = (faces != 0) != walls
    if wrong.any():
        row, col, side = np.argwhere(wrong)[0]
        found = "no wall but a face" if faces[row, col, side] else "a wall without a face"
        raise InputError(f"{_place(row, col)} has {found} to the {SIDE_NAMES[side]}: faces are where walls are")
    if not known[faces].all():
        row, col, side = np.argwhere(~known[faces])[0]
        raise InputError(f"{_place(row, col)} has the face code {faces[row, col, side]}, which no picture has")


def checked_things(open: npt.NDArray[np.bool_], things: Mapping[str, Iterable[Any]]) -> dict[str, Cells]:
    """The cells of each kind of thing as pairs of plain integers.

    Args:
        open: [rows, cols].
        things: cells by kind; `spawns` are places to start at, which may hold a thing.

    Raises:
        InputError: a cell that isn't a pair of integers or isn't open, or one that is named twice.
    """
    checked: dict[str, Cells] = {}
    taken: dict[tuple[int, int], str] = {}
    for kind, cells in things.items():
        pairs = []
        own: dict[tuple[int, int], str] = {} if kind == "spawns" else taken
        for cell in cells:
            row, col = _pair(kind, cell)
            if not (0 <= row < open.shape[0] and 0 <= col < open.shape[1] and open[row, col]):
                raise InputError(f"{_place(row, col)} is among the maze's {kind}, but isn't an open cell")
            if (row, col) in own:
                raise InputError(f"{_place(row, col)} is among the maze's {kind} and, before, {own[row, col]}: a cell holds one")
            own[row, col] = kind
            pairs.append((row, col))
        checked[kind] = tuple(pairs)
    return checked


def _pair(kind: str, cell: Any) -> tuple[int, int]:
    try:
        row, col = cell
        return operator.index(row), operator.index(col)
    except (TypeError, ValueError) as error:
        raise InputError(f"a maze's {kind} hold {str(cell)[:60]!r}, expected a (row, column) of integers") from error


def _place(row: int, col: int) -> str:
    return f"the cell in row {row}, column {col}"
