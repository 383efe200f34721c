"""Reading mazes from text and writing them.

`*` is wall, a space is floor, `P` a spawn, `A` an apple, `S` a strawberry, `G` a goal; an agent can enter everything but `*`. In
`thin` text the characters at odd rows and odd columns (counted from 0) are the cells, and a character between two cells is `*`
where there is a wall; the posts at even rows and even columns have no meaning but must be `*` on the border. In `block` text
every character is a cell.

`block` text follows the rules of DeepMind Lab's text levels: empty lines are ignored; the longest line gives the width, and what
shorter ones lack is wall; `H` and `I`, Lab's doors, are open passages; every other printable character is floor; the border need
not be wall, because what lies outside is. `thin` text is of this project, and strict.

Text has no decoration. `read_maze` derives it from the layout, so that reading a text twice gives equal mazes, and so does
writing and reading back a maze that was read or generated.
"""

import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt

from maze_gen.decoration import default_seed, redecorated
from maze_gen.errors import InputError, Note
from maze_gen.maze import EAST, NORTH, SOUTH, WEST, Cell, Decoration, Geometry, Maze

WALL, FLOOR, SPAWN, APPLE, STRAWBERRY, GOAL = "* PASG"
DOORS = "HI"
LARGEST_TEXT = 1 << 20
"""Bytes; larger files are rejected without being parsed, and lines that make a larger grid."""


def read_maze(text: str, geometry: Geometry = "thin", origin: str = "<text>") -> Maze:
    """Reads a maze from its text.

    Args:
        text: lines, of equal length where it is `thin`; empty lines at the end don't count.
        geometry: `thin` or `block`.
        origin: name of the text's source, for error messages.

    Characters of `block` text that mean nothing here are floor, and doors are open; a `Note` says how many there are.

    Raises:
        InputError: the text isn't a maze; the message has the origin and, where known, line and column, counted from 1.
    """
    if geometry not in ("thin", "block"):
        raise InputError(f"{origin}: unknown geometry {geometry!r}: expected thin or block")
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    if lines == [""]:
        raise InputError(f"{origin}: the maze is empty: expected lines of '{WALL}' and spaces")
    if geometry == "thin":
        characters = _thin_characters(lines, origin)
        _check_thin(characters, origin)
        _check_border(characters, origin)
        cells = characters[1::2, 1::2]
        open, walls = _thin_walls(characters)
    else:
        cells = _block_characters(lines, origin)
        open = cells != WALL
        walls = block_walls(open)
    if not open.any():
        raise InputError(f"{origin}: no cell that one can stand in: expected at least one that isn't '{WALL}'")
    return with_default_decoration(
        plain_maze(
            geometry,
            open,
            walls,
            spawns=_places(cells, SPAWN),
            apples=_places(cells, APPLE),
            strawberries=_places(cells, STRAWBERRY),
            goals=_places(cells, GOAL),
        )
    )


def load_maze(path: str | Path, geometry: Geometry = "thin") -> Maze:
    """Reads a maze from a file.

    Raises:
        InputError: the file can't be read, or isn't a maze; the message names it.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST_TEXT + 1)
    except OSError as error:
        raise InputError(f"{path}: can't read the maze: {error.strerror or error}") from error
    if len(content) > LARGEST_TEXT:
        raise InputError(f"{path}: not a maze: larger than {LARGEST_TEXT} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a maze: byte {error.start + 1} isn't UTF-8 text") from error
    return read_maze(text, geometry, str(path))


def write_maze(maze: Maze) -> str:
    """The text of a maze, a line break after every line.

    Raises:
        InputError: a cell holds two things, which text can't represent.
    """
    characters = np.where(block_open(maze), FLOOR, WALL)
    cells = characters[1::2, 1::2] if maze.geometry == "thin" else characters
    roles = ((SPAWN, maze.spawns), (APPLE, maze.apples), (STRAWBERRY, maze.strawberries), (GOAL, maze.goals))
    for character, places in roles:
        for row, col in places:
            if cells[row, col] != FLOOR:
                raise InputError(
                    f"cell ({row}, {col}) would be {character!r} but is {str(cells[row, col])!r} already: text holds one a cell"
                )
            cells[row, col] = character
    return "".join("".join(line) + "\n" for line in characters.tolist())


def block_open(maze: Maze) -> npt.NDArray[np.bool_]:
    """[lines, columns] bool: the characters of the maze's text that aren't wall; equal for a thin maze and its block maze."""
    return _thin_floor(maze) if maze.geometry == "thin" else maze.open


def as_block(maze: Maze) -> Maze:
    """The block maze of a thin maze's text: every character becomes a cell of 100 units. A block maze stays what it is.

    Raises:
        InputError: a cell holds two things.
    """
    return maze if maze.geometry == "block" else read_maze(write_maze(maze), "block")


def block_walls(open: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """[rows, cols, 4] bool: an open cell has a wall on every side where its neighbour is solid or outside."""
    padded = np.pad(open, 1)
    walls = np.zeros((*open.shape, 4), dtype=np.bool_)
    walls[..., EAST] = open & ~padded[1:-1, 2:]
    walls[..., NORTH] = open & ~padded[:-2, 1:-1]
    walls[..., WEST] = open & ~padded[1:-1, :-2]
    walls[..., SOUTH] = open & ~padded[2:, 1:-1]
    return walls


def plain_maze(
    geometry: Geometry,
    open: npt.NDArray[np.bool_],
    walls: npt.NDArray[np.bool_],
    spawns: tuple[Cell, ...] = (),
    apples: tuple[Cell, ...] = (),
    strawberries: tuple[Cell, ...] = (),
    goals: tuple[Cell, ...] = (),
) -> Maze:
    """A maze of theme 0 whose walls all have the plain face."""
    # PLAIN_FACE is 1.
    return Maze(geometry, open, walls, Decoration(0, walls.astype(np.uint8)), spawns, apples, strawberries, goals)


def with_default_decoration(maze: Maze) -> Maze:
    """The maze with the decoration that follows from its layout alone, as that of a maze read from text."""
    return redecorated(maze, default_seed(maze.layout_digest))


def _thin_characters(lines: list[str], origin: str) -> npt.NDArray[np.str_]:
    """[lines, columns] of single characters, all of them known."""
    width = len(lines[0])
    known = {WALL, FLOOR, SPAWN, APPLE, STRAWBERRY, GOAL}
    for number, line in enumerate(lines, 1):
        if unknown := set(line) - known:
            column = min(line.index(character) for character in unknown)
            hint = "; is it a text level of DeepMind Lab? then --geometry block reads it" if line[column].isprintable() else ""
            raise InputError(
                f"{origin}: line {number}, column {column + 1}: unknown character {line[column]!r}: "
                f"expected '{WALL}' wall, space floor, P spawn, A apple, S strawberry or G goal{hint}"
            )
        if len(line) != width:
            raise InputError(
                f"{origin}: line {number}, column {min(len(line), width) + 1}: "
                f"{len(line)} characters: expected {width} as in line 1"
            )
    return np.array([list(line) for line in lines])


def _block_characters(lines: list[str], origin: str) -> npt.NDArray[np.str_]:
    """[lines, columns] of single characters by DeepMind Lab's rules; those that it doesn't know are floor."""
    found: Counter[str] = Counter()
    for number, line in enumerate(lines, 1):
        if not line.isprintable():
            column = next(column for column, character in enumerate(line) if not character.isprintable())
            raise InputError(
                f"{origin}: line {number}, column {column + 1}: unknown character {line[column]!r}: expected '{WALL}' wall, "
                "or a character that can be printed"
            )
        found.update(line)
    lines = [line for line in lines if line]
    width = max(map(len, lines))
    if len(lines) * width > LARGEST_TEXT:
        raise InputError(
            f"{origin}: {len(lines)} lines and a longest one of {width} characters: expected {LARGEST_TEXT} cells at most"
        )
    _note_others(found, origin)
    return np.array([list(line.ljust(width, WALL)) for line in lines])


def _note_others(found: Counter[str], origin: str) -> None:
    """Warns of characters that have no meaning here."""
    doors = sum(found[character] for character in DOORS)
    others = {character: count for character, count in found.items() if character not in {*DOORS, *"* PASG"}}
    parts = []
    if doors:
        parts.append(f"{doors} door{'s' * (doors > 1)} (H, I) {'are open passages' if doors > 1 else 'is an open passage'}")
    if others:
        count = sum(others.values())
        names = ", ".join(sorted(others)[:8]) + ("…" if len(others) > 8 else "")
        parts.append(f"{count} other character{'s' * (count > 1)} ({names}) {'are' if count > 1 else 'is'} floor")
    if parts:
        warnings.warn(f"{origin}: {' and '.join(parts)}", Note, stacklevel=4)


def _check_thin(characters: npt.NDArray[np.str_], origin: str) -> None:
    height, width = characters.shape
    for what, size in (("lines", height), ("columns", width)):
        if size % 2 == 0 or size < 3:
            raise InputError(
                f"{origin}: line {height}, column {width}: {size} {what}: thin mazes have an odd number, at least 3 "
                "(a wall before, between and after cells)"
            )
    between = np.ones(characters.shape, dtype=np.bool_)
    between[1::2, 1::2] = False
    for row, col in np.argwhere(between & (characters != WALL) & (characters != FLOOR)):
        raise InputError(
            f"{origin}: line {row + 1}, column {col + 1}: {str(characters[row, col])!r} stands between cells: "
            "in thin mazes things lie on even lines and even columns"
        )


def _check_border(characters: npt.NDArray[np.str_], origin: str) -> None:
    border = np.ones(characters.shape, dtype=np.bool_)
    border[1:-1, 1:-1] = False
    for row, col in np.argwhere(border & (characters != WALL)):
        raise InputError(
            f"{origin}: line {row + 1}, column {col + 1}: the border is open ({str(characters[row, col])!r}): expected '{WALL}'"
        )


def _thin_walls(characters: npt.NDArray[np.str_]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    solid = characters == WALL
    open = ~solid[1::2, 1::2]
    walls = block_walls(open)
    walls[..., EAST] |= open & solid[1::2, 2::2]
    walls[..., NORTH] |= open & solid[:-1:2, 1::2]
    walls[..., WEST] |= open & solid[1::2, :-1:2]
    walls[..., SOUTH] |= open & solid[2::2, 1::2]
    return open, walls


def _thin_floor(maze: Maze) -> npt.NDArray[np.bool_]:
    rows, cols = maze.rows, maze.cols
    passage = maze.open[..., None] & ~maze.walls
    floor = np.zeros((2 * rows + 1, 2 * cols + 1), dtype=np.bool_)
    floor[1::2, 1::2] = maze.open
    floor[1:-1:2, 2:-1:2] = passage[:, :-1, EAST]
    floor[2:-1:2, 1:-1:2] = passage[:-1, :, SOUTH]
    # A post stands where a wall ends at it.
    floor[2:-1:2, 2:-1:2] = floor[1:-3:2, 2:-1:2] & floor[3:-1:2, 2:-1:2] & floor[2:-1:2, 1:-3:2] & floor[2:-1:2, 3:-1:2]
    return floor


def _places(cells: npt.NDArray[np.str_], character: str) -> tuple[Cell, ...]:
    return tuple((row, col) for row, col in np.argwhere(cells == character).tolist())
