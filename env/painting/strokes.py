"""Strokes as curves: quadratic Bézier curves, splines through points, and both as cubic Bézier pieces, which every brush lays.

Plain NumPy, the definition that compiled brushes are tested against. Points are (x, y) in fractions of the canvas's side.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[Any]

RADIUS_AT_NO_PRESSURE = 0.6
"""Of the radius at full pressure; in between it grows linearly. libmypaint's classic/pen: e^-0.5 = 0.607."""


class Strokes(NamedTuple):
    """At most one stroke for each of N canvases.

    Attributes:
        pieces: [N] int32, Bézier pieces of the row's stroke; 0 where nothing is laid.
        points: [N, 1 + 3 M, 2] float32, control points of up to M pieces, each beginning where the one before ends.
        radius: [N] float32, at full pressure, a fraction of the canvas's side.
        pressure: [N, 2] float32, at the stroke's start and at its end; linear in between, each piece taking as long.
        colour: [N, 3] float32, 0 to 1.
    """

    pieces: npt.NDArray[np.int32]
    points: npt.NDArray[np.float32]
    radius: npt.NDArray[np.float32]
    pressure: npt.NDArray[np.float32]
    colour: npt.NDArray[np.float32]

    @property
    def rows(self) -> int:
        return len(self.pieces)

    @staticmethod
    def empty(rows: int, most_pieces: int) -> "Strokes":
        """No strokes, with space for `most_pieces` a row."""
        return Strokes(
            np.zeros(rows, np.int32),
            np.zeros((rows, 1 + 3 * most_pieces, 2), np.float32),
            np.zeros(rows, np.float32),
            np.zeros((rows, 2), np.float32),
            np.zeros((rows, 3), np.float32),
        )


def quadratic(start: Points, control: Points, end: Points) -> Points:
    """The quadratic Bézier curve of three points [..., 2] as a cubic one, [..., 4, 2].

    Degree elevation: its inner control points lie two thirds of the way from the ends to `control`.
    """
    third, two_thirds = start.dtype.type(1 / 3), start.dtype.type(2 / 3)
    return np.stack((start, start * third + control * two_thirds, end * third + control * two_thirds, end), -2)


def spline(points: Points, count: npt.NDArray[np.int64]) -> Points:
    """Cubic Bézier pieces of the Catmull-Rom spline through the first `count` [N] of points [N, P, 2]; [N, 1 + 3 (P - 1), 2].

    A piece from p_i to p_(i+1) has the control points p_i + m_i / 3 and p_(i+1) - m_(i+1) / 3 with the tangents
    m_i = (p_(i+1) - p_(i-1)) / 2, and at both ends m = the difference of the two last points. A single point is a piece without
    length. What follows the `count - 1` pieces means nothing.
    """
    N, P = points.shape[:2]
    index = np.arange(P)
    last = np.maximum(count - 1, 0)[:, None]
    before, after = np.minimum(np.maximum(index - 1, 0), last), np.minimum(index + 1, last)
    rows = np.arange(N)[:, None]
    inner = ((index > 0) & (index < last))[..., None]
    tangents = (points[rows, after] - points[rows, before]) * np.where(inner, 0.5, 1).astype(points.dtype)
    third = points.dtype.type(1 / 3)
    here = points[rows, np.minimum(index, last)]
    pieces = np.empty((N, 1 + 3 * max(P - 1, 1), 2), points.dtype)
    pieces[:, 0] = here[:, 0]
    following = here[rows, np.minimum(np.arange(1, max(P, 2)), P - 1)]
    ahead = tangents[rows, np.minimum(np.arange(1, max(P, 2)), P - 1)]
    count_pieces = following.shape[1]
    pieces[:, 1::3] = here[:, :count_pieces] + tangents[:, :count_pieces] * third
    pieces[:, 2::3] = following - ahead * third
    pieces[:, 3::3] = following
    return pieces


def curve(points: Points, samples: int) -> Points:
    """Points [M * samples + 1, 2] along M Bézier pieces [1 + 3 M, 2], equally far apart in the curve's parameter."""
    pieces = (len(points) - 1) // 3
    t = np.arange(samples)[:, None] / samples
    sampled = [_cubic(points[3 * piece : 3 * piece + 4], t) for piece in range(pieces)]
    return np.concatenate([*sampled, points[3 * pieces : 3 * pieces + 1]])


def length(points: Points, pieces: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
    """[N] float32: lengths of strokes [N, 1 + 3 M, 2], as sums over 16 chords a piece."""
    N = len(points)
    total = np.zeros(N, np.float32)
    t = (np.arange(17, dtype=np.float32) / np.float32(16))[:, None, None]
    for piece in range((points.shape[1] - 1) // 3):
        steps = np.diff(_cubic(points[:, 3 * piece : 3 * piece + 4].swapaxes(0, 1), t), axis=0)
        chords = np.sqrt(steps[..., 0] * steps[..., 0] + steps[..., 1] * steps[..., 1])
        summed = np.zeros(N, np.float32)
        # One after the other: the order of a sum over an axis depends on the array's shape.
        for chord in chords:
            summed += chord
        total += np.where(piece < pieces, summed, np.float32(0))
    return total


def _cubic(points: Points, t: Points) -> Points:
    """The cubic Bézier curve of four control points at t, by Bernstein's polynomials."""
    s = 1 - t
    return points[0] * (s * s * s) + points[1] * (3 * s * s * t) + points[2] * (3 * s * t * t) + points[3] * (t * t * t)
