"""A maze proves itself when it is made, whoever makes it: by hand, from a file, or by changing another."""

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from maze_gen.catalogue import CATALOGUE, catalogue_maze
from maze_gen.errors import InputError
from maze_gen.maze import EAST, NORTH, SOUTH, STEPS, WEST, Decoration, Maze
from maze_gen.text import read_maze

THIN = read_maze("*****\n*P G*\n* ***\n* A*\n*****\n".replace("* A*", "*A S*"))
BLOCK = read_maze("****\n*PG*\n* **\n****\n", "block")


def changed(maze: Maze, *, cell: tuple[int, int] = (0, 0), side=0, wall=None, face=None, theme=None, is_open=None) -> Maze:
    """The maze with a wall, a face, a theme or an open cell of another value."""
    open, walls, faces = maze.open.copy(), maze.walls.copy(), maze.decoration.faces.copy()
    if wall is not None:
        walls[(*cell, side)] = wall
        faces[(*cell, side)] = 1 if wall else 0
    if face is not None:
        faces[(*cell, side)] = face
    if is_open is not None:
        open[cell] = is_open
    return Maze(maze.geometry, open, walls, Decoration(maze.decoration.theme if theme is None else theme, faces))


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_maze_of_the_catalogue_is_one(name):
    maze = catalogue_maze(name)
    assert replace(maze) == maze


@pytest.mark.parametrize("side", range(4))
def test_no_border_is_open(side):
    maze = read_maze("***\n* *\n***\n")
    with pytest.raises(InputError, match=r"row 0, column 0 has no wall to the (east|north|west|south)"):
        changed(maze, cell=(0, 0), side=side, wall=False)


def test_every_single_wrong_wall_is_found():
    """Against the definition, cell by cell: a wall or passage that only one side knows is refused, for every wall of a maze."""
    maze = THIN
    for row, col, side in np.ndindex(maze.rows, maze.cols, 4):
        if not maze.open[row, col]:
            continue
        there = (row + STEPS[side][0], col + STEPS[side][1])
        inside = 0 <= there[0] < maze.rows and 0 <= there[1] < maze.cols
        with pytest.raises(InputError, match="no open cell leads back"):
            changed(maze, cell=(row, col), side=side, wall=not maze.walls[row, col, side])
        if inside and maze.open[there]:
            both = changed_on_both_sides(maze, (row, col), there, side)
            assert both.walls[row, col, side] != maze.walls[row, col, side]


def changed_on_both_sides(maze: Maze, here, there, side: int) -> Maze:
    walls = maze.walls.copy()
    walls[(*here, side)] = walls[(*there, (side + 2) % 4)] = not walls[(*here, side)]
    return Maze("thin", maze.open, walls, Decoration(0, walls.astype(np.uint8)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: changed(THIN, cell=(0, 0), is_open=False), "is solid and has a wall"),
        (lambda: changed(BLOCK, cell=(0, 0), side=EAST, wall=True), "row 0, column 0 is solid"),
        (lambda: changed(THIN, cell=(0, 0), side=EAST, face=3), "no wall but a face"),
        (lambda: changed(THIN, cell=(0, 0), side=NORTH, face=0), "a wall without a face"),
        (lambda: changed(THIN, cell=(0, 0), side=NORTH, face=6), "face code 6"),
        (lambda: changed(THIN, cell=(0, 0), side=NORTH, face=80), "face code 80"),
        (lambda: changed(THIN, theme=5), "theme is 5"),
        (lambda: changed(THIN, theme=-1), "theme is -1"),
        (lambda: changed(THIN, theme=True), "theme is True"),
        (lambda: replace(THIN, geometry="round"), "geometry is 'round'"),
        (lambda: replace(THIN, open=THIN.open.astype(np.uint8)), "open has .* expected .* bool"),
        (lambda: replace(THIN, open=THIN.open[:0]), "open has shape"),
        (lambda: replace(THIN, open=THIN.open.tolist()), "open is a list"),
        (lambda: replace(THIN, walls=THIN.walls[..., :3]), "walls has shape"),
        (
            lambda: replace(THIN, decoration=Decoration(0, cast(Any, THIN.decoration.faces.astype(np.int32)))),
            "faces has .* uint8",
        ),
        (lambda: replace(BLOCK, open=np.zeros_like(BLOCK.open)), "without an open cell"),
        (lambda: replace(THIN, goals=((0, 0), (0, 0))), "row 0, column 0 is among .* goals and, before, goals"),
        (lambda: replace(THIN, apples=((0, 1),)), "goals and, before, apples"),
        (lambda: replace(THIN, spawns=((0, 0), (0, 0))), "spawns and, before, spawns"),
        (lambda: replace(THIN, spawns=((2, 0),)), "row 2, column 0 is among the maze's spawns"),
        (lambda: replace(THIN, spawns=((-1, 0),)), "isn't an open cell"),
        (lambda: replace(BLOCK, apples=((0, 0),)), "isn't an open cell"),
        (lambda: replace(THIN, spawns=((0.5, 0),)), "pair|expected a .row, column."),
        (lambda: replace(THIN, spawns=(7,)), "expected a .row, column."),
    ],
)
def test_what_is_no_maze_is_refused_with_its_place(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_a_block_maze_has_no_thin_walls():
    walls = BLOCK.walls.copy()
    walls[1, 1, EAST] = walls[1, 2, WEST] = True
    with pytest.raises(InputError, match="block maze with a wall between"):
        Maze("block", BLOCK.open, walls, Decoration(0, walls.astype(np.uint8)))
    walls = BLOCK.walls.copy()
    walls[1, 1, SOUTH] = walls[2, 1, NORTH] = True
    with pytest.raises(InputError, match="block maze with a wall between"):
        Maze("block", BLOCK.open, walls, Decoration(0, walls.astype(np.uint8)))


def test_cells_become_plain_integers_so_that_digests_are_the_same():
    maze = replace(THIN, goals=tuple((np.int64(row), np.int32(col)) for row, col in THIN.goals))
    assert maze.digest == THIN.digest
    assert all(type(number) is int for cell in maze.goals for number in cell)
