"""Floor and ceiling: the texture coordinates of a row of the picture, as device functions.

A row of the picture meets its plane at one depth, so its pixels sample the plane along a straight line in even steps. Texture
coordinates are fixed-point numbers: the column of a texel, shifted up by the bits of its mipmap level, begins at bit 16 of `u`,
its row at bit 16 of `v`. Higher bits overflow, which repeats the texture in every cell.
"""

import math
from types import SimpleNamespace

import numpy as np

from env.engine.compile import Jit
from env.engine.render import raycast
from env.engine.textures.atlas import CEILING_SLOT, FLOOR_SLOT, SLOT_TEXELS

_ZERO = np.float32(0.0)
_ONE = np.float32(1.0)
_TWO = np.float32(2.0)
_FOUR = np.float32(4.0)
_EIGHT = np.float32(8.0)
_PER_UNIT = np.float32(0.01)
_TEXELS_PER_UNIT = np.float32(0.64)
_SHARP = np.float32(1.0 / 1.3)
_PER_BELOW = np.float32(0.02)
_FRACTION_BITS = 16


def build(jit: Jit) -> SimpleNamespace:
    """Defines the device functions under a compiler.

    Returns:
        A namespace of `level_of`, `level_start`, `plane_form`, `plane_coordinates` and `plane_texel`.
    """
    lateral = raycast.build(jit).lateral

    @jit
    def level_of(rate):
        """The texture's mipmap level, 0 the finest, for a number of finest texels a pixel (float32)."""
        level = np.int32(0)
        if rate > _ONE:
            level = np.int32(1)
        if rate > _TWO:
            level = np.int32(2)
        if rate > _FOUR:
            level = np.int32(3)
        if rate > _EIGHT:
            level = np.int32(4)
        return level

    @jit
    def level_start(level):
        """Texels of a slot before the level's own: 4^6 + 4^5 + ..., `level` terms."""
        return np.int32(5461 - (5461 >> (2 * level)))

    @jit
    def plane_form(up, reach, size):
        """What of a row's texture coordinates is the same in every picture.

        Returns:
            (texel, u_mask, v_mask, u_scale, v_scale) of `Buffers`.
        """
        # Texels are minified more in depth than sideways: the geometric mean of both decides the level.
        rate = reach * (_TWO * _TEXELS_PER_UNIT / np.float32(size)) * _SHARP
        level = level_of(rate * np.float32(math.sqrt(reach * _PER_BELOW)))
        bits = 6 - level
        slot = FLOOR_SLOT if up < _ZERO else CEILING_SLOT
        v_mask = np.int32((1 << bits) - 1)
        u_scale = np.float32(np.int32(1 << (_FRACTION_BITS + 2 * bits)))
        v_scale = np.float32(np.int32(1 << (_FRACTION_BITS + bits)))
        return np.int32(slot * SLOT_TEXELS + level_start(level)), np.int32(v_mask << bits), v_mask, u_scale, v_scale

    @jit
    def fixed(cells, scale):
        """Cells as a 32-bit fixed-point number in which a cell is `scale`."""
        return np.int32(np.int64(cells * scale))

    @jit
    def plane_coordinates(camera, reach, u_scale, v_scale, size):
        """(u, v, u_step, v_step) of a row: its first texture coordinates on its plane, and their steps."""
        cos, sin = camera.cos, camera.sin
        edge = lateral(0, size)
        step = _TWO / np.float32(size)
        u = fixed((camera.x + reach * (cos + edge * sin)) * _PER_UNIT, u_scale)
        v = fixed((camera.y + reach * (sin - edge * cos)) * _PER_UNIT, v_scale)
        u_step = fixed(reach * sin * step * _PER_UNIT, u_scale)
        v_step = fixed(-reach * cos * step * _PER_UNIT, v_scale)
        return u, v, u_step, v_step

    @jit
    def plane_texel(first, u_mask, v_mask, u, v):
        """The texel of a floor or ceiling at texture coordinates."""
        return np.int32(first + ((u >> _FRACTION_BITS) & u_mask) + ((v >> _FRACTION_BITS) & v_mask))

    return SimpleNamespace(
        level_of=level_of,
        level_start=level_start,
        plane_form=plane_form,
        plane_coordinates=plane_coordinates,
        plane_texel=plane_texel,
    )
