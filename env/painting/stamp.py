"""The embedded brush on the CPU: compiled, for many canvases at once; each row is computed by itself, on any of the threads."""

import functools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from env.engine.compile import inner
from env.engine.thread_pool import ThreadPool
from env.painting.brush import Brush
from env.painting.ink import build
from env.painting.shares import LAY, share_kernel, shares
from env.painting.strokes import Strokes
from maze_gen.errors import InputError

LANES = 16
"""Pixels that are marked together; a multiple of what the processor's vectors hold."""
_HALF = np.float32(0.5)
_ONE = np.float32(1)
_BYTE = np.float32(255)


class StampWork(NamedTuple):
    """What the kernel works on.

    Attributes:
        strokes: of N rows.
        canvas: [N, side, side * C] uint8.
        hardness: float32.
        centres: [side + LANES] float32, of the pixels of a line.
    """

    strokes: Strokes
    canvas: Any
    hardness: Any
    centres: Any


@functools.cache
def kernel() -> Any:
    """The compiled kernel that lays strokes, see `env.painting.shares`."""
    ink = build(inner)
    segments, segment, ink_at, mixed = ink.segments, ink.segment, ink.ink_at, ink.mixed

    @inner
    def mark(one, edge, mask, centres, box):
        """Raises the mask to a segment's ink inside of a box (x0, y0, width, y1); `width` is a multiple of `LANES`."""
        x0, y0, width, y1 = box
        xs = centres[x0 : x0 + width]
        for j in range(y0, y1):
            cy = centres[j]
            # A slice from 0 to its length is what the compiler makes vectors of.
            line = mask[j, x0 : x0 + width]
            for i in range(len(line)):
                line[i] = max(line[i], ink_at(one, edge, xs[i], cy))

    @inner
    def lay_row(work, mask, row):
        """Lays the stroke of a row; `mask` is a buffer [side, side + LANES] of zeros, and is zeros again afterwards."""
        strokes, canvas, hardness, centres = work
        side = canvas.shape[1]
        channels = canvas.shape[2] // side
        scale = np.float32(side)
        edge = _ONE / ((_ONE - hardness) * strokes.radius[row] * scale + _ONE)
        left, top, right, bottom = side, side, 0, 0
        for piece in range(strokes.pieces[row]):
            parts = segments(strokes.points, row, piece, scale)
            for part in range(parts):
                one = segment(strokes, row, piece, part, parts, scale)
                reach = max(one.radius, one.radius + one.growth) + _HALF
                x, y = min(one.x, one.x + one.dx), min(one.y, one.y + one.dy)
                width, height = max(one.dx, -one.dx), max(one.dy, -one.dy)
                x0, x1 = max(np.int64(x - reach), 0), min(np.int64(x + width + reach) + 1, side)
                y0, y1 = max(np.int64(y - reach), 0), min(np.int64(y + height + reach) + 1, side)
                if x0 < x1 and y0 < y1:
                    mark(one, edge, mask, centres, (x0, y0, (x1 - x0 + LANES - 1) // LANES * LANES, y1))
                    left, right, top, bottom = min(left, x0), max(right, x1), min(top, y0), max(bottom, y1)
        red, green, blue = strokes.colour[row, 0] * _BYTE, strokes.colour[row, 1] * _BYTE, strokes.colour[row, 2] * _BYTE
        for j in range(top, bottom):
            line = mask[j, left:right]
            pixels = canvas[row, j, left * channels : right * channels]
            if channels == 1:
                for i in range(len(line)):
                    pixels[i] = mixed(pixels[i], red, line[i])
            else:
                for i in range(len(line)):
                    pixels[3 * i] = mixed(pixels[3 * i], red, line[i])
                    pixels[3 * i + 1] = mixed(pixels[3 * i + 1], green, line[i])
                    pixels[3 * i + 2] = mixed(pixels[3 * i + 2], blue, line[i])
            mask[j, left : right + LANES] = 0

    return share_kernel(lay_row)


class StampBrush(Brush):
    """The embedded brush.

    Args:
        strokes: N rows that every `lay` reads.
        canvas: [N, side, side, C] uint8 that every `lay` paints, 255 where it is white.
        hardness: 1 for an edge of one pixel, down to 0 for one as wide as the brush's radius.
        threads: among which the rows are split.
    """

    def __init__(self, strokes: Strokes, canvas: npt.NDArray[np.uint8], hardness: float = 1.0, threads: int = 1) -> None:
        if not 0 <= hardness <= 1:
            raise InputError(f"hardness {hardness!r}: expected a number from 0 to 1")
        self._canvas = canvas
        side, count = canvas.shape[1], min(threads, len(canvas))
        centres = np.arange(side + LANES, dtype=np.float32) + _HALF
        work = StampWork(strokes, canvas.reshape(len(canvas), side, -1), np.float32(hardness), centres)
        masks = [np.zeros((side, side + LANES), np.float32) for _ in range(count)]
        self._pool = ThreadPool(count, shares(kernel(), work, masks))

    def lay(self) -> None:
        self._pool.run(LAY)

    def clear(self, rows: npt.NDArray[np.bool_]) -> None:
        self._canvas[rows] = 255

    def close(self) -> None:
        self._pool.close()
