"""The mazes of the procedural tasks, drawn beforehand: reading them takes a hundredth of the time that drawing takes.

A file `pools/ROWSxCOLS-SPLIT.npz` holds the first mazes of `mazes_of_split(GeneratorConfig(rows, cols), split, seed=0)`, and for
each the attempt that drew it, so that a test can draw any of them again. `python -m maze_gen.pools` writes the files anew after
a change of the generator or of the decoration.
"""

import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from maze_gen.console import say
from maze_gen.decoration import default_seed, redecorated
from maze_gen.generator import GeneratorConfig, generate_plain
from maze_gen.maze import Decoration, Maze
from maze_gen.rng import seed_from
from maze_gen.splits import Split, mazes_of_split

POOLS = Path(__file__).parent / "pools"

DRAWN: tuple[tuple[int, int, Split, int], ...] = (
    (5, 10, "train", 1000),
    (5, 10, "heldout", 100),
    (9, 15, "train", 1000),
    (9, 15, "heldout", 100),
)
"""(rows, cols, split, mazes) of each file."""


def pool_of_split(config: GeneratorConfig, split: Split, count: int) -> tuple[Maze, ...]:
    """`mazes_of_split(config, split, 0, count)`, read from a file where one holds so many; kept for the next call.

    Raises:
        InputError: as `mazes_of_split`.
    """
    for rows, cols, drawn_split, most in DRAWN:
        if config == GeneratorConfig(rows, cols) and split == drawn_split and 1 <= count <= most:
            return _read(_path(rows, cols, split))[:count]
    return _draw(config, split, count)


@cache
def _draw(config: GeneratorConfig, split: Split, count: int) -> tuple[Maze, ...]:
    return mazes_of_split(config, split, 0, count)


def _path(rows: int, cols: int, split: str) -> Path:
    return POOLS / f"{rows}x{cols}-{split}.npz"


@cache
def _read(path: Path) -> tuple[Maze, ...]:
    with np.load(path, allow_pickle=False) as arrays:
        themes, faces = arrays["themes"].tolist(), arrays["faces"]
    walls = faces != 0
    open = np.ones(faces.shape[1:3], dtype=np.bool_)
    return tuple(Maze("thin", open, walls[index], Decoration(theme, faces[index])) for index, theme in enumerate(themes))


def draw_pool(rows: int, cols: int, split: Split, count: int) -> dict[str, npt.NDArray[Any]]:
    """What a file holds of `count` mazes.

    Returns:
        `attempts` [count] uint16 (`attempt` draws the maze of that index), `themes` [count] uint8, and `faces`
        [count, rows, cols, 4] uint8, as `Decoration.faces`; every cell is open, and a wall stands where a face isn't 0.
    """
    config = GeneratorConfig(rows, cols)
    mazes = mazes_of_split(config, split, 0, count)
    places = {maze.layout_digest: index for index, maze in enumerate(mazes)}
    attempts: dict[int, int] = {}
    number = 0
    while len(attempts) < count:
        index = places.get(attempt(config, number).layout_digest)
        if index is not None:
            attempts.setdefault(index, number)
        number += 1
    return {
        "attempts": np.array([attempts[index] for index in range(count)], dtype=np.uint16),
        "themes": np.array([maze.decoration.theme for maze in mazes], dtype=np.uint8),
        "faces": np.stack([maze.decoration.faces for maze in mazes]),
    }


def attempt(config: GeneratorConfig, number: int, decorate: bool = False) -> Maze:
    """What `mazes_of_split` drew at its attempt `number` with seed 0, in whatever split it is."""
    maze = generate_plain(config, seed_from("mazes of a split", 0, number))
    return redecorated(maze, default_seed(maze.layout_digest)) if decorate else maze


def main() -> None:
    """Draws every file anew."""
    POOLS.mkdir(exist_ok=True)
    for rows, cols, split, count in DRAWN:
        np.savez_compressed(_path(rows, cols, split), **draw_pool(rows, cols, split, count))  # type: ignore[arg-type]
        say(f"wrote {_path(rows, cols, split)}: {count} mazes", file=sys.stderr)


if __name__ == "__main__":
    main()
