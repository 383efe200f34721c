"""The maze as an immutable value, from which text files, the engine's arrays and DeepMind Lab levels are made.

There is one coordinate frame in the whole project (`Maze.center`, `Maze.cell_at`): x to the right and y up on the map, in
units; a cell is 100 units wide; the lower left corner of the grid is (0, 0); row 0 is the top row, the one with the largest y. A
heading of 0 looks along +x and grows counter-clockwise, in degrees.
"""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from maze_gen.errors import InputError
from maze_gen.proof import check_array, check_faces, check_walls, checked_things

CELL_UNITS = 100.0

Cell = tuple[int, int]
"""(row, column); row 0 is the top of the map."""

Geometry = Literal["thin", "block"]
"""`thin`: walls stand on the edges between cells. `block`: a solid cell is a block of wall; walls have no ceiling."""

EAST, NORTH, WEST, SOUTH = range(4)
"""The sides of a cell, in the order of growing heading; the last axis of `Maze.walls` and of `Decoration.faces`."""

STEPS: tuple[Cell, Cell, Cell, Cell] = ((0, 1), (-1, 0), (0, -1), (1, 0))
"""(row, column) step that leaves a cell through each side, in the order EAST, NORTH, WEST, SOUTH."""

PLAIN_FACE = 1
COLOURED_FACES = 4
"""Wall colours beside the theme's plain one: face codes 2 to 5."""
FIRST_LANDMARK_FACE = 16
LANDMARKS = 64
"""Distinct landmark pictures: face codes 16 to 79. A maze shows each at most once."""
THEMES = 5

_KNOWN_FACES = np.zeros(256, dtype=np.bool_)
_KNOWN_FACES[: PLAIN_FACE + COLOURED_FACES + 1] = True
_KNOWN_FACES[FIRST_LANDMARK_FACE : FIRST_LANDMARK_FACE + LANDMARKS] = True


@dataclass(frozen=True, eq=False)
class Decoration:
    """Appearance of a maze's walls.

    Attributes:
        theme: family of textures, 0 to THEMES - 1.
        faces: [rows, cols, 4] uint8, the code of the wall on each side of an open cell, seen from inside that cell: 0 where
            there is no wall, PLAIN_FACE, 2 to 5 a coloured wall, FIRST_LANDMARK_FACE + k a wall with picture k.
    """

    theme: int
    faces: npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Maze:
    """A maze: cells, walls on the edges between them, items and spawns in the cells, and the decoration of the walls.

    Attributes:
        geometry: form of the maze's text, and whether there is a ceiling (`thin`) or sky (`block`).
        open: [rows, cols] bool, the cells that an agent can enter.
        walls: [rows, cols, 4] bool, whether an open cell has a wall on its EAST, NORTH, WEST, SOUTH side; all False for a
            solid cell. Two open neighbours agree about the wall between them; an open cell has walls towards solid cells and
            towards the outside.
        spawns: cells where an agent may start; empty means every open cell.
        apples, strawberries: cells of fruit; a cell holds at most one thing.
        goals: cells where the goal may be; empty means every open cell without fruit.
        decoration: appearance of the walls; its faces are nonzero exactly where `walls` is True.

    Two mazes are equal if all of these are. Whoever makes one, it is proved when it is made.

    Raises:
        InputError: these are no maze; the message names the cell.
    """

    geometry: Geometry
    open: npt.NDArray[np.bool_]
    walls: npt.NDArray[np.bool_]
    decoration: Decoration
    spawns: tuple[Cell, ...] = ()
    apples: tuple[Cell, ...] = ()
    strawberries: tuple[Cell, ...] = ()
    goals: tuple[Cell, ...] = field(default=())

    def __post_init__(self) -> None:
        if not isinstance(self.geometry, str) or self.geometry not in ("thin", "block"):
            raise InputError(f"a maze's geometry is {self.geometry!r}, expected thin or block")
        check_array("open", self.open, (None, None), np.bool_)
        check_array("walls", self.walls, (self.rows, self.cols, 4), np.bool_)
        check_array("faces", self.decoration.faces, (self.rows, self.cols, 4), np.uint8)
        check_walls(self.open, self.walls, self.geometry == "block")
        check_faces(self.decoration.theme, self.decoration.faces, self.walls, THEMES, _KNOWN_FACES)
        kinds = ("spawns", "apples", "strawberries", "goals")
        for kind, cells in checked_things(self.open, {kind: getattr(self, kind) for kind in kinds}).items():
            object.__setattr__(self, kind, cells)
        for array in (self.open, self.walls, self.decoration.faces):
            array.setflags(write=False)

    @property
    def rows(self) -> int:
        return self.open.shape[0]

    @property
    def cols(self) -> int:
        return self.open.shape[1]

    @cached_property
    def layout_digest(self) -> str:
        """SHA-256 of geometry and walls alone, hexadecimal: mazes of two splits never share it."""
        content = hashlib.sha256(f"{self.geometry} {self.rows}x{self.cols}\n".encode())
        content.update(np.packbits(self.open).tobytes())
        content.update(np.packbits(self.walls).tobytes())
        return content.hexdigest()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the whole content, hexadecimal, the same on every machine."""
        things = (self.spawns, self.apples, self.strawberries, self.goals)
        content = hashlib.sha256(f"{self.layout_digest}\n{things}\n{self.decoration.theme}\n".encode())
        content.update(self.decoration.faces.tobytes())
        return content.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Maze) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def center(self, cell: Cell) -> tuple[float, float]:
        """(x, y) in units of the middle of a cell."""
        row, col = cell
        return (col + 0.5) * CELL_UNITS, (self.rows - row - 0.5) * CELL_UNITS

    def cell_at(self, x: float, y: float) -> Cell:
        """The cell that contains the point (x, y), in units; the nearest cell of the grid for points outside."""
        col = int(np.clip(x // CELL_UNITS, 0, self.cols - 1))
        row = int(np.clip(self.rows - 1 - y // CELL_UNITS, 0, self.rows - 1))
        return row, col
