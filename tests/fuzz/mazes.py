"""Texts of mazes, thin and block: read, written, made into a task and played."""

import warnings
from pathlib import Path
from random import Random

import numpy as np

from env.backends import make_batch
from env.registry import task_from_file
from maze_gen.catalogue import CATALOGUE, catalogue_maze
from maze_gen.errors import Note
from maze_gen.text import as_block, read_maze, write_maze

LETTERS = "* PASGHI\t\r\n\x00axé.\u2028\U0001f600"


def _text(random: Random) -> str:
    pick = random.random()
    if pick < 0.3:
        rows, cols = random.randrange(1, 9), random.randrange(1, 9)
        return "\n".join("".join(random.choice("*** PASG") for _ in range(random.randrange(cols + 1))) for _ in range(rows))
    if pick < 0.5:
        return "".join(random.choice(LETTERS) for _ in range(random.randrange(200)))
    if pick < 0.6:
        rows, cols = random.randrange(1, 6), random.randrange(1, 6)
        lines = [["*"] * (2 * cols + 1) for _ in range(2 * rows + 1)]
        for row in range(1, 2 * rows):
            for col in range(1, 2 * cols):
                cell = row % 2 and col % 2
                lines[row][col] = random.choice("    PASG*" if cell else "*  ")
        return "\n".join(map("".join, lines)) + "\n"
    text = list(write_maze(catalogue_maze(random.choice(sorted(CATALOGUE)))))
    for _ in range(random.choice((0, 1, 1, 2, 5, 50))):
        place = random.randrange(len(text))
        pick = random.randrange(3)
        if pick == 0:
            text[place] = random.choice(LETTERS)
        elif pick == 1:
            del text[place]
        else:
            text.insert(place, random.choice(LETTERS))
    return "".join(text)


def run(random: Random, folder: Path) -> None:
    """Reads a text, writes it, reads it again, and plays a few steps in it."""
    text, geometry = _text(random), random.choice(("thin", "block"))
    path = folder / "maze.txt"
    path.write_bytes(text.encode("utf-8", "surrogatepass") if random.random() < 0.95 else text.encode("utf-16", "surrogatepass"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Note)
        task = task_from_file(path, geometry=geometry, spawn_distance=random.choice((None, None, None, 0, 1, 5, 1000)))
    maze = task.mazes[0]
    assert read_maze(write_maze(maze), geometry).layout_digest == maze.layout_digest
    as_block(maze)
    if maze.rows * maze.cols <= 1000:
        with make_batch(task, 2, observe=("velocity",)) as env:
            env.reset(random.randrange(2**63))
            for _ in range(3):
                env.step(np.array([random.randrange(8) for _ in range(2)]))
