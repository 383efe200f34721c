"""Mazes as text: what is read, what is written, and how mistakes are told."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maze_gen.errors import InputError
from maze_gen.maze import EAST, NORTH, SOUTH, STEPS, WEST
from maze_gen.paths import connected, mean_spawn_to_goal
from maze_gen.text import as_block, load_maze, read_maze, write_maze

RELEASED = Path(__file__).parents[2].parent / "shared" / "reference" / "lab_mazes"
needs_released = pytest.mark.skipif(not RELEASED.is_dir(), reason=f"the released layouts aren't there: {RELEASED}")

SMALL = """\
*******
*P A  *
* * ***
* *S G*
*******
"""


def test_thin_text_means_what_the_picture_shows():
    maze = read_maze(SMALL)
    assert (maze.geometry, maze.rows, maze.cols) == ("thin", 2, 3)
    assert maze.open.all()
    assert (maze.spawns, maze.apples, maze.strawberries, maze.goals) == (((0, 0),), ((0, 1),), ((1, 1),), ((1, 2),))
    walls = {(int(row), int(col), int(side)) for row, col, side in np.argwhere(maze.walls)}
    assert walls == {
        *((0, col, NORTH) for col in range(3)),
        *((1, col, SOUTH) for col in range(3)),
        (0, 0, WEST),
        (1, 0, WEST),
        (0, 2, EAST),
        (1, 2, EAST),
        # The wall between the two cells on the left below, seen from both sides, and the one above the goal.
        (1, 0, EAST),
        (1, 1, WEST),
        (0, 2, SOUTH),
        (1, 2, NORTH),
    }


def test_block_text_means_what_the_picture_shows():
    maze = read_maze("****\n*PG*\n* **\n****\n", "block")
    assert (maze.geometry, maze.rows, maze.cols) == ("block", 4, 4)
    assert [tuple(cell) for cell in np.argwhere(maze.open).tolist()] == [(1, 1), (1, 2), (2, 1)]
    assert (maze.spawns, maze.goals) == (((1, 1),), ((1, 2),))
    assert maze.walls[1, 1].tolist() == [False, True, True, False]
    assert maze.walls[1, 2].tolist() == [True, True, False, True]
    assert maze.walls[2, 1].tolist() == [True, False, True, True]


def test_a_solid_cell_of_thin_text_has_walls_around_it_only():
    maze = read_maze("*****\n*  **\n*****\n")
    assert maze.open.tolist() == [[True, False]]
    assert maze.walls[0, 0].tolist() == [True, True, True, True]
    assert not maze.walls[0, 1].any()
    assert write_maze(maze) == "*****\n* ***\n*****\n"


@st.composite
def texts(draw: st.DrawFn) -> tuple[str, str]:
    """(text, geometry) of any maze, connected or not."""
    geometry = draw(st.sampled_from(["thin", "block"]))
    rows, cols = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    height, width = (2 * rows + 1, 2 * cols + 1) if geometry == "thin" else (rows + 2, cols + 2)
    lines = [["*"] * width for _ in range(height)]
    for row in range(1, height - 1):
        for col in range(1, width - 1):
            is_cell = geometry == "block" or (row % 2 == 1 and col % 2 == 1)
            lines[row][col] = draw(st.sampled_from("* PASG  " if is_cell else "*  "))
    lines[1][1] = " "
    return "".join("".join(line) + "\n" for line in lines), geometry


@given(texts())
@settings(max_examples=150, deadline=None)
def test_what_is_read_and_written_reads_equal(case):
    text, geometry = case
    maze = read_maze(text, geometry)
    written = write_maze(maze)
    assert read_maze(written, geometry) == maze
    assert write_maze(read_maze(written, geometry)) == written
    if geometry == "block":
        assert written == text


@given(texts())
@settings(max_examples=100, deadline=None)
def test_neighbours_agree_about_their_wall_and_decoration_follows_walls(case):
    maze = read_maze(*case)
    for row, col, side in np.ndindex(maze.rows, maze.cols, 4):
        other = (row + STEPS[side][0], col + STEPS[side][1])
        inside = 0 <= other[0] < maze.rows and 0 <= other[1] < maze.cols
        if not maze.open[row, col]:
            assert not maze.walls[row, col, side]
        elif not inside or not maze.open[other]:
            assert maze.walls[row, col, side]
        else:
            assert maze.walls[row, col, side] == maze.walls[(*other, (side + 2) % 4)]
    assert ((maze.decoration.faces > 0) == maze.walls).all()


@given(texts())
@settings(max_examples=60, deadline=None)
def test_a_thin_maze_and_its_block_maze_have_one_text_and_reach_as_much(case):
    text, geometry = case
    thin = read_maze(text, geometry)
    block = as_block(thin)
    assert block.geometry == "block"
    assert write_maze(block) == write_maze(thin)
    if geometry == "thin":
        assert (block.rows, block.cols) == (2 * thin.rows + 1, 2 * thin.cols + 1)
        assert connected(block) == connected(thin)
        assert block.apples == tuple((2 * row + 1, 2 * col + 1) for row, col in thin.apples)
    else:
        assert block is thin


@needs_released
@pytest.mark.parametrize(
    ("name", "size", "mean"),
    [
        # Mean cells of path from spawn to goal of the released levels, as published with their layouts.
        ("static_01", (5, 10), 20.4),
        ("static_02", (9, 15), 35.0),
        ("static_03", (13, 20), 23.1),
        ("random_goal_01", (5, 10), 14.3),
        ("random_goal_02", (9, 15), 19.7),
        ("random_goal_03", (13, 20), 32.4),
    ],
)
def test_released_layouts_load_and_write_back_identically(name, size, mean):
    maze = load_maze(RELEASED / f"{name}.txt")
    assert maze.open.shape == size
    assert connected(maze)
    assert write_maze(maze) == (RELEASED / f"{name}.txt").read_text()
    assert mean_spawn_to_goal(maze) == pytest.approx(mean, abs=0.051)


@pytest.mark.parametrize(
    ("text", "geometry", "message"),
    [
        ("", "thin", "empty"),
        ("\n\n", "thin", "empty"),
        ("***\n*x*\n***\n", "thin", r"line 2, column 2: unknown character 'x'"),
        ("***\n*\t*\n***\n", "block", r"line 2, column 2: unknown character '\\t'"),
        ("***\n* \n***\n", "thin", r"line 2, column 3: 2 characters: expected 3"),
        ("***\n*  *\n***\n", "thin", r"line 2, column 4: 4 characters: expected 3"),
        ("***\n\n***\n", "thin", r"line 2, column 1: 0 characters: expected 3"),
        ("*****\n*a  *\n*****\n", "thin", r"line 2, column 2: unknown character 'a': .* --geometry block"),
        ("****\n*  *\n****\n", "thin", r"4 columns: .* odd"),
        ("***\n* *\n* *\n***\n", "thin", r"4 lines: .* odd"),
        ("*\n", "thin", r"1 lines: .* at least 3"),
        ("*****\n* G *\n*****\n", "thin", r"line 2, column 3: 'G' stands between cells"),
        ("*****\n*   *\n*P* *\n*   *\n*****\n", "thin", r"line 3, column 2: 'P' stands between cells"),
        ("*****\n*   *\n* P *\n*   *\n*****\n", "thin", r"line 3, column 3: 'P' stands between cells"),
        ("***\n*  \n***\n", "thin", r"line 2, column 3: the border is open \(' '\)"),
        (" **\n* *\n***\n", "thin", r"line 1, column 1: the border is open"),
        ("***\n***\n", "block", "no cell that one can stand in"),
        ("\n" * 9, "block", "empty"),
        (" " * 2000 + "\n " * 2000, "block", "expected 1048576 cells at most"),
        ("***\n***\n***\n", "thin", "no cell that one can stand in"),
    ],
)
def test_a_bad_text_is_refused_with_its_place(text, geometry, message):
    with pytest.raises(InputError, match=message) as caught:
        read_maze(text, geometry, "the-origin")
    assert str(caught.value).startswith("the-origin: ")


def test_an_unknown_geometry_is_refused():
    with pytest.raises(InputError, match="'round'"):
        read_maze(SMALL, "round")  # pyright: ignore[reportArgumentType]


def test_line_breaks_of_windows_a_byte_order_mark_and_trailing_lines_do_not_matter(tmp_path):
    path = tmp_path / "maze.txt"
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode() + b"\r\n")
    assert load_maze(path) == read_maze(SMALL)


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(InputError, match=r"missing\.txt: can't read"):
        load_maze(tmp_path / "missing.txt")
    with pytest.raises(InputError, match="can't read"):
        load_maze(tmp_path)
    (tmp_path / "bytes.txt").write_bytes(b"***\n*\xff*\n***\n")
    with pytest.raises(InputError, match=r"bytes.txt: not a maze: byte 6 "):
        load_maze(tmp_path / "bytes.txt")
    (tmp_path / "long.txt").write_bytes(b"*" * (1 << 20) + b"\n")
    with pytest.raises(InputError, match=r"long.txt: not a maze: larger"):
        load_maze(tmp_path / "long.txt")


def test_a_cell_with_two_things_cannot_be_written():
    maze = read_maze(SMALL)
    object.__setattr__(maze, "goals", maze.apples)
    with pytest.raises(InputError, match=r"cell \(0, 1\)"):
        write_maze(maze)
