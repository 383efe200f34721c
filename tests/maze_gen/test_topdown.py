"""Pictures from above: what is drawn where."""

import itertools

import cv2
import numpy as np
import pytest

from maze_gen import icons as palette
from maze_gen.catalogue import CATALOGUE, catalogue_maze
from maze_gen.errors import InputError
from maze_gen.maze import Decoration, Maze
from maze_gen.text import read_maze
from maze_gen.topdown import TopDown

MAZE = read_maze("*********\n*     * *\n* *** * *\n*       *\n*********\n")


def colour_at(canvas: TopDown, x: float, y: float) -> tuple[int, ...]:
    column, row = canvas.pixel(x, y)
    return tuple(canvas.array()[int(row), int(column)].tolist())


def test_walls_are_drawn_where_walls_are_and_nowhere_else():
    scale = 40
    canvas = TopDown(MAZE, scale)
    for row, col in np.ndindex(MAZE.rows, MAZE.cols):
        x, y = MAZE.center((row, col))
        for side, (dx, dy) in enumerate(((1, 0), (0, 1), (-1, 0), (0, -1))):
            colour = colour_at(canvas, x + 49.5 * dx, y + 49.5 * dy)
            assert (colour == palette.FLOOR) == (not MAZE.walls[row, col, side]), (row, col, side)
        assert colour_at(canvas, x, y) == palette.FLOOR


def test_a_coloured_wall_shows_its_colour_on_its_side_only():
    faces = MAZE.walls.astype(np.uint8)
    faces[0, 1, 3] = 2
    maze = Maze("thin", MAZE.open, MAZE.walls, Decoration(1, faces))
    canvas = TopDown(maze, 60)
    x, y = maze.center((0, 1))
    assert colour_at(canvas, x, y - 43) == palette.COLOURED_WALLS[0]
    x, y = maze.center((1, 1))
    assert colour_at(canvas, x, y + 43) == palette.PLAIN_WALLS[1]


def test_blocks_are_solid():
    maze = read_maze("****\n* **\n****\n", "block")
    canvas = TopDown(maze, 20)
    assert colour_at(canvas, *maze.center((1, 2))) == palette.SOLID
    assert colour_at(canvas, *maze.center((1, 1))) == palette.FLOOR


def test_heat_colours_the_floor_by_value_from_the_top_row_down():
    values = np.arange(8.0).reshape(2, 4)
    values[1, 3] = np.nan
    canvas = TopDown(MAZE, 30).heat(values, "gray", low=0, high=8, opacity=1.0)
    for row, col in np.ndindex(2, 4):
        red, green, blue = colour_at(canvas, *MAZE.center((row, col)))
        if (row, col) == (1, 3):
            assert (red, green, blue) == palette.FLOOR
        else:
            assert red == green == blue == pytest.approx(255 * values[row, col] / 8, abs=1.5)
    np.testing.assert_array_equal(
        TopDown(MAZE, 30).heat(values.ravel(), "gray", low=0, high=8, opacity=1.0).array(), canvas.array()
    )


@pytest.mark.parametrize("scale", [8, 40])
def test_cells_without_a_number_can_be_hatched(scale):
    values = np.full(8, 3.0)
    values[[1, 7]] = np.nan
    canvas = TopDown(MAZE, scale, things="none").heat(values, "gray", low=0, high=8, opacity=1.0, hatched=True)
    plain = TopDown(MAZE, scale, things="none").heat(values, "gray", low=0, high=8, opacity=1.0).array()
    found = canvas.array()
    changed = (found != plain).any(axis=2)
    seen = set()
    for row, col in np.argwhere(changed).tolist():
        x, y = (col + 0.5 - (changed.shape[1] - 4 * scale) / 2) / scale, (row + 0.5 - (changed.shape[0] - 2 * scale) / 2) / scale
        seen.add((int(y), int(x)))
    assert seen == {(0, 1), (1, 3)}
    # A third of their floor, in one colour, from side to side; where there is no number anywhere, too.
    assert 0.15 < changed.sum() / (2 * scale**2) < 0.5
    assert (found == palette.HATCH).all(axis=2).sum() > 0.5 * changed.sum()
    nothing = TopDown(MAZE, scale, things="none").heat(np.full(8, np.nan), hatched=True).array()
    assert (nothing == palette.HATCH).all(axis=2).sum() > 2 * (found == palette.HATCH).all(axis=2).sum()


def test_a_colour_bar_is_beside_the_maze_and_leaves_it_as_it_is():
    values = np.arange(8.0)
    plain = TopDown(MAZE, 30).heat(values).array()
    with_bar = TopDown(MAZE, 30).heat(values, colour_bar=True).array()
    assert with_bar.shape[1] > plain.shape[1]
    np.testing.assert_array_equal(with_bar[: plain.shape[0], : plain.shape[1]], plain)


def test_a_path_is_drawn_in_the_colours_of_time_and_breaks_at_a_respawn():
    points = [MAZE.center(cell) for cell in ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1))]
    canvas = TopDown(MAZE, 40).path(points, colormap="gray", low=0, high=4)
    x0, y0 = MAZE.center((0, 0))
    assert colour_at(canvas, x0 + 50, y0) == pytest.approx((64, 64, 64), abs=2)
    assert colour_at(canvas, x0 + 150, y0) == pytest.approx((128, 128, 128), abs=2)
    # The leap from (0, 2) to (1, 0) passes through here.
    assert colour_at(canvas, x0 + 60, y0 - 70) == palette.FLOOR
    assert colour_at(canvas, x0 + 50, y0 - 100) == (255, 255, 255)


@pytest.mark.parametrize(("scale", "smoothing"), [(40, 1), (40, 2), (33, 1)])
def test_a_path_lies_where_its_points_are_to_a_fraction_of_a_pixel(scale, smoothing):
    points = np.array([(20.0, 151.3), (150.0, 149.1), (280.0, 163.7)])
    width = 0.1
    canvas = TopDown(MAZE, scale, things="none", smoothing=smoothing)
    before = canvas.array().astype(float)
    found = (canvas.path(points, colour=(0, 0, 0), width=width).array()[..., 1] - before[..., 1]) / -before[..., 1]
    # By the definition of the frame: 100 units a cell, y up, the lower left corner of the grid inside the margin.
    margin = (found.shape[0] - MAZE.rows * scale) / 2
    pixels = np.stack([margin + points[:, 0] * scale / 100, margin + (200 - points[:, 1]) * scale / 100], axis=1)
    samples = 8
    y, x = (np.indices((found.shape[0] * samples, found.shape[1] * samples)) + 0.5) / samples
    near = np.full(x.shape, np.inf)
    for (x0, y0), (x1, y1) in itertools.pairwise(pixels):
        along = np.clip(((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / ((x1 - x0) ** 2 + (y1 - y0) ** 2), 0, 1)
        near = np.minimum(near, np.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0)))
    inside = (near <= width * scale / 2).reshape(found.shape[0], samples, found.shape[1], samples).mean(axis=(1, 3))
    assert np.abs(found - inside).max() < 0.2
    assert found.sum() == pytest.approx(inside.sum(), rel=0.06)


@pytest.mark.parametrize("kind", ["disc", "ring", "square", "triangle", "cross"])
def test_marks_have_the_area_and_the_middle_that_geometry_gives_them(kind):
    x, y, size, width, scale = 152.3, 97.1, 0.4, 0.08, 50
    canvas = TopDown(MAZE, scale, things="none")
    before = canvas.array().astype(float)
    found = (canvas.marker(x, y, kind, (0, 0, 0), size, width).array()[..., 1] - before[..., 1]) / -before[..., 1]
    radius, line = size * scale / 2, width * scale
    area = {
        "disc": np.pi * radius**2,
        "ring": np.pi * (radius**2 - (radius - line) ** 2),
        "square": 4 * (radius**2 - (radius - line) ** 2),
        "triangle": 3 * np.sqrt(3) / 4 * radius**2,
        # Two lines with round ends, less the square where they cross.
        "cross": 2 * (2 * np.sqrt(2) * (radius - line / 2) * line + np.pi * line**2 / 4) - line**2,
    }[kind]
    assert found.sum() == pytest.approx(area, rel=0.06)
    rows, cols = (np.indices(found.shape) + 0.5) * found / found.sum()
    column, row = canvas.pixel(x, y)
    assert (cols.sum(), rows.sum()) == pytest.approx((column, row), abs=0.05)


def test_smoothing_changes_the_size_of_nothing():
    once, twice = (TopDown(MAZE, 24, smoothing=smoothing).path([(50, 50), (150, 150)]).array() for smoothing in (1, 2))
    assert once.shape == twice.shape
    assert np.abs(once.astype(int) - twice).mean() < 3


def test_a_path_of_nothing_or_with_gaps_is_no_error():
    plain = TopDown(MAZE, 20).array()
    np.testing.assert_array_equal(TopDown(MAZE, 20).path([]).array(), plain)
    np.testing.assert_array_equal(TopDown(MAZE, 20).path([(50.0, 50.0)]).array(), plain)
    np.testing.assert_array_equal(TopDown(MAZE, 20).path([(50, 50), (np.nan, np.nan), (60, 60)]).array(), plain)


def test_marks_labels_things_and_agents_change_the_picture_near_their_place_only():
    plain = TopDown(MAZE, 40).array().astype(int)
    x, y = MAZE.center((1, 2))
    drawn = {
        **{kind: TopDown(MAZE, 40).marker(x, y, kind) for kind in ("disc", "ring", "cross", "square", "triangle")},
        "label": TopDown(MAZE, 40).label(x, y, "G"),
        "agent": TopDown(MAZE, 40).agent(x, y, 90.0),
        "apple": TopDown(MAZE, 40).apples([(1, 2)]),
        "strawberry": TopDown(MAZE, 40).strawberries([(1, 2)]),
        "goal": TopDown(MAZE, 40).goal((1, 2)),
    }
    column, row = TopDown(MAZE, 40).pixel(x, y)
    seen = set()
    for name, canvas in drawn.items():
        changed = np.argwhere((canvas.array() != plain).any(axis=2))
        assert len(changed), name
        assert np.abs(changed - (row, column)).max() <= 20, name
        seen.add(canvas.array().tobytes())
    assert len(seen) == len(drawn)


@pytest.mark.parametrize(("heading", "direction"), [(0, (1, 0)), (90, (0, 1)), (180, (-1, 0)), (270, (0, -1))])
def test_the_agent_points_along_its_heading(heading, direction):
    x, y = MAZE.center((1, 1))
    canvas = TopDown(MAZE, 80).agent(x, y, heading, size=0.8)
    plain = TopDown(MAZE, 80).array().astype(int)
    changed = np.argwhere((canvas.array() != plain).any(axis=2))
    column, row = canvas.pixel(x, y)
    reach = (changed - (row, column)) @ np.array([-direction[1], direction[0]])
    # The tip is farther from the middle than the tail, which is notched.
    assert reach.max() > 1.05 * -reach.min()


def test_things_of_the_maze_are_shown_unless_left_out():
    maze = read_maze("*********\n*G A S P*\n*********\n")
    assert TopDown(maze, 40).array().tobytes() != TopDown(maze, 40, things="none").array().tobytes()
    assert colour_at(TopDown(maze, 40), *maze.center((0, 0))) == palette.GOAL
    by_hand = TopDown(maze, 40, things="none").goal((0, 0))
    assert colour_at(by_hand, *maze.center((0, 0))) == palette.GOAL
    assert colour_at(by_hand, *maze.center((0, 1))) == palette.FLOOR


def test_a_canvas_does_not_leave_traces_on_the_next_one():
    first = TopDown(MAZE, 24).array()
    TopDown(MAZE, 24).heat(np.arange(8.0)).agent(50, 50, 0)
    np.testing.assert_array_equal(TopDown(MAZE, 24).array(), first)


@pytest.mark.parametrize("name", CATALOGUE)
@pytest.mark.parametrize("scale", [4, 13])
def test_every_maze_can_be_drawn_at_any_scale(name, scale):
    maze = catalogue_maze(name)
    picture = TopDown(maze, scale, labels=True).heat(np.arange(maze.open.size), colour_bar=True).array()
    assert picture.dtype == np.uint8
    assert picture.shape[0] >= maze.rows * scale
    assert picture.shape[1] >= maze.cols * scale


def test_a_picture_is_saved_whole(tmp_path):
    TopDown(MAZE, 16).save(tmp_path / "maze.png")
    written = cv2.imread(str(tmp_path / "maze.png"), cv2.IMREAD_COLOR_RGB)
    np.testing.assert_array_equal(written, TopDown(MAZE, 16).array())
    assert [path.name for path in tmp_path.iterdir()] == ["maze.png"]
    with pytest.raises(InputError, match=r"cannot write .*no/maze\.png"):
        TopDown(MAZE, 16).save(tmp_path / "no" / "maze.png")


def test_nonsense_is_refused():
    with pytest.raises(InputError, match="scale = 0"):
        TopDown(MAZE, 0)
    with pytest.raises(InputError, match="one number a cell"):
        TopDown(MAZE).heat(np.zeros((2, 3)))
    with pytest.raises(InputError, match="'nosuch'"):
        TopDown(MAZE).heat(np.zeros((2, 4)), "nosuch")
    with pytest.raises(InputError, match="one a point"):
        TopDown(MAZE).path([(0, 0), (1, 1)], values=[1.0])
    with pytest.raises(InputError, match="'star'"):
        TopDown(MAZE).marker(0, 0, "star")  # pyright: ignore[reportArgumentType]
