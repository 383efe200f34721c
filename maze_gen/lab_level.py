"""Mazes as DeepMind Lab text levels: an entity layer and a variations layer.

A text level consists of blocks, so a thin maze is exported as the block maze of its text: 2 rows + 1 by 2 cols + 1 characters,
each 100 units wide. Lab's map maker puts a wall wherever an open character meets a `*`, spawns agents at `P`, and passes `A`,
`S` and `G` (apple, strawberry, goal) to the level's script. A variation is a letter of a cell that selects the texture of its
walls.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maze_gen.errors import InputError
from maze_gen.files import write_whole
from maze_gen.maze import COLOURED_FACES, PLAIN_FACE, Maze
from maze_gen.text import FLOOR, SPAWN, as_block, write_maze

NO_VARIATION = "."


@dataclass(frozen=True)
class LabText:
    """The two layers of a text level, of equal lines and columns, every line with its line break."""

    entities: str
    variations: str


def lab_text(maze: Maze) -> LabText:
    """The text level of a maze.

    Lab requires spawns: a maze without spawns of its own gets one on every cell that holds nothing (every cell of the thin maze,
    not the passages between cells). A cell's variation is the most frequent colour among its walls, A to D, and none where all
    are plain.
    """
    block = as_block(maze)
    entities = [list(line) for line in write_maze(block).splitlines()]
    if not maze.spawns:
        for row, col in np.argwhere(maze.open).tolist():
            place = (2 * row + 1, 2 * col + 1) if maze.geometry == "thin" else (row, col)
            if entities[place[0]][place[1]] == FLOOR:
                entities[place[0]][place[1]] = SPAWN
    counts = np.stack(
        [(block.decoration.faces == PLAIN_FACE + 1 + colour).sum(axis=2) for colour in range(COLOURED_FACES)], axis=2
    )
    commonest = counts.argmax(axis=2)
    letters = np.array([chr(ord("A") + colour) for colour in range(COLOURED_FACES)])[commonest]
    variations = np.where(counts.max(axis=2) > 0, letters, NO_VARIATION)
    return LabText(_lines(entities), _lines(variations.tolist()))


def save_lab_text(maze: Maze, path: str | Path) -> tuple[Path, Path]:
    """Writes `PATH.entities.txt` and `PATH.variations.txt`, and returns their paths.

    Raises:
        InputError: `path` has no file name, or the files can't be written.
    """
    if not Path(path).name:
        raise InputError(f"{path}: expected the beginning of a file's name")
    level = lab_text(maze)
    entities, variations = Path(f"{path}.entities.txt"), Path(f"{path}.variations.txt")
    write_whole(entities, level.entities.encode())
    write_whole(variations, level.variations.encode())
    return entities, variations


def _lines(characters: list[list[str]]) -> str:
    return "".join("".join(line) + "\n" for line in characters)
