"""Training and held-out mazes, which never coincide.

A maze belongs to `heldout` if the hash of its layout's text, without items, falls into a fixed quarter of all hashes, and to
`train` otherwise. This is a property of the layout, so that no seed, size or parameter can put one layout into both. A thin
maze and the block maze of its text have the same layout text and are in the same split. The catalogue's layouts are all in
`train`.
"""

import hashlib
from typing import Literal

import numpy as np

from maze_gen.errors import InputError
from maze_gen.generator import GeneratorConfig, generate_plain
from maze_gen.maze import Maze
from maze_gen.rng import seed_from
from maze_gen.text import block_open, with_default_decoration

Split = Literal["train", "heldout", "any"]
SPLITS: tuple[Split, ...] = ("train", "heldout", "any")

TRIES = 1000
"""Consecutive rejected samples after which a split counts as exhausted."""


def split_of(maze: Maze) -> Literal["train", "heldout"]:
    """The split of a maze's layout; items and decoration have no influence."""
    return "heldout" if _key(maze)[0] < 64 else "train"


def maze_of_split(config: GeneratorConfig, split: Split, seed: int) -> Maze:
    """The first maze of `mazes_of_split`.

    Raises:
        InputError: an unknown split, or no layout of it can be found (tiny sizes have few).
    """
    return mazes_of_split(config, split, seed, 1)[0]


def mazes_of_split(config: GeneratorConfig, split: Split, seed: int, count: int) -> tuple[Maze, ...]:
    """`count` mazes of the split with distinct layouts; a larger `count` only appends mazes.

    Raises:
        InputError: an unknown split, a count below 1, or fewer layouts than that can be found.
    """
    _check(split)
    if count < 1:
        raise InputError(f"{count} mazes: expected at least 1")
    mazes: dict[bytes, Maze] = {}
    rejected = 0
    attempt = 0
    while len(mazes) < count:
        maze = generate_plain(config, seed_from("mazes of a split", seed, attempt))
        attempt += 1
        key = _key(maze)
        if key not in mazes and split in ("any", split_of(maze)):
            mazes[key] = maze
            rejected = 0
            continue
        rejected += 1
        if rejected == TRIES:
            raise InputError(_too_few(config, split, count, len(mazes)))
    return tuple(with_default_decoration(maze) for maze in mazes.values())


def _key(maze: Maze) -> bytes:
    floor = block_open(maze)
    return hashlib.sha256(f"walls {floor.shape[0]}x{floor.shape[1]}\n".encode() + np.packbits(floor).tobytes()).digest()


def _check(split: str) -> None:
    if split not in SPLITS:
        raise InputError(f"split {split!r}: expected one of {', '.join(SPLITS)}")


def _too_few(config: GeneratorConfig, split: str, wanted: int, found: int) -> str:
    return (
        f"{wanted} different layouts of {config.rows}x{config.cols} cells in split {split}: found {found}, then {TRIES} draws "
        "without a new one: ask for fewer or for larger mazes"
    )
