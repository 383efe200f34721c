"""libmypaint behind the interface of brushes: Debian's packages, called by ctypes from compiled code.

Each stroke is laid as events of a pen, `EVENTS` for each Bézier piece and a tenth of a second apart (arXiv 1910.01007,
appendix I). A row has a brush and a surface of its own; both are new in every episode, so that what a brush draws at random
depends on the row's own strokes alone.
"""

import ctypes
import functools
import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from env.engine.compile import inner
from env.engine.thread_pool import ThreadPool
from env.painting.brush import Brush
from env.painting.ink import build
from env.painting.mypaint_files import BrushFile, Library, read_brush, surface_library
from env.painting.shares import LAY, share_kernel, shares
from env.painting.strokes import RADIUS_AT_NO_PRESSURE, Strokes
from maze_gen.errors import InputError

EVENTS = 50
"""Events of a pen for each Bézier piece."""
SECONDS = 0.1
"""Between two events."""
TILE = 64
OPAQUE = 1 << 15
"""The largest value of a channel of a surface."""

_ZERO, _ONE = np.float32(0), np.float32(1)
_HALF, _LEAST_RADIUS = np.float32(0.5), np.float32(RADIUS_AT_NO_PRESSURE)
_DABS = np.float32(1.6)
"""Dabs are round, so that fewer of them overlap towards the edges of a stroke: with this exponent it holds as much ink in all."""


class _TileRequest(ctypes.Structure):
    """libmypaint's MyPaintTileRequest."""

    _fields_ = (
        ("tx", ctypes.c_int),
        ("ty", ctypes.c_int),
        ("readonly", ctypes.c_int),
        ("buffer", ctypes.c_void_p),
        ("context", ctypes.c_void_p),
        ("thread_id", ctypes.c_int),
        ("mipmap_level", ctypes.c_int),
    )


class MypaintWork(NamedTuple):
    """What the kernel works on.

    Attributes:
        strokes: of N rows.
        canvas: [N, side, side, C] uint8.
        brushes, surfaces, tiles: [N] int64, addresses: of the rows' brushes and surfaces, and of the first tile's memory.
        scale: pixels of the surface for one of the canvas, each way.
        radius_offset: what is added to the logarithm of the radius in pixels, float32.
        opaque: of the brush, where pressure scales it here; below 0 where the brush does so itself, float32.
        spacing: between two dabs, in radii, float32.
    """

    strokes: Strokes
    canvas: Any
    brushes: Any
    surfaces: Any
    tiles: Any
    scale: Any
    radius_offset: Any
    opaque: Any
    spacing: Any


def _halfword(typing_context, address, index):
    """The uint16 at `index` of the memory at an address."""

    def generate(context, builder, signature, arguments):
        pointer = builder.inttoptr(arguments[0], ir.IntType(16).as_pointer())
        return builder.load(builder.gep(pointer, [arguments[1]]))

    return types.uint16(types.int64, types.int64), generate


halfword: Any = intrinsic(_halfword)


@functools.cache
def kernel() -> Any:
    """The compiled kernel that lays strokes, see `env.painting.shares`; its machine code is of this process only."""
    library = surface_library()
    stroke_to, set_value, reset = library.stroke_to, library.set_base_value, library.reset
    begin, end = library.begin_atomic, library.end_atomic
    radius_setting, opaque_setting = library.setting("radius_logarithmic"), library.setting("opaque")
    hue, saturation, brightness = (library.setting(f"color_{letter}") for letter in "hsv")
    ink = build(inner)
    along, opacity = ink.along, ink.opacity

    @inner
    def set_colour(brush, red, green, blue):
        """Sets the brush's colour, given from 0 to 1; libmypaint takes hue, saturation and value."""
        most, least = max(red, green, blue), min(red, green, blue)
        chroma = most - least
        angle = _ZERO
        if chroma > 0:
            if most == red:
                angle = (green - blue) / chroma
            elif most == green:
                angle = (blue - red) / chroma + np.float32(2)
            else:
                angle = (red - green) / chroma + np.float32(4)
            angle = angle / np.float32(6)
            if angle < 0:
                angle = angle + _ONE
        set_value(brush, hue, angle)
        set_value(brush, saturation, chroma / most if most > 0 else _ZERO)
        set_value(brush, brightness, most)

    @inner
    def lead(work, row, last):
        """From the first point of a stroke away from the others, or from its last one: how far the pen moves before and after it.

        A brush lays its first dab after it moved for a dab's distance, and the last one up to a distance before the end.
        """
        points, k = work.strokes.points, 3 * work.strokes.pieces[row] if last else 0
        inwards = -1 if last else 1
        x, y = points[row, k, 0], points[row, k, 1]
        dx, dy, size = _ONE, _ZERO, _ZERO
        for step in range(1, 4):
            if size == 0:
                u, v = x - points[row, k + inwards * step, 0], y - points[row, k + inwards * step, 1]
                size = np.float32(math.sqrt(u * u + v * v))
                if size > 0:
                    dx, dy = u / size, v / size
        pressure = work.strokes.pressure[row, 1 if last else 0]
        radius = work.strokes.radius[row] * (_LEAST_RADIUS + (_ONE - _LEAST_RADIUS) * pressure)
        far = radius * work.spacing * (_HALF if last else _ONE)
        return x + dx * far, y + dy * far

    @inner
    def event(work, row, piece, step, side):
        """Moves the pen to a place of a piece, `step` of `EVENTS`; -1 is before its start, and one more after its end."""
        points, k = work.strokes.points, 3 * piece
        t = np.float32(min(max(step, 0), EVENTS)) / np.float32(EVENTS)
        x = along(points[row, k, 0], points[row, k + 1, 0], points[row, k + 2, 0], points[row, k + 3, 0], t) * side
        y = along(points[row, k, 1], points[row, k + 1, 1], points[row, k + 2, 1], points[row, k + 3, 1], t) * side
        low, high = work.strokes.pressure[row, 0], work.strokes.pressure[row, 1]
        pressure = low + (high - low) * ((np.float32(piece) + t) / np.float32(work.strokes.pieces[row]))
        if work.opaque >= 0:
            clear = np.float32(math.pow(_ONE - opacity(pressure), _DABS))
            set_value(work.brushes[row], opaque_setting, work.opaque * (_ONE - clear))
        if step < 0 or step > EVENTS:
            x, y = lead(work, row, step > 0)
            x, y = x * side, y * side
        stroke_to(work.brushes[row], work.surfaces[row], x, y, pressure, _ZERO, _ZERO, SECONDS)

    @inner
    def show(work, row, changed):
        """Writes what changed of the surface, (x, y, width, height), to the canvas, as means over the surface's pixels."""
        canvas, scale = work.canvas, work.scale
        side, channels = canvas.shape[1], canvas.shape[3]
        across = (side * scale + TILE - 1) // TILE
        whole = OPAQUE * scale * scale
        left, top = max(changed[0] // scale, 0), max(changed[1] // scale, 0)
        right = min((changed[0] + changed[2] + scale - 1) // scale, side)
        bottom = min((changed[1] + changed[3] + scale - 1) // scale, side)
        for j in range(top, bottom):
            for i in range(left, right):
                for channel in range(channels):
                    total = 0
                    for y in range(j * scale, (j + 1) * scale):
                        line = (y // TILE * across * TILE + y % TILE) * TILE
                        for x in range(i * scale, (i + 1) * scale):
                            at = (line + x // TILE * TILE * TILE + x % TILE) * 4
                            # Premultiplied colour over white.
                            colour, alpha = halfword(work.tiles[row], at + channel), halfword(work.tiles[row], at + 3)
                            total += np.int64(colour) + OPAQUE - np.int64(alpha)
                    canvas[row, j, i, channel] = np.uint8(min((total * 255 + whole // 2) // whole, 255))

    @inner
    def lay_row(work, buffer, row):
        """Lays the stroke of a row; libmypaint writes what it changed to `buffer`, [4] int32."""
        strokes, brush = work.strokes, work.brushes[row]
        side = np.float32(work.canvas.shape[1] * work.scale)
        set_value(brush, radius_setting, np.float32(math.log(strokes.radius[row] * side)) + work.radius_offset)
        set_colour(brush, strokes.colour[row, 0], strokes.colour[row, 1], strokes.colour[row, 2])
        reset(brush)
        begin(work.surfaces[row])
        # The first event after a reset only places the pen.
        event(work, row, 0, -1, side)
        for piece in range(strokes.pieces[row]):
            for step in range(EVENTS + 1):
                event(work, row, piece, step, side)
        event(work, row, strokes.pieces[row] - 1, EVENTS + 1, side)
        end(work.surfaces[row], buffer.ctypes.data)
        show(work, row, buffer)

    return share_kernel(lay_row)


class MypaintBrush(Brush):
    """A brush of libmypaint.

    Args:
        name: of the brush's file without its ending, e.g. `classic/pen`; or the path of a .myb file.
        strokes, canvas: as `env.painting.stamp.StampBrush` takes them.
        scale: pixels of the surface for one of the canvas, each way.
        threads: among which the rows are split.

    Raises:
        InputError: libmypaint or the brush is missing here; the message says how to get them.
    """

    def __init__(self, name: str, strokes: Strokes, canvas: npt.NDArray[np.uint8], scale: int = 1, threads: int = 1) -> None:
        self._library: Library = surface_library()
        self._file: BrushFile = read_brush(name)
        self._canvas = canvas
        N, side = len(canvas), canvas.shape[1] * scale
        self._surfaces = np.zeros(N, np.int64)
        self._brushes = np.zeros(N, np.int64)
        self._tiles = np.zeros(N, np.int64)
        self._memory: list[Any] = []
        for row in range(N):
            self._surfaces[row] = self._library.surface_new(side, side)
            first, memory = self._tile_memory(int(self._surfaces[row]), -(-side // TILE))
            self._tiles[row] = first
            self._memory.append(memory)
        offset, opaque = np.float32(-self._file.radius_gain), np.float32(self._file.opaque)
        work = MypaintWork(
            strokes, canvas, self._brushes, self._surfaces, self._tiles, scale, offset, opaque, np.float32(self._file.spacing)
        )
        count = min(threads, N)
        self._pool = ThreadPool(count, shares(kernel(), work, [np.zeros(4, np.int32) for _ in range(count)]))
        self._closed = False
        self.clear(np.ones(N, np.bool_))

    def lay(self) -> None:
        self._pool.run(LAY)

    def clear(self, rows: npt.NDArray[np.bool_]) -> None:
        for row in np.flatnonzero(rows).tolist():
            self._memory[row][:] = OPAQUE
            if self._brushes[row]:
                self._library.brush_unref(int(self._brushes[row]))
            brush = self._brushes[row] = self._library.brush_new()
            if not self._library.from_string(int(brush), self._file.text):
                raise InputError(f"brush {self._file.path}: libmypaint can't read it")
        self._canvas[rows] = 255

    def close(self) -> None:
        self._pool.close()
        if not self._closed:
            self._closed = True
            for brush, surface in zip(self._brushes.tolist(), self._surfaces.tolist(), strict=True):
                self._library.brush_unref(brush)
                self._library.surface_unref(surface)

    def _tile_memory(self, surface: int, across: int) -> tuple[int, npt.NDArray[np.uint16]]:
        """Where the memory of a surface's tiles begins, and all of it as an array."""
        found = []
        for index in range(across * across):
            request = _TileRequest()
            self._library.request_init(ctypes.byref(request), 0, index % across, index // across, 0)
            self._library.request_start(surface, ctypes.byref(request))
            found.append(int(request.buffer or 0))
            self._library.request_end(surface, ctypes.byref(request))
        size = TILE * TILE * 4
        if found != [found[0] + 2 * size * index for index in range(across * across)] or not found[0]:
            raise InputError(f"libmypaint {self._library.path}: its surfaces don't lie in memory as version 1.6 has them")
        memory = (ctypes.c_uint16 * (size * across * across)).from_address(found[0])
        return found[0], np.ctypeslib.as_array(memory)
