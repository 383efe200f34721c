"""Appearance of a maze's walls: a theme, runs of coloured wall, and landmark pictures that occur once each."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from maze_gen.errors import InputError
from maze_gen.maze import (
    COLOURED_FACES,
    EAST,
    FIRST_LANDMARK_FACE,
    LANDMARKS,
    NORTH,
    PLAIN_FACE,
    SOUTH,
    STEPS,
    THEMES,
    WEST,
    Decoration,
    Maze,
)
from maze_gen.rng import RandomStream, seed_from

COLOURED_FRACTION = 0.4
"""Fraction of the runs of wall that have a colour of their own."""
LONGEST_RUN = 6
"""Largest number of wall faces in a run of one colour."""


def landmark_count(open_cells: int) -> int:
    """Number of landmark pictures in a maze with that many open cells.

    14 in 5 x 10 cells, 34 in 9 x 15 and 57 in 13 x 20, as in the released levels (14, 33-35, 54-61); interpolated linearly
    between those sizes, and LANDMARKS at most.
    """
    return int(np.interp(open_cells, (0, 50, 135, 260, 300), (0, 14, 34, 57, LANDMARKS)))


def decorate(open: npt.NDArray[np.bool_], walls: npt.NDArray[np.bool_], seed: int, landmarks: int | None = None) -> Decoration:
    """Draws a random appearance of every wall.

    Args:
        open: [rows, cols] bool, as in `Maze`.
        walls: [rows, cols, 4] bool, as in `Maze`.
        seed: any integer; the same seed gives the same decoration on every machine.
        landmarks: number of pictures, at most LANDMARKS; `landmark_count` of the open cells by default. Where there are fewer
            wall faces than that, every face has one.

    Raises:
        InputError: `landmarks` is out of range.
    """
    if landmarks is not None and not 0 <= landmarks <= LANDMARKS:
        raise InputError(f"{landmarks} landmarks: expected 0 to {LANDMARKS}, because each picture occurs once")
    random = RandomStream(seed_from("decoration", seed))
    theme = random.below(THEMES)
    faces = np.where(walls, PLAIN_FACE, 0).astype(np.uint8)
    for run in _runs(open, walls, random):
        if random.chance(COLOURED_FRACTION):
            colour = PLAIN_FACE + 1 + random.below(COLOURED_FACES)
            for row, col, side in run:
                faces[row, col, side] = colour
    count = landmark_count(int(open.sum())) if landmarks is None else landmarks
    pictures = random.shuffled(range(LANDMARKS))
    for picture, (row, col, side) in zip(pictures, _spread(walls, count, random), strict=False):
        faces[row, col, side] = FIRST_LANDMARK_FACE + picture
    return Decoration(theme, faces)


def redecorated(maze: Maze, seed: int, landmarks: int | None = None) -> Maze:
    """The same maze with the decoration of another seed."""
    return replace(maze, decoration=decorate(maze.open, maze.walls, seed, landmarks))


def default_seed(layout_digest: str) -> int:
    """Seed of the decoration of a maze of which only the layout is known, such as one read from text."""
    return seed_from("default decoration", layout_digest)


def _runs(open: npt.NDArray[np.bool_], walls: npt.NDArray[np.bool_], random: RandomStream) -> list[list[tuple[int, int, int]]]:
    """Splits the walls into runs of neighbouring faces that lie in one plane and are seen from one corridor."""
    rows, cols = open.shape
    has_wall = walls.tolist()
    runs: list[list[tuple[int, int, int]]] = []
    for side, along in ((EAST, SOUTH), (NORTH, EAST), (WEST, SOUTH), (SOUTH, EAST)):
        step_row, step_col = STEPS[along]
        for row in range(rows):
            for col in range(cols):
                if not has_wall[row][col][side]:
                    continue
                before_row, before_col = row - step_row, col - step_col
                goes_on = (
                    before_row >= 0
                    and before_col >= 0
                    and has_wall[before_row][before_col][side]
                    and not has_wall[before_row][before_col][along]
                )
                if goes_on:
                    continue
                run = [(row, col, side)]
                while not has_wall[row + step_row * (len(run) - 1)][col + step_col * (len(run) - 1)][along]:
                    following = (row + step_row * len(run), col + step_col * len(run))
                    if not has_wall[following[0]][following[1]][side]:
                        break
                    run.append((*following, side))
                while run:
                    length = random.between(2, LONGEST_RUN)
                    runs.append(run[:length])
                    run = run[length:]
    return runs


def _spread(walls: npt.NDArray[np.bool_], count: int, random: RandomStream) -> list[tuple[int, int, int]]:
    """Chooses faces far from one another: each is in a cell with the longest path to the cells chosen before."""
    rows, cols = walls.shape[:2]
    faces = np.argwhere(walls)
    if not len(faces) or not count:
        return []
    cells = faces[:, 0] * cols + faces[:, 1]
    closed = walls.reshape(-1, 4).tolist()
    jumps = [step_row * cols + step_col for step_row, step_col in STEPS]
    far = rows * cols
    nearest = [far] * far
    left = np.ones(len(faces), dtype=np.bool_)
    chosen: list[tuple[int, int, int]] = []
    pick = random.below(len(faces))
    for _ in range(min(count, len(faces))):
        row, col, side = faces[pick].tolist()
        chosen.append((row, col, side))
        left[pick] = False
        # Only cells that the new picture is nearer to than all others are walked through again.
        front, distance = [row * cols + col], 0
        while front:
            front = [cell for cell in front if nearest[cell] > distance]
            for cell in front:
                nearest[cell] = distance
            distance += 1
            front = list({cell + jumps[way] for cell in front for way in range(4) if not closed[cell][way]})
        tie_break = (random.array(len(faces)) >> np.uint64(54)).astype(np.int64)
        pick = int(np.argmax(np.where(left, np.array(nearest)[cells] * 1024 + tie_break, -1)))
    return chosen
