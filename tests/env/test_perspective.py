"""Perspective: walls of known distance, straight edges, orientation and seamless atlas."""

import numpy as np
import pytest

from env.engine.textures import atlas
from env.navigation import APPLE, GOAL
from tests.env.conftest import EAST, FLAT, HEADINGS, NORTH, SIZE, SOUTH, WEST, room_of


@pytest.mark.parametrize("size", [84, 42])
@pytest.mark.parametrize("distance", [33.0, 81.0, 155.0, 340.0, 777.0])
def test_a_wall_of_known_distance_has_its_height(paint, distance, size):
    picture, _ = paint(room_of(9, 9), 899 - distance, 450, HEADINGS[EAST], size=size, texels=FLAT)
    middle = picture[:, size // 2]
    scale = size / 2 / distance
    top, bottom = size / 2 - 48.875 * scale, size / 2 + 50.125 * scale
    centres = np.arange(size) + 0.5
    expected = np.where((centres >= top) & (centres <= bottom), 0, np.where(centres < top, 2, 1))
    sure = (abs(centres - top) > 1e-3) & (abs(centres - bottom) > 1e-3)
    np.testing.assert_array_equal(middle.argmax(axis=1)[sure], expected[sure])


def test_edges_of_a_wall_are_straight_lines(paint):
    """At a grazing angle a wall begins in each column where the projection of its straight upper edge says, also at the rim."""
    heading = 0.4
    picture, depth = paint(room_of(9, 9), 700, 450, (np.cos(heading), np.sin(heading)), texels=FLAT)
    first = (picture[..., 0] > 0).argmax(axis=0)
    columns = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
    exact = 199 / (np.cos(heading) + columns * np.sin(heading))
    east = np.abs(exact - depth) < 1e-3 * exact
    assert east.sum() > 20
    line = SIZE / 2 * (1 - 48.875 / exact)
    np.testing.assert_allclose(first[east], line[east], atol=0.51)
    assert np.abs(np.diff(line[east], 2)).max() < 1e-9


@pytest.mark.parametrize("side", range(4))
def test_pictures_are_not_mirrored(paint, side):
    """A wall whose texture is red on its left and blue on its right is seen so from inside the cell."""
    texels = FLAT.copy()
    at = atlas.SLOT_TEXELS
    for bits in range(6, 0, -1):
        count = 1 << 2 * bits
        texels[at : at + count // 2], texels[at + count // 2 : at + count] = 200, 200 << 16
        at += count
    picture, _ = paint(room_of(1, 1), 50, 50, HEADINGS[side], texels=texels)
    assert (picture[42, :40].argmax(axis=1) == 0).all()
    assert (picture[42, 44:].argmax(axis=1) == 2).all()


@pytest.mark.parametrize("side", range(4))
def test_textures_run_on_from_cell_to_cell_without_a_seam(paint, side):
    """Along a straight wall of many cells the texture's columns rise evenly, modulo the texture."""
    texels = FLAT.copy()
    at = atlas.SLOT_TEXELS
    texels[at : at + 4096] = np.repeat(4 * np.arange(64), 64)
    room = room_of(9, 9)
    towards = np.array(HEADINGS[side])
    x, y = 450 + 370 * towards
    picture, depth = paint(room, x, y, HEADINGS[side], texels=texels)
    # Walls along x are darker by a quarter.
    values = 4 * np.arange(64)
    values = values - values // 4 if side in (NORTH, SOUTH) else values
    columns = np.searchsorted(values, picture[42, :, 0])
    steps = np.diff(columns) % 64
    np.testing.assert_allclose(depth, 79, rtol=1e-6)
    # At 79 units a column is 79 / 42 units wide, of 0.64 texels.
    assert set(steps) <= {1, 2}
    assert abs(steps.mean() - 79 / 42 * 0.64) < 0.05


def test_the_same_view_is_the_same_picture_whatever_was_drawn_before(paint):
    view = (room_of(5, 5), 222, 333, (np.cos(1.0), np.sin(1.0)), [(13, GOAL), (17, APPLE)])
    first, _ = paint(*view)
    paint(room_of(5, 5), 100, 100, HEADINGS[WEST])
    again, _ = paint(*view)
    np.testing.assert_array_equal(first, again)
