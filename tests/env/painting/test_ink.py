"""The embedded brush against a plain definition: distances to a finely sampled curve."""

import numpy as np
import pytest

from env.painting.action import ActionForm
from env.painting.stamp import StampBrush
from env.painting.strokes import RADIUS_AT_NO_PRESSURE, Strokes, curve, quadratic
from tests.env.painting.conftest import random_strokes, white

SIDE = 48
THIN = ActionForm(radii=(0.004, 0.03, 0.1))


def reference(strokes: Strokes, row: int, side: int, hardness: float) -> np.ndarray:
    """Ink [side, side]: the largest over 400 points of each piece."""
    pieces = strokes.pieces[row]
    points = curve(strokes.points[row, : 1 + 3 * pieces].astype(np.float64), 400) * side
    t = np.linspace(0, 1, len(points))
    start, end = strokes.pressure[row].astype(np.float64)
    pressure = start + t * (end - start)
    radius = strokes.radius[row] * side
    grown = radius * (RADIUS_AT_NO_PRESSURE + (1 - RADIUS_AT_NO_PRESSURE) * pressure)
    centres = np.arange(side) + 0.5
    x, y = np.meshgrid(centres, centres)
    distance = np.hypot(x[..., None] - points[:, 0], y[..., None] - points[:, 1])
    edge = (1 - hardness) * radius + 1
    ink = np.clip((grown + 0.5 - distance) / edge, 0, 1) * (1 - (1 - pressure) ** 3)
    return ink.max(-1)


@pytest.mark.parametrize("hardness", [1.0, 0.3])
def test_ink_is_the_tube_around_the_curve(hardness):
    rows = 40
    strokes, canvas = random_strokes(rows, 3, THIN), white(rows, SIDE)
    StampBrush(strokes, canvas, hardness).lay()
    for row in range(rows):
        expected = reference(strokes, row, SIDE, hardness)
        # Segments are within 1/16 of a pixel, and the pressure is linear along each of them.
        np.testing.assert_allclose(1 - canvas[row, ..., 0] / 255, expected, atol=0.09)
        # Where the pressure changes, a segment's nearest point may give less ink than one beside it.
        steady = np.ptp(strokes.pressure[row]) == 0
        assert abs((1 - canvas[row] / 255).sum() - expected.sum()) <= (0.005 if steady else 0.02) * expected.sum() + 0.3


def test_strokes_of_several_pieces_and_beyond_the_edge():
    strokes, canvas = Strokes.empty(1, 2), white(1, SIDE)
    strokes.pieces[:], strokes.radius[:], strokes.pressure[:] = 2, 0.06, (0.4, 1)
    strokes.points[0] = [(-0.2, 0.5), (0.1, 0.1), (0.2, 0.9), (0.5, 0.5), (0.7, 0.2), (1.1, 0.9), (1.2, 1.3)]
    StampBrush(strokes, canvas).lay()
    np.testing.assert_allclose(1 - canvas[0, ..., 0] / 255, reference(strokes, 0, SIDE, 1.0), atol=0.08)


def test_a_stroke_that_crosses_itself_is_not_darker_there():
    strokes, canvas = Strokes.empty(1, 1), white(1, SIDE)
    strokes.pieces[:], strokes.radius[:], strokes.pressure[:] = 1, 0.05, 0.3
    strokes.points[0] = [(0.1, 0.9), (1.4, 0.1), (-0.4, 0.1), (0.9, 0.9)]
    StampBrush(strokes, canvas).lay()
    assert (255 - canvas).max() == round(255 * (1 - 0.7**3))


def test_colour_is_mixed_with_what_lies_below():
    strokes = Strokes.empty(1, 1)
    strokes.pieces[:], strokes.radius[:], strokes.pressure[:], strokes.colour[:] = 1, 0.2, 0.5, (0.2, 0.8, 1.0)
    middle = np.full((1, 2), 0.5, np.float32)
    strokes.points[:] = quadratic(middle, middle, middle)
    canvas = white(1, 32, 3)
    canvas[:] = (10, 100, 200)
    StampBrush(strokes, canvas).lay()
    opacity = 1 - 0.5**3
    expected = [
        round(under + opacity * (255 * over - under)) for under, over in zip((10, 100, 200), (0.2, 0.8, 1.0), strict=True)
    ]
    assert canvas[0, 16, 16].tolist() == expected
    assert canvas[0, 0, 0].tolist() == [10, 100, 200]


def test_rows_without_a_stroke_stay():
    strokes, canvas = random_strokes(4), white(4, SIDE)
    strokes.pieces[[0, 2]] = 0
    StampBrush(strokes, canvas).lay()
    assert [(row < 255).any() for row in canvas] == [False, True, False, True]


@pytest.mark.parametrize(("side", "channels"), [(32, 1), (33, 3)])
def test_the_same_bytes_for_every_batch_size_and_thread_count(side, channels):
    strokes = random_strokes(29, 5, ActionForm(colours=4))
    together = white(29, side, channels)
    StampBrush(strokes, together, threads=1).lay()
    for threads in (2, 3, 8):
        canvas = white(29, side, channels)
        brush = StampBrush(strokes, canvas, threads=threads)
        brush.lay()
        brush.close()
        np.testing.assert_array_equal(canvas, together)
    for row in range(0, 29, 7):
        alone, canvas = Strokes._make(part[row : row + 1].copy() for part in strokes), white(1, side, channels)
        StampBrush(alone, canvas).lay()
        np.testing.assert_array_equal(canvas[0], together[row])


def test_the_source_is_the_same_uncompiled():
    """One source for every device: plain Python and compiled code give the same bytes."""
    from env.painting.ink import build

    ink = build(lambda function: function)
    strokes, canvas = random_strokes(6, 9, THIN), white(6, 20)
    StampBrush(strokes, canvas).lay()
    side = np.float32(20)
    for row in range(6):
        for i, j in np.ndindex(20, 20):
            parts = ink.segments(strokes.points, row, 0, side)
            laid = np.float32(0)
            for part in range(parts):
                one = ink.segment(strokes, row, 0, part, parts, side)
                laid = max(laid, np.float32(ink.ink_at(one, np.float32(1), np.float32(i + 0.5), np.float32(j + 0.5))))
            assert ink.mixed(np.uint8(255), np.float32(0), laid) == canvas[row, j, i, 0]
