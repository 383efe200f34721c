"""Curves: quadratic Bézier curves, splines and their lengths, against the definitions written out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from env.painting.strokes import curve, length, quadratic, spline

POINT = st.tuples(st.floats(0, 1), st.floats(0, 1))


@settings(max_examples=50, deadline=None)
@given(POINT, POINT, POINT)
def test_a_cubic_piece_is_the_quadratic_curve(start, control, end):
    a, b, c = (np.array(point) for point in (start, control, end))
    t = np.arange(9)[:, None] / 8
    expected = (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c
    np.testing.assert_allclose(curve(quadratic(a, b, c), 8), expected, atol=1e-12)


def test_a_spline_goes_through_its_points_without_a_corner():
    points = np.random.default_rng(0).random((3, 6, 2))
    pieces = spline(points, np.full(3, 6))
    assert pieces.shape == (3, 16, 2)
    np.testing.assert_allclose(pieces[:, ::3], points)
    for joint in range(3, 15, 3):
        np.testing.assert_allclose(pieces[:, joint] - pieces[:, joint - 1], pieces[:, joint + 1] - pieces[:, joint])


def test_a_spline_of_points_on_a_parabola_is_that_parabola_inside():
    """Catmull and Rom's tangent is exact for a quadratic through equally spaced points."""
    x = np.linspace(0, 1, 6)
    points = np.stack((x, 0.3 * x**2 + 0.1 * x), -1)[None]
    inner = curve(spline(points, np.array([6]))[0, 3:13], 7)
    np.testing.assert_allclose(inner[:, 1], 0.3 * inner[:, 0] ** 2 + 0.1 * inner[:, 0], atol=1e-12)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_spline_of_fewer_points_is_the_spline_of_those(count):
    points = np.random.default_rng(1).random((2, 7, 2))
    long, short = spline(points, np.full(2, count)), spline(points[:, :count], np.full(2, count))
    np.testing.assert_array_equal(long[:, : short.shape[1]], short)


def test_a_single_point_has_no_length():
    pieces = spline(np.full((1, 3, 2), 0.4, np.float32), np.array([1]))
    assert pieces[0, :4].tolist() == [[np.float32(0.4)] * 2] * 4


def test_length_of_a_quarter_circle():
    # The usual cubic approximation of a circle is within 0.03 % of it.
    k = 4 / 3 * (np.sqrt(2) - 1)
    quarter = np.array([[[1, 0], [1, k], [k, 1], [0, 1]]], np.float32)
    found = length(quarter, np.array([1], np.int32))
    assert found == pytest.approx(np.pi / 2, rel=2e-3)
    assert length(quarter, np.array([0], np.int32)) == 0
