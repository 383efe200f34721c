"""What a row sees: its picture, its depth bytes and its depth target, as device functions.

How to call it, on the CPU, for one row: `paint` draws the picture into `rgb[row]` and leaves every column's depth in the
scratch; `paint_depth` then writes `depth[row]` from that (where no picture is wanted, `measure` comes first instead of `paint`);
`aim` writes `depth_target[row]`. The scratch comes from `allocate_scratch`, one a thread; the textures from
`env.engine.textures.all_textures`; `sides` is `Pool.faces.view(np.uint32)`. On a GPU one thread does one column:
`paint_column` returns the column's depth, which `paint_depth_column` takes; `aim_column` writes one of the 16 columns of the
target.

The picture: row i of n looks up by w = 1 - (2 i + 1) / n at depth 1, column j to the right by k = (2 j + 1) / n - 1. A pixel
shows the wall of its column where that is nearer than the plane that the row meets: the floor below the horizon, and above it the
ceiling or, under an open sky, the level of the walls' tops, beyond which is sky. Items are drawn over that; depth is the maze's
alone.
"""

import math
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from env.engine import rays, sprites, vectors
from env.engine.compile import Jit
from env.engine.textures import CEILING_SLOT, COLOUR, EIGHTH, FLOOR_SLOT, LAST_TEXEL, SKY_SLOT, SLOT_TEXELS, THEME_SLOTS

BELOW_EYE = 50.125
"""Units from the floor, whose top is at 1, up to the eye, at 51.125."""
ABOVE_EYE = 48.875
"""Units from the eye up to the walls' tops and the ceiling, at 100."""
NEAR = 4.0
"""Distance of DeepMind Lab's near plane, in units, where a depth byte is 0."""
FAR = 1100.0
"""Distance in units where a depth byte becomes 255, in `thin` mazes. DeepMind Lab's own changes from frame to frame; this is the
one that the paper's depth classes assume. Under an open sky there is none."""
SKY_DISTANCE = 1e6
"""Planar depth of the sky, in units; its depth byte is 254."""
TARGET_SIZE = 84
"""Height and width of the picture whose pixels the depth target is taken from, whatever size is drawn."""
TARGET_ROWS = (16, 29, 42, 55)
TARGET_COLUMNS = tuple(range(2, 78, 5))

_ZERO = np.float32(0.0)
_HALF = np.float32(0.5)
_ONE = np.float32(1.0)
_TWO = np.float32(2.0)
_BELOW = np.float32(BELOW_EYE)
_ABOVE = np.float32(ABOVE_EYE)
_SKY = np.float32(SKY_DISTANCE)
_NEAR = np.float32(NEAR)
_THIN_SCALE = np.float32(255.0 * FAR / (FAR - NEAR))
_OPEN_SCALE = np.float32(255.0)
_TOP_BYTE = np.float32(255.0)
_PER_UNIT = np.float32(0.01)
_TEXELS = np.float32(64.0)
_TEXELS_PER_UNIT = np.float32(0.64)
_POSITIVE = np.float32(16384.0)
_WALL_SHARPNESS = np.float32(1.5)
_PLANE_SHARPNESS = np.float32(1.7)
_SKY_TEXELS = np.float32(256.0)
_PER_TURN = np.float32(0.5 / math.pi)
_ATAN_LINEAR = np.float32(0.97239411)
_ATAN_CUBIC = np.float32(-0.19194795)
_DARK = -(2**31)
_FIRST_TARGET_ROW, _TARGET_ROW_STEP = TARGET_ROWS[0], TARGET_ROWS[1] - TARGET_ROWS[0]
_FIRST_TARGET_COLUMN, _TARGET_COLUMN_STEP = TARGET_COLUMNS[0], TARGET_COLUMNS[1] - TARGET_COLUMNS[0]


class Scratch(NamedTuple):
    """Working space of one thread of the CPU, for pictures of n x n; W is n rounded up to 16.

    Attributes:
        lateral, depth: [W] float32, what each column looks at: k, and planar depth in units.
        start, slope: [W] float32, the texture's row of a pixel of the wall is start - w * slope.
        column: [W] int32, where the wall's column of texels begins; the sign bit marks walls in the shade.
        sky: [W] int32, the same for the sky.
        image: [n * n + 16] int32, texels chosen, then packed pixels.
    """

    lateral: npt.NDArray[np.float32]
    depth: npt.NDArray[np.float32]
    start: npt.NDArray[np.float32]
    slope: npt.NDArray[np.float32]
    column: npt.NDArray[np.int32]
    sky: npt.NDArray[np.int32]
    image: npt.NDArray[np.int32]


def allocate_scratch(size: int) -> Scratch:
    """Working space for pictures of size x size."""
    width = (size + 15) // 16 * 16
    floats = [np.zeros(width, dtype=np.float32) for _ in range(4)]
    whole = [np.zeros(count, dtype=np.int32) for count in (width, width, size * size + 16)]
    return Scratch(*floats, *whole)


def depth_byte(depth: npt.ArrayLike, far: float = np.inf) -> npt.NDArray[np.uint8]:
    """DeepMind Lab's depth byte of a planar depth in units, with its far plane at `far` units."""
    scale = 255.0 if np.isinf(far) else 255.0 * far / (far - NEAR)
    return np.clip(np.floor(scale * (1.0 - NEAR / np.asarray(depth, dtype=np.float64))), 0, 255).astype(np.uint8)


def build(jit: Jit) -> SimpleNamespace:
    """Defines the device functions under a compiler.

    Returns:
        A namespace of `paint`, `measure`, `paint_depth` and `aim` for the CPU, of `paint_column`, `measure_column`,
        `paint_depth_column` and `aim_column` for a GPU, and of `planar_depth`.
    """
    walk = rays.build(jit)
    lateral, cast = walk.lateral, walk.cast
    items_of = sprites.build(jit)
    paint_items, paint_items_in_column = items_of.paint_items, items_of.paint_items_in_column

    @jit
    def upward(line, size):
        """How far up a row looks at depth 1: from 1 down to -1 across the picture (float32)."""
        return _ONE - (np.float32(line) + _HALF) * _TWO / np.float32(size)

    @jit
    def plane(up):
        """Planar depth at which a row meets the floor (`up` < 0) or the level of the walls' tops, in units."""
        if up < _ZERO:
            return -_BELOW / up
        if up > _ZERO:
            return _ABOVE / up
        return _SKY

    @jit
    def level_of(rate):
        """The texture's level, 0 the finest, for a number of finest texels a pixel (float32)."""
        level = 0
        if rate > _ONE:
            level = 1
        if rate > np.float32(2.0):
            level = 2
        if rate > np.float32(4.0):
            level = 3
        if rate > np.float32(8.0):
            level = 4
        return level

    @jit
    def level_start(level):
        """Texels of a slot before the level's own, 4^6 + 4^5 + ... of them."""
        return 5461 - (5461 >> (2 * level))

    @jit
    def wall(theme, size, depth, along, side, number, facing):
        """What a column shows of its wall.

        Args:
            depth, along, side, number: what `cast` returned.
            facing: how much of the ray's direction goes straight at the wall, 1 for a wall seen from the front (float32).

        Returns:
            (start, slope, column) of `Scratch`.
        """
        rate = depth * _TWO * _TEXELS_PER_UNIT / np.float32(size)
        level = level_of(rate / (_WALL_SHARPNESS * np.float32(math.sqrt(facing))))
        across = along * _PER_UNIT
        across = across - np.float32(math.floor(across))
        if side == 0 or side == 3:
            across = _ONE - across
        bits = 6 - level
        column = min(int(across * np.float32(1 << bits)), (1 << bits) - 1)
        shrink = _ONE / np.float32(1 << level)
        start = _ABOVE * _TEXELS_PER_UNIT * shrink
        slope = depth * _TEXELS_PER_UNIT * shrink
        first = (theme * THEME_SLOTS + number) * SLOT_TEXELS + level_start(level) + (column << bits)
        if side == 1 or side == 3:
            first = first | _DARK
        return start, slope, np.int32(first)

    @jit
    def wall_texel(start, slope, column, up):
        """The texel of a wall that a row shows."""
        return np.int32(column + np.int32(start - up * slope))

    @jit
    def sky_column(cos, sin, k):
        """Where the sky's column of texels begins; it is 256 columns round, as if infinitely far away."""
        angle = k * (_ATAN_LINEAR + _ATAN_CUBIC * k * k)
        turn = (np.float32(math.atan2(sin, cos)) - angle) * _PER_TURN
        return np.int32(SKY_SLOT * SLOT_TEXELS + ((np.int32((_TWO - turn) * _SKY_TEXELS) & 255) << 6))

    @jit
    def sky_texel(column, up, k):
        """The texel of the sky that a row shows."""
        return np.int32(column + np.int32(_TEXELS - np.float32(63.0) * up * (_ONE - np.float32(0.29) * k * k) - _HALF))

    @jit
    def plane_level(theme, size, depth, up):
        """(the level's first texel, its bits, texels a unit) of the floor or ceiling where a row meets it."""
        rate = depth * _TWO * _TEXELS_PER_UNIT / np.float32(size)
        level = level_of(rate * np.float32(math.sqrt(depth * np.float32(0.02))) / _PLANE_SHARPNESS)
        slot = FLOOR_SLOT + theme if up < _ZERO else CEILING_SLOT + theme
        return slot * SLOT_TEXELS + level_start(level), 6 - level, _TEXELS_PER_UNIT / np.float32(1 << level)

    @jit
    def plane_texel(first, bits, u, v):
        """The texel of a floor or ceiling at (u, v) texels."""
        last = (1 << bits) - 1
        return np.int32(first + ((np.int32(u) & last) << bits) + (np.int32(v) & last))

    @jit
    def shaded(textures, texel):
        """The packed pixel of a texel; walls along x are drawn an eighth darker, so that corners show."""
        pixel = textures[texel & LAST_TEXEL] & COLOUR
        if texel < 0:
            pixel = pixel - ((pixel >> 3) & EIGHTH)
        return np.int32(pixel)

    @jit
    def planar_depth(wall_depth, up, ceiling):
        """Planar depth of a pixel in units: the nearer of its column's wall and its row's plane."""
        reach = plane(up)
        if wall_depth <= reach:
            return wall_depth
        if up > _ZERO and ceiling == 0:
            return _SKY
        return reach

    @jit
    def byte_of(depth, ceiling):
        """DeepMind Lab's depth byte."""
        scale = _OPEN_SCALE if ceiling == 0 else _THIN_SCALE
        value = scale * (_ONE - _NEAR / depth)
        return np.uint8(np.int32(max(_ZERO, min(_TOP_BYTE, value))))

    @jit
    def measure(sides, maze, cols, x, y, cos, sin, size, scratch):
        """Writes every column's depth into `scratch.depth`."""
        for j in range(size):
            k = lateral(j, size)
            depth, _, _, _ = cast(sides, maze, cols, x, y, cos + k * sin, sin - k * cos)
            scratch.depth[j] = depth

    @jit
    def look(sides, maze, cols, theme, x, y, cos, sin, size, scratch):
        """Writes what every column shows into the scratch; columns beyond the picture repeat its last."""
        for j in range(size):
            k = lateral(j, size)
            dx = cos + k * sin
            dy = sin - k * cos
            depth, along, side, number = cast(sides, maze, cols, x, y, dx, dy)
            facing = abs(dy) if side & 1 else abs(dx)
            start, slope, column = wall(theme, size, depth, along, side, number, facing)
            scratch.lateral[j] = k
            scratch.depth[j] = depth
            scratch.start[j] = start
            scratch.slope[j] = slope
            scratch.column[j] = column
        for j in range(size, scratch.depth.shape[0]):
            scratch.lateral[j] = scratch.lateral[size - 1]
            scratch.depth[j] = scratch.depth[size - 1]
            scratch.start[j] = scratch.start[size - 1]
            scratch.slope[j] = scratch.slope[size - 1]
            scratch.column[j] = scratch.column[size - 1]

    @jit
    def choose(theme, ceiling, x, y, cos, sin, size, scratch):
        """Writes the texel of every pixel into `scratch.image`."""
        width = scratch.depth.shape[0]
        nearest = _SKY
        farthest = _ZERO
        for j in range(width):
            nearest = min(nearest, scratch.depth[j])
            farthest = max(farthest, scratch.depth[j])
        if ceiling == 0:
            for j in range(width):
                scratch.sky[j] = sky_column(cos, sin, scratch.lateral[j])
        for i in range(size):
            up = upward(i, size)
            reach = plane(up)
            at = i * size
            if farthest <= reach:
                for j in range(width):
                    scratch.image[at + j] = wall_texel(scratch.start[j], scratch.slope[j], scratch.column[j], up)
            elif ceiling == 0 and up > _ZERO:
                for j in range(width):
                    inside = wall_texel(scratch.start[j], scratch.slope[j], scratch.column[j], up)
                    beyond = sky_texel(scratch.sky[j], up, scratch.lateral[j])
                    scratch.image[at + j] = inside if scratch.depth[j] <= reach else beyond
            else:
                first, bits, scale = plane_level(theme, size, reach, up)
                u = (x + reach * cos) * scale + _POSITIVE
                v = (y + reach * sin) * scale + _POSITIVE
                du = reach * sin * scale
                dv = -reach * cos * scale
                if nearest > reach:
                    for j in range(width):
                        k = scratch.lateral[j]
                        scratch.image[at + j] = plane_texel(first, bits, u + k * du, v + k * dv)
                else:
                    for j in range(width):
                        k = scratch.lateral[j]
                        inside = wall_texel(scratch.start[j], scratch.slope[j], scratch.column[j], up)
                        beyond = plane_texel(first, bits, u + k * du, v + k * dv)
                        scratch.image[at + j] = inside if scratch.depth[j] <= reach else beyond

    @jit
    def fetch(textures, scratch, size):
        vectors.fetch(textures, scratch.image, size * size)

    @jit
    def finish(rgb, row, scratch):
        size = rgb.shape[1]
        vectors.unpack(scratch.image, rgb, row * size * size * 3, size * size)

    @jit
    def paint(rgb, row, sides, maze, cols, theme, ceiling, x, y, cos, sin, items, kinds, textures, scratch):
        """Draws the picture of one row of the batch.

        Args:
            rgb: [N, n, n, 3] uint8, of which `rgb[row]` is written.
            sides, maze, cols: see `env.engine.rays`.
            theme, ceiling: of the maze, see `Pool`.
            x, y: position in units (float32).
            cos, sin: of the heading (float32).
            items, kinds: see `State`.
            textures: see `env.engine.textures.all_textures`.
            scratch: see `Scratch`; every column's depth stays in it.
        """
        size = rgb.shape[1]
        look(sides, maze, cols, theme, x, y, cos, sin, size, scratch)
        choose(theme, ceiling, x, y, cos, sin, size, scratch)
        fetch(textures, scratch, size)
        paint_items(scratch.image, scratch.depth, size, row, cols, x, y, cos, sin, items, kinds, textures)
        finish(rgb, row, scratch)

    @jit
    def paint_depth(depth, row, ceiling, scratch):
        """Writes `depth[row]` of [N, n, n] uint8 from what `paint` or `measure` left in the scratch."""
        size = depth.shape[1]
        for i in range(size):
            up = upward(i, size)
            for j in range(size):
                depth[row, i, j] = byte_of(planar_depth(scratch.depth[j], up, ceiling), ceiling)

    @jit
    def aim_column(target, row, column, sides, maze, cols, ceiling, x, y, cos, sin):
        """Writes column `column` of 16 of `target[row]`, [N, 4, 16] float32, planar depth in units."""
        k = lateral(_FIRST_TARGET_COLUMN + column * _TARGET_COLUMN_STEP, TARGET_SIZE)
        depth, _, _, _ = cast(sides, maze, cols, x, y, cos + k * sin, sin - k * cos)
        for line in range(4):
            up = upward(_FIRST_TARGET_ROW + line * _TARGET_ROW_STEP, TARGET_SIZE)
            target[row, line, column] = planar_depth(depth, up, ceiling)

    @jit
    def aim(target, row, sides, maze, cols, ceiling, x, y, cos, sin):
        """Writes `target[row]`, [N, 4, 16] float32, planar depth in units along 64 rays."""
        for column in range(16):
            aim_column(target, row, column, sides, maze, cols, ceiling, x, y, cos, sin)

    @jit
    def measure_column(column, size, sides, maze, cols, x, y, cos, sin):
        """The depth of one column's wall."""
        k = lateral(column, size)
        depth, _, _, _ = cast(sides, maze, cols, x, y, cos + k * sin, sin - k * cos)
        return depth

    @jit
    def paint_column(rgb, row, j, sides, maze, cols, theme, ceiling, x, y, cos, sin, items, kinds, textures):
        """Draws column j of `rgb[row]`, pixel for pixel as `paint` does, and returns the depth of its wall."""
        size = rgb.shape[1]
        k = lateral(j, size)
        dx = cos + k * sin
        dy = sin - k * cos
        depth, along, side, number = cast(sides, maze, cols, x, y, dx, dy)
        facing = abs(dy) if side & 1 else abs(dx)
        start, slope, column = wall(theme, size, depth, along, side, number, facing)
        sky = np.int32(0)
        if ceiling == 0:
            sky = sky_column(cos, sin, k)
        for i in range(size):
            up = upward(i, size)
            reach = plane(up)
            if depth <= reach:
                texel = wall_texel(start, slope, column, up)
            elif ceiling == 0 and up > _ZERO:
                texel = sky_texel(sky, up, k)
            else:
                first, bits, scale = plane_level(theme, size, reach, up)
                u = (x + reach * cos) * scale + _POSITIVE
                v = (y + reach * sin) * scale + _POSITIVE
                du = reach * sin * scale
                dv = -reach * cos * scale
                texel = plane_texel(first, bits, u + k * du, v + k * dv)
            pixel = shaded(textures, texel)
            rgb[row, i, j, 0] = pixel & 255
            rgb[row, i, j, 1] = (pixel >> 8) & 255
            rgb[row, i, j, 2] = (pixel >> 16) & 255
        paint_items_in_column(rgb, depth, row, j, cols, x, y, cos, sin, items, kinds, textures)
        return depth

    @jit
    def paint_depth_column(depth, row, j, ceiling, wall_depth):
        """Writes column j of `depth[row]` where its wall is `wall_depth` units away."""
        size = depth.shape[1]
        for i in range(size):
            up = upward(i, size)
            depth[row, i, j] = byte_of(planar_depth(wall_depth, up, ceiling), ceiling)

    return SimpleNamespace(
        paint=paint, look=look, choose=choose, fetch=fetch, finish=finish, paint_items=paint_items,
        measure=measure,
        paint_depth=paint_depth,
        aim=aim,
        paint_column=paint_column,
        measure_column=measure_column,
        paint_depth_column=paint_depth_column,
        aim_column=aim_column,
        planar_depth=planar_depth,
        upward=upward,
    )
