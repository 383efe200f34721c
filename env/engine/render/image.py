"""What a row sees, as device functions: the picture; depth is `env.engine.render.depth`'s.

How to call it, on the CPU, for one row: `paint` draws the picture into `rgb[row]` and leaves every column's depth in the
scratch; `paint_depth` then writes `depth[row]` from that (where no picture is wanted, `measure` comes first instead of `paint`);
`aim` writes `depth_target[row]`, or `aim_measured` from what a picture of 84 x 84 left. The scratch comes from
`allocate_scratch`, one a thread; the textures from `env.engine.textures.atlas.all_textures`; `sides` is
`Pool.faces.view(np.uint32)`.
On a GPU one thread does one column: `paint_column` returns the column's depth, which `paint_depth_column` takes; `aim_column`
writes one of the 16 columns of the target.

The picture: row i of n looks up by 1 - (2 i + 1) / n at depth 1, column j to the right by (2 j + 1) / n - 1. On the CPU it is
drawn in passes over vectors of pixels: where the columns meet walls, which texel every pixel shows, the texels' colours, items,
and last the channels. A GPU's thread takes the same steps pixel by pixel, so that both draw the same bytes.
"""

import functools
import math
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt

from env.engine.compile import Jit
from env.engine.render import depth as depth_of
from env.engine.render import floor_ceiling as planes
from env.engine.render import raycast as rays
from env.engine.render import simd as vectors
from env.engine.render import sprites
from env.engine.render.buffers import SEEN, Scratch
from env.engine.textures.atlas import (
    COLOUR,
    LAST_TEXEL,
    QUARTER,
    SKY_COLUMNS,
    SKY_SLOT,
    SLOT_TEXELS,
    THEME_SLOTS,
)

_ZERO = np.float32(0.0)
_ONE = np.float32(1.0)
_TWO = np.float32(2.0)
_FOUR = np.float32(4.0)
_PER_UNIT = np.float32(0.01)
_TEXELS_PER_UNIT = np.float32(0.64)
_TOP_TEXEL = np.float32(depth_of.ABOVE_EYE * 0.64)
_SHARP_WALL = np.float32(1.0 / 1.5)
_QUARTER_TURN = np.float32(math.pi / 2)
_SKY_PER_RADIAN = np.float32(SKY_COLUMNS / (2 * math.pi))
_ATAN_1 = np.float32(0.9998660)
_ATAN_3 = np.float32(-0.3302995)
_ATAN_5 = np.float32(0.1801410)
_ATAN_7 = np.float32(-0.0851330)
_ATAN_9 = np.float32(0.0208351)
_SKY_START = np.float32(63.5)
_SKY_HEIGHT = np.float32(63.0)
_SKY_BEND = np.float32(0.29)
_DARK = -(2**31)


def allocate_scratch(size: int) -> Scratch:
    """Working space for pictures of size x size."""
    width = (size + 7) // 8 * 8
    plain = _plain()
    up = np.array([plain.upward(i, size) for i in range(size)], dtype=np.float32)
    reach = np.array([plain.plane(value) for value in up], dtype=np.float32)
    forms = [plain.plane_form(*row, size) for row in zip(up, reach, strict=True)]
    texel, u_mask, v_mask, u_scale, v_scale = (np.array(values) for values in zip(*forms, strict=True))

    def floats(count: int) -> npt.NDArray[np.float32]:
        return np.ones(count, dtype=np.float32)

    def whole(count: int) -> npt.NDArray[np.int32]:
        return np.zeros(count, dtype=np.int32)

    return Scratch(
        up=up,
        reach=reach,
        texel=texel.astype(np.int32),
        u_mask=u_mask.astype(np.int32),
        v_mask=v_mask.astype(np.int32),
        u_scale=u_scale.astype(np.float32),
        v_scale=v_scale.astype(np.float32),
        u=whole(size),
        v=whole(size),
        u_step=whole(size),
        v_step=whole(size),
        lateral=np.array([plain.lateral(min(j, size - 1), size) for j in range(width)], dtype=np.float32),
        depth=floats(width),
        along=floats(width),
        face=whole(width),
        start=floats(width),
        slope=floats(width),
        column=whole(width),
        sky=whole(width),
        sky_slope=floats(width),
        near=np.zeros((size + 31) // 32 * 32, dtype=np.uint8),
        far=np.array([[plain.byte_of(depth, ceiling) for depth in reach] for ceiling in (0, 1)], dtype=np.uint8),
        image=whole(size * size + 32),
        seen=whole(SEEN),
        seen_depth=floats(SEEN),
    )


def build(jit: Jit) -> SimpleNamespace:
    """Defines the device functions under a compiler.

    Returns:
        A namespace of `paint` for the CPU, `paint_column` for a GPU, and everything that `env.engine.render.depth` builds.
    """
    walk = rays.build(jit)
    lateral, cast = walk.lateral, walk.cast
    depths = depth_of.build(jit)
    upward, plane = depths.upward, depths.plane
    plane_of = planes.build(jit)
    level_of, level_start = plane_of.level_of, plane_of.level_start
    plane_form, plane_walk, plane_texel = plane_of.plane_form, plane_of.plane_walk, plane_of.plane_texel
    items_of = sprites.build(jit)
    paint_items, paint_items_in_column = items_of.paint_items, items_of.paint_items_in_column

    @jit
    def wall(theme, size, depth, along, face, dx, dy):
        """What a column shows of its wall, from what `cast` returned for its ray.

        Returns:
            (start, slope, column) of `Scratch`.
        """
        side = face & 3
        # Seen askance a wall's texels are crowded sideways only: the geometric mean of both decides the level.
        facing = abs(dx) if side & 1 == 0 else abs(dy)
        rate = depth * (_TWO * _TEXELS_PER_UNIT / np.float32(size)) * _SHARP_WALL
        level = level_of(rate / np.float32(math.sqrt(facing)))
        bits = np.int32(6 - level)
        texels = np.float32(np.int32(1 << bits))
        across = along * _PER_UNIT
        across = across - np.float32(np.int32(across))
        if side == 0 or side == 3:
            across = _ONE - across
        column = min(np.int32(across * texels), np.int32((1 << bits) - 1))
        shrink = texels * np.float32(1.0 / 64.0)
        start = _TOP_TEXEL * shrink
        slope = depth * _TEXELS_PER_UNIT * shrink
        first = np.int32((theme * THEME_SLOTS + (face >> 2)) * SLOT_TEXELS + level_start(level) + (column << bits))
        if side & 1:
            first = np.int32(first | _DARK)
        return start, slope, first

    @jit
    def wall_texel(start, slope, column, up):
        """The texel that a row shows of a wall or of the sky."""
        return np.int32(column + np.int32(start - up * slope))

    @jit
    def sky_column(cos, sin, k):
        """(column, slope) of the sky, a picture of 256 columns all round, as if infinitely far away."""
        dx = cos + k * sin
        dy = sin - k * cos
        # The arc tangent of an octant by a polynomial: a library's rounds otherwise on a GPU.
        wide = max(abs(dx), abs(dy))
        part = min(abs(dx), abs(dy)) / wide
        square = part * part
        angle = part * (_ATAN_1 + square * (_ATAN_3 + square * (_ATAN_5 + square * (_ATAN_7 + square * _ATAN_9))))
        if abs(dy) > abs(dx):
            angle = _QUARTER_TURN - angle
        if dx < _ZERO:
            angle = _TWO * _QUARTER_TURN - angle
        if dy < _ZERO:
            angle = _FOUR * _QUARTER_TURN - angle
        turned = np.int32(angle * _SKY_PER_RADIAN)
        column = SKY_SLOT * SLOT_TEXELS + (((SKY_COLUMNS - 1 - turned) & (SKY_COLUMNS - 1)) << 6)
        return np.int32(column), _SKY_HEIGHT * (_ONE - _SKY_BEND * k * k)

    @jit
    def shaded(textures, texel):
        """The packed pixel of a texel; walls along x are drawn a quarter darker, so that corners show."""
        pixel = textures[texel & LAST_TEXEL] & COLOUR
        if texel < 0:
            pixel = pixel - ((pixel >> 2) & QUARTER)
        return np.int32(pixel)

    @jit
    def look(sides, maze, cols, theme, x, y, cos, sin, size, scratch):
        """Writes what every column shows of its wall into the scratch."""
        width = scratch.depth.shape[0]
        lateral_of, depth_at, along_at, face_at = scratch.lateral, scratch.depth, scratch.along, scratch.face
        for j in range(size):
            k = lateral_of[j]
            depth, along, side, number = cast(sides, maze, cols, x, y, cos + k * sin, sin - k * cos)
            depth_at[j] = depth
            along_at[j] = along
            face_at[j] = side + 4 * number
        for j in range(size, width):
            depth_at[j] = depth_at[size - 1]
        start_at, slope_at, column_at = scratch.start, scratch.slope, scratch.column
        for j in range(width):
            k = lateral_of[j]
            start, slope, column = wall(theme, size, depth_at[j], along_at[j], face_at[j], cos + k * sin, sin - k * cos)
            start_at[j] = start
            slope_at[j] = slope
            column_at[j] = column

    @jit
    def choose(theme, ceiling, x, y, cos, sin, size, scratch):
        """Writes the texel of every pixel into `scratch.image`; what a row writes too much, the next one overwrites."""
        width = scratch.depth.shape[0]
        depth, start, slope, column, image = scratch.depth, scratch.start, scratch.slope, scratch.column, scratch.image
        sky, sky_slope = scratch.sky, scratch.sky_slope
        nearest = depth[0]
        farthest = depth[0]
        for j in range(1, size):
            nearest = min(nearest, depth[j])
            farthest = max(farthest, depth[j])
        if ceiling == 0:
            for j in range(width):
                sky[j], sky_slope[j] = sky_column(cos, sin, scratch.lateral[j])
        reach_of, u_of, v_of, u_step_of, v_step_of = scratch.reach, scratch.u, scratch.v, scratch.u_step, scratch.v_step
        u_scale, v_scale = scratch.u_scale, scratch.v_scale
        for i in range(size):
            u, v, du, dv = plane_walk(reach_of[i], u_scale[i], v_scale[i], x, y, cos, sin, size)
            u_of[i] = u
            v_of[i] = v
            u_step_of[i] = du
            v_step_of[i] = dv
        for i in range(size):
            up = scratch.up[i]
            reach = reach_of[i]
            at = i * size
            if farthest <= reach:
                for j in range(width):
                    image[at + j] = wall_texel(start[j], slope[j], column[j], up)
            elif ceiling == 0 and up > _ZERO:
                for j in range(width):
                    inside = wall_texel(start[j], slope[j], column[j], up)
                    beyond = wall_texel(_SKY_START, sky_slope[j], sky[j], up)
                    image[at + j] = inside if depth[j] <= reach else beyond
            else:
                first = np.int32(scratch.texel[i] + theme * SLOT_TEXELS)
                u_mask, v_mask = scratch.u_mask[i], scratch.v_mask[i]
                u, v, du, dv = u_of[i], v_of[i], u_step_of[i], v_step_of[i]
                if nearest > reach:
                    for j in range(width):
                        image[at + j] = plane_texel(first, u_mask, v_mask, u, v)
                        u = np.int32(u + du)
                        v = np.int32(v + dv)
                else:
                    for j in range(width):
                        inside = wall_texel(start[j], slope[j], column[j], up)
                        beyond = plane_texel(first, u_mask, v_mask, u, v)
                        image[at + j] = inside if depth[j] <= reach else beyond
                        u = np.int32(u + du)
                        v = np.int32(v + dv)

    @jit
    def paint(rgb, row, sides, maze, cols, theme, ceiling, x, y, cos, sin, items, kinds, textures, scratch):
        """Draws the picture of one row of the batch.

        Args:
            rgb: [N, n, n, 3] uint8, of which `rgb[row]` is written.
            sides, maze, cols: see `env.engine.render.raycast`.
            theme, ceiling: of the maze, see `Pool`.
            x, y: position in units (float32).
            cos, sin: of the heading (float32).
            items, kinds: see `State`.
            textures: see `env.engine.textures.atlas.all_textures`.
            scratch: see `Scratch`; every column's depth stays in it.
        """
        size = rgb.shape[1]
        look(sides, maze, cols, theme, x, y, cos, sin, size, scratch)
        choose(theme, ceiling, x, y, cos, sin, size, scratch)
        vectors.fetch(textures, scratch.image, size * size)
        paint_items(scratch, size, row, cols, x, y, cos, sin, items, kinds, textures)
        vectors.unpack(scratch.image, rgb, row * size * size * 3, size * size)

    @jit
    def paint_column(rgb, row, j, sides, maze, cols, theme, ceiling, x, y, cos, sin, items, kinds, textures):
        """Draws column j of `rgb[row]`, pixel for pixel as `paint` does, and returns the depth of its wall."""
        size = rgb.shape[1]
        k = lateral(j, size)
        dx = cos + k * sin
        dy = sin - k * cos
        depth, along, side, number = cast(sides, maze, cols, x, y, dx, dy)
        start, slope, column = wall(theme, size, depth, along, np.int32(side + 4 * number), dx, dy)
        sky = np.int32(0)
        sky_slope = _ZERO
        if ceiling == 0:
            sky, sky_slope = sky_column(cos, sin, k)
        for i in range(size):
            up = upward(i, size)
            reach = plane(up)
            if depth <= reach:
                texel = wall_texel(start, slope, column, up)
            elif ceiling == 0 and up > _ZERO:
                texel = wall_texel(_SKY_START, sky_slope, sky, up)
            else:
                first, u_mask, v_mask, u_scale, v_scale = plane_form(up, reach, size)
                u, v, du, dv = plane_walk(reach, u_scale, v_scale, x, y, cos, sin, size)
                first = np.int32(first + theme * SLOT_TEXELS)
                texel = plane_texel(first, u_mask, v_mask, np.int32(u + j * du), np.int32(v + j * dv))
            pixel = shaded(textures, texel)
            rgb[row, i, j, 0] = pixel & 255
            rgb[row, i, j, 1] = (pixel >> 8) & 255
            rgb[row, i, j, 2] = (pixel >> 16) & 255
        paint_items_in_column(rgb, k, depth, row, j, cols, x, y, cos, sin, items, kinds, textures)
        return depth

    return SimpleNamespace(
        paint=paint,
        paint_column=paint_column,
        look=look,
        choose=choose,
        paint_items=paint_items,
        lateral=lateral,
        plane_form=plane_form,
        **vars(depths),
    )


@functools.cache
def _plain() -> SimpleNamespace:
    """The device functions as plain Python, which computes the same float32 numbers."""
    return build(lambda function: function)
