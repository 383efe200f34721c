"""Ink of the embedded brush: device functions for the CPU and the GPU, see `env.engine.compile`.

A stroke is a tube around its curve: a point of it gives a pixel opacity x min(1, (r + 1/2 - d) / w) of ink, with the distance d
between them, the brush's radius r there, both in pixels, and the width w of the edge, 1 where the brush is hard. The curve is cut
into line segments, within 1/16 of a pixel; each counts by its point that is nearest to the pixel, and the pixel gets the largest
of them. So a stroke is not darker where it crosses itself. Radius and opacity grow with the pressure p, as 0.6 + 0.4 p and
1 - (1 - p)^3.
"""

import functools
import math
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from env.engine.compile import Jit
from env.painting.strokes import RADIUS_AT_NO_PRESSURE

MOST_SEGMENTS = 64
"""Of a Bézier piece."""

_ZERO, _HALF, _ONE, _TWO, _THREE = (np.float32(number) for number in (0, 0.5, 1, 2, 3))
_FLATNESS = np.float32(0.75 * 16)
"""A chord of 1/K of a piece is at most 3/4 D / K² from it, D the longest second difference of its control points."""
_LONGEST = np.float32(10)
"""Pixels of a segment: longer ones have bounding boxes that are mostly empty."""
_TINY = np.float32(1e-12)
_LEAST_RADIUS = np.float32(RADIUS_AT_NO_PRESSURE)
_RADIUS_SLOPE = np.float32(1 - RADIUS_AT_NO_PRESSURE)


class Segment(NamedTuple):
    """A piece of a line in pixels, with what the brush does along it; `t` runs from 0 to 1.

    Attributes:
        x, y: where it starts.
        dx, dy: to its end.
        inverse: 1 / (dx² + dy²), or 0 for a point.
        radius, growth: at its start, and to its end; half a pixel is added to the radius.
        opacity, fading: at its start, and to its end.
    """

    x: Any
    y: Any
    dx: Any
    dy: Any
    inverse: Any
    radius: Any
    growth: Any
    opacity: Any
    fading: Any


@functools.cache
def build(jit: Jit) -> SimpleNamespace:
    """Defines the device functions under a compiler.

    Returns:
        A namespace of `along`, `opacity`, `segments`, `segment`, `ink_at` and `mixed`.
    """

    @jit
    def along(a, b, c, d, t):
        """A coordinate of a cubic Bézier curve."""
        s = _ONE - t
        return a * (s * s * s) + b * (_THREE * s * s * t) + c * (_THREE * s * t * t) + d * (t * t * t)

    @jit
    def bend(a, b, c):
        """The size of a second difference."""
        value = a - b - b + c
        return value if value >= _ZERO else -value

    @jit
    def opacity(pressure):
        away = _ONE - pressure
        return _ONE - away * away * away

    @jit
    def segments(points, row, piece, side):
        """Into how many segments a piece is cut on a canvas of `side` pixels, a float32."""
        k = 3 * piece
        widest = _ZERO
        far = _ZERO
        for axis in range(2):
            a, b, c, d = points[row, k, axis], points[row, k + 1, axis], points[row, k + 2, axis], points[row, k + 3, axis]
            first, second = bend(a, b, c), bend(b, c, d)
            # The sum over both axes is at least the length.
            widest = widest + (first if first > second else second)
            for step in range(3):
                leg = points[row, k + step + 1, axis] - points[row, k + step, axis]
                far = far + (leg if leg >= _ZERO else -leg)
        flat = np.int64(math.sqrt(widest * side * _FLATNESS)) + 1
        long = np.int64(far * side / _LONGEST) + 1
        count = flat if flat > long else long
        return count if count < MOST_SEGMENTS else MOST_SEGMENTS

    @jit
    def segment(strokes, row, piece, part, parts, side):
        """Segment `part` of `parts` of a piece; a `Segment`."""
        k = 3 * piece
        points = strokes.points
        whole = np.float32(parts)
        t, u = np.float32(part) / whole, np.float32(part + 1) / whole
        ax, bx, cx, ex = points[row, k, 0], points[row, k + 1, 0], points[row, k + 2, 0], points[row, k + 3, 0]
        ay, by, cy, ey = points[row, k, 1], points[row, k + 1, 1], points[row, k + 2, 1], points[row, k + 3, 1]
        x, y = along(ax, bx, cx, ex, t) * side, along(ay, by, cy, ey, t) * side
        dx, dy = along(ax, bx, cx, ex, u) * side - x, along(ay, by, cy, ey, u) * side - y
        square = dx * dx + dy * dy
        inverse = _ONE / square if square > _TINY else _ZERO
        pieces = np.float32(strokes.pieces[row])
        low, high = strokes.pressure[row, 0], strokes.pressure[row, 1]
        start = low + (high - low) * ((np.float32(piece) + t) / pieces)
        end = low + (high - low) * ((np.float32(piece) + u) / pieces)
        full = strokes.radius[row] * side
        first = full * (_LEAST_RADIUS + _RADIUS_SLOPE * start) + _HALF
        last = full * (_LEAST_RADIUS + _RADIUS_SLOPE * end) + _HALF
        fading = opacity(end) - opacity(start)
        return Segment(x, y, dx, dy, inverse, first, last - first, opacity(start), fading)

    @jit
    def ink_at(part, edge, x, y):
        """Ink of a segment at a pixel's centre, 0 to 1; `edge` is 1 / w."""
        fx, fy = x - part.x, y - part.y
        t = (fx * part.dx + fy * part.dy) * part.inverse
        t = t if t > _ZERO else _ZERO
        t = t if t < _ONE else _ONE
        ex, ey = fx - t * part.dx, fy - t * part.dy
        ink = (part.radius + t * part.growth - math.sqrt(ex * ex + ey * ey)) * edge
        ink = ink if ink > _ZERO else _ZERO
        ink = ink if ink < _ONE else _ONE
        return ink * (part.opacity + t * part.fading)

    @jit
    def mixed(under, colour, ink):
        """A canvas's byte after ink of a colour, 0 to 255, was laid over it."""
        value = np.float32(under)
        return np.uint8(np.int32(value + ink * (colour - value) + _HALF))

    return SimpleNamespace(along=along, opacity=opacity, segments=segments, segment=segment, ink_at=ink_at, mixed=mixed)
