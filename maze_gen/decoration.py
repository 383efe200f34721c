"""How the walls of a maze look: a theme, stretches of coloured wall, and pictures that occur once each."""

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
from maze_gen.rng import Draws, seed_from

COLOURED_SHARE = 0.4
"""Share of the stretches of wall that have a colour of their own."""
LONGEST_STRETCH = 6
"""Faces of wall that one colour covers at most."""


def landmark_count(open_cells: int) -> int:
    """Pictures in a maze of that many open cells.

    14 in 5 x 10 cells, 34 in 9 x 15 and 57 in 13 x 20, as the released levels have (14, 33-35, 54-61); straight lines between
    those, and never more than there are pictures.
    """
    return int(np.interp(open_cells, (0, 50, 135, 260, 300), (0, 14, 34, 57, LANDMARKS)))


def decorate(open: npt.NDArray[np.bool_], walls: npt.NDArray[np.bool_], seed: int, landmarks: int | None = None) -> Decoration:
    """Draws the look of every wall.

    Args:
        open: [rows, cols] bool, as in `Maze`.
        walls: [rows, cols, 4] bool, as in `Maze`.
        seed: any integer; the same one gives the same look on every machine.
        landmarks: how many pictures, at most LANDMARKS; `landmark_count` of the open cells without it. Where there are fewer
            faces of wall than that, every face has one.
    """
    if landmarks is not None and not 0 <= landmarks <= LANDMARKS:
        raise InputError(f"{landmarks} landmarks: expected 0 to {LANDMARKS}, for each picture is shown once")
    draws = Draws(seed_from("decoration", seed))
    theme = draws.below(THEMES)
    faces = np.where(walls, PLAIN_FACE, 0).astype(np.uint8)
    for stretch in _stretches(open, walls, draws):
        if draws.chance(COLOURED_SHARE):
            colour = PLAIN_FACE + 1 + draws.below(COLOURED_FACES)
            for row, col, side in stretch:
                faces[row, col, side] = colour
    count = landmark_count(int(open.sum())) if landmarks is None else landmarks
    pictures = draws.shuffled(range(LANDMARKS))
    for picture, (row, col, side) in zip(pictures, _spread(walls, count, draws), strict=False):
        faces[row, col, side] = FIRST_LANDMARK_FACE + picture
    return Decoration(theme, faces)


def redecorated(maze: Maze, seed: int, landmarks: int | None = None) -> Maze:
    """The same maze with another look."""
    return replace(maze, decoration=decorate(maze.open, maze.walls, seed, landmarks))


def default_seed(layout_digest: str) -> int:
    """The decoration's seed of a maze of which no more than its layout is known, such as one read from text."""
    return seed_from("default decoration", layout_digest)


def _stretches(open: npt.NDArray[np.bool_], walls: npt.NDArray[np.bool_], draws: Draws) -> list[list[tuple[int, int, int]]]:
    """Splits the walls into pieces of neighbouring faces in one plane that one can see in one go."""
    rows, cols = open.shape
    has_wall = walls.tolist()
    stretches: list[list[tuple[int, int, int]]] = []
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
                    length = draws.between(2, LONGEST_STRETCH)
                    stretches.append(run[:length])
                    run = run[length:]
    return stretches


def _spread(walls: npt.NDArray[np.bool_], count: int, draws: Draws) -> list[tuple[int, int, int]]:
    """Chooses faces far from one another: each next one is in a cell with the longest path to those chosen."""
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
    pick = draws.below(len(faces))
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
        tie_break = (draws.array(len(faces)) >> np.uint64(54)).astype(np.int64)
        pick = int(np.argmax(np.where(left, np.array(nearest)[cells] * 1024 + tie_break, -1)))
    return chosen
