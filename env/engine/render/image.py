"""What a row sees, as device functions: the picture; depth is `env.engine.render.depth`'s.

On the CPU, for one row: `paint` draws the picture into `rgb[row]` and leaves every column's depth in the buffers; `paint_depth`
then writes `depth[row]` from that (where no picture is wanted, `measure` comes first instead of `paint`); `target` writes
`depth_target[row]`, or `target_from_buffers` from the depths of a picture of 84 x 84. The buffers come from
`env.engine.render.buffers.allocate_buffers`, one for each thread.

On a GPU each thread draws one column: `paint_column` returns the column's depth, which `paint_depth_column` takes;
`target_column` writes one of the 16 columns of the target.

Row i of n looks up by 1 - (2 i + 1) / n at depth 1, column j to the right by (2 j + 1) / n - 1. The CPU draws in passes over
vectors of pixels: where the columns meet walls, which texel every pixel shows, the texels' colours, items, and last the channels.
A GPU's thread takes the same steps pixel by pixel, so that both draw the same bytes.
"""

import math
from types import SimpleNamespace

import numpy as np

from env.engine.compile import Jit
from env.engine.render import depth, floor_ceiling, raycast, sprites
from env.engine.textures.atlas import COLOUR, LAST_TEXEL, QUARTER, SKY_COLUMNS, SKY_SLOT, SLOT_TEXELS, THEME_SLOTS

_ZERO = np.float32(0.0)
_ONE = np.float32(1.0)
_TWO = np.float32(2.0)
_FOUR = np.float32(4.0)
_PER_UNIT = np.float32(0.01)
_TEXELS_PER_UNIT = np.float32(0.64)
_TOP_TEXEL = np.float32(depth.ABOVE_EYE * 0.64)
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


def build(jit: Jit) -> SimpleNamespace:
    """Defines the device functions under a compiler.

    Returns:
        A namespace of `paint` for the CPU, `paint_column` for a GPU, and everything that `env.engine.render.depth` builds.
    """
    # Imported where it is used: it brings a compiler.
    from env.engine.render import simd

    rays = raycast.build(jit)
    lateral, cast = rays.lateral, rays.cast
    fetch, unpack = simd.fetch, simd.unpack
    depths = depth.build(jit)
    upward, plane = depths.upward, depths.plane
    planes = floor_ceiling.build(jit)
    level_of, level_start = planes.level_of, planes.level_start
    plane_form, plane_coordinates, plane_texel = planes.plane_form, planes.plane_coordinates, planes.plane_texel
    items_of = sprites.build(jit)
    paint_items, paint_items_in_column = items_of.paint_items, items_of.paint_items_in_column

    @jit
    def wall(theme, size, depth, along, face, dx, dy):
        """What a column shows of its wall, from what `cast` returned for its ray.

        Returns:
            (start, slope, column) of `Buffers`.
        """
        side = face & 3
        # At grazing angles texels are minified horizontally only: the geometric mean of both directions decides the level.
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
        """(column, slope) of the sky, a panorama of 256 columns at infinite distance."""
        dx = cos + k * sin
        dy = sin - k * cos
        # The arc tangent of an octant by a polynomial: a library's rounds differently on a GPU.
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
        """The packed pixel of a texel; walls along x are drawn a quarter darker, so that corners are visible."""
        pixel = textures[texel & LAST_TEXEL] & COLOUR
        if texel < 0:
            pixel = pixel - ((pixel >> 2) & QUARTER)
        return np.int32(pixel)

    @jit
    def find_walls(sides, camera, size, buffers):
        """Writes what every column shows of its wall to the buffers."""
        width = buffers.depth.shape[0]
        cos, sin = camera.cos, camera.sin
        lateral_of, depth_at, along_at, face_at = buffers.lateral, buffers.depth, buffers.along, buffers.face
        for j in range(size):
            k = lateral_of[j]
            depth, along, side, number = cast(sides, camera, cos + k * sin, sin - k * cos)
            depth_at[j] = depth
            along_at[j] = along
            face_at[j] = side + 4 * number
        for j in range(size, width):
            depth_at[j] = depth_at[size - 1]
        start_at, slope_at, column_at = buffers.start, buffers.slope, buffers.column
        for j in range(width):
            k = lateral_of[j]
            dx = cos + k * sin
            start, slope, column = wall(camera.theme, size, depth_at[j], along_at[j], face_at[j], dx, sin - k * cos)
            start_at[j] = start
            slope_at[j] = slope
            column_at[j] = column

    @jit
    def choose_texels(camera, size, buffers):
        """Writes the texel of every pixel to `buffers.image`; what a row writes past its end, the next one overwrites."""
        width = buffers.depth.shape[0]
        depth, start, slope, column, image = buffers.depth, buffers.start, buffers.slope, buffers.column, buffers.image
        sky, sky_slope = buffers.sky, buffers.sky_slope
        nearest = depth[0]
        farthest = depth[0]
        for j in range(1, size):
            nearest = min(nearest, depth[j])
            farthest = max(farthest, depth[j])
        if camera.ceiling == 0:
            for j in range(width):
                sky[j], sky_slope[j] = sky_column(camera.cos, camera.sin, buffers.lateral[j])
        reach_of, u_of, v_of, u_step_of, v_step_of = buffers.reach, buffers.u, buffers.v, buffers.u_step, buffers.v_step
        u_scale, v_scale = buffers.u_scale, buffers.v_scale
        for i in range(size):
            u, v, du, dv = plane_coordinates(camera, reach_of[i], u_scale[i], v_scale[i], size)
            u_of[i] = u
            v_of[i] = v
            u_step_of[i] = du
            v_step_of[i] = dv
        for i in range(size):
            up = buffers.up[i]
            reach = reach_of[i]
            at = i * size
            if farthest <= reach:
                for j in range(width):
                    image[at + j] = wall_texel(start[j], slope[j], column[j], up)
            elif camera.ceiling == 0 and up > _ZERO:
                for j in range(width):
                    inside = wall_texel(start[j], slope[j], column[j], up)
                    beyond = wall_texel(_SKY_START, sky_slope[j], sky[j], up)
                    image[at + j] = inside if depth[j] <= reach else beyond
            else:
                first = np.int32(buffers.texel[i] + camera.theme * SLOT_TEXELS)
                u_mask, v_mask = buffers.u_mask[i], buffers.v_mask[i]
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
    def paint(rgb, row, scene, camera, items, kinds, buffers):
        """Draws the picture of one row of the batch.

        Args:
            rgb: [N, n, n, 3] uint8, of which `rgb[row]` is written.
            scene: see `env.engine.state.Scene`.
            camera: see `Camera`.
            items, kinds: see `env.engine.state.State`.
            buffers: see `Buffers`; every column's depth stays in them.
        """
        size = rgb.shape[1]
        find_walls(scene.sides, camera, size, buffers)
        choose_texels(camera, size, buffers)
        fetch(scene.textures, buffers.image, size * size)
        paint_items(buffers, size, row, camera, items, kinds, scene.textures)
        unpack(buffers.image, rgb, row * size * size * 3, size * size)

    @jit
    def paint_column(rgb, row, j, scene, camera, items, kinds):
        """Draws column j of `rgb[row]`, pixel for pixel as `paint` does, and returns the depth of its wall."""
        size = rgb.shape[1]
        k = lateral(j, size)
        dx = camera.cos + k * camera.sin
        dy = camera.sin - k * camera.cos
        depth, along, side, number = cast(scene.sides, camera, dx, dy)
        start, slope, column = wall(camera.theme, size, depth, along, np.int32(side + 4 * number), dx, dy)
        sky = np.int32(0)
        sky_slope = _ZERO
        if camera.ceiling == 0:
            sky, sky_slope = sky_column(camera.cos, camera.sin, k)
        for i in range(size):
            up = upward(i, size)
            reach = plane(up)
            if depth <= reach:
                texel = wall_texel(start, slope, column, up)
            elif camera.ceiling == 0 and up > _ZERO:
                texel = wall_texel(_SKY_START, sky_slope, sky, up)
            else:
                first, u_mask, v_mask, u_scale, v_scale = plane_form(up, reach, size)
                u, v, du, dv = plane_coordinates(camera, reach, u_scale, v_scale, size)
                first = np.int32(first + camera.theme * SLOT_TEXELS)
                texel = plane_texel(first, u_mask, v_mask, np.int32(u + j * du), np.int32(v + j * dv))
            pixel = shaded(scene.textures, texel)
            rgb[row, i, j, 0] = pixel & 255
            rgb[row, i, j, 1] = (pixel >> 8) & 255
            rgb[row, i, j, 2] = (pixel >> 16) & 255
        paint_items_in_column(rgb, row, j, depth, camera, items, kinds, scene.textures)
        return depth

    return SimpleNamespace(paint=paint, paint_column=paint_column, **vars(depths))
