"""Mazes to train on and mazes to be tested on, which never coincide.

A maze belongs to `heldout` if the hash of its layout's text, without things, falls into a fixed quarter of all hashes, else to
`train`: that is a property of the layout, so no seed, size or parameter can put one layout into both. A thin maze and the block
maze of its text have the same layout's text and are in the same split. The catalogue's layouts are all in `train`.
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
"""Mazes drawn in vain, one after the other, before a split counts as having no more."""


def split_of(maze: Maze) -> Literal["train", "heldout"]:
    """The split that a layout belongs to; things and decoration don't count."""
    return "heldout" if _key(maze)[0] < 64 else "train"


def maze_of_split(config: GeneratorConfig, split: Split, seed: int) -> Maze:
    """The maze that `mazes_of_split` begins with.

    Raises:
        InputError: an unknown split, or no layout of it can be found (tiny sizes have few).
    """
    return mazes_of_split(config, split, seed, 1)[0]


def mazes_of_split(config: GeneratorConfig, split: Split, seed: int, count: int) -> tuple[Maze, ...]:
    """`count` mazes of the split, no two of which have the same layout; more of them begin with the same ones.

    Raises:
        InputError: an unknown split, a count below 1, or fewer layouts than that can be found.
    """
    _check(split)
    if count < 1:
        raise InputError(f"{count} mazes: expected at least 1")
    mazes: dict[bytes, Maze] = {}
    vain = 0
    attempt = 0
    while len(mazes) < count:
        maze = generate_plain(config, seed_from("mazes of a split", seed, attempt))
        attempt += 1
        key = _key(maze)
        if key not in mazes and split in ("any", split_of(maze)):
            mazes[key] = maze
            vain = 0
            continue
        vain += 1
        if vain == TRIES:
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
