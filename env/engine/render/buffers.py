"""The working space in which the CPU draws a picture."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

SEEN = 128
"""Most items that a picture shows on the CPU; of more, the nearest."""


class Scratch(NamedTuple):
    """Working space of one thread, for pictures of n x n; W is n rounded up to whole vectors.

    Attributes:
        up, reach: [n] float32, of each row: how far it looks up at depth 1, and the depth of the plane it meets.
        texel: [n] int32, of each row: the first texel of the level of its plane's texture, for theme 0.
        u_mask, v_mask: [n] int32, of each row: which bits of a texel's place in that level are its column and its row.
        u_scale, v_scale: [n] float32, of each row: what a cell is in `u` and in `v`.
        u, v, u_step, v_step: [n] int32, of each row: where on its plane it begins, and its steps
            (`env.engine.render.floor_ceiling`).
        lateral: [W] float32, of each column: how far it looks to the right at depth 1. Columns beyond the picture repeat its
            last.
        depth, along: [W] float32, planar depth of the column's wall, and the coordinate along it.
        face: [W] int32, the wall's side and texture number, side + 4 * number.
        start, slope: [W] float32, the wall's texture at a row of the picture is at row start - up * slope.
        column: [W] int32, where the wall's column of texels begins; the sign bit marks walls in the shade.
        sky, sky_slope: [W] int32 and float32, `column` and `slope` of the sky.
        near: [D] uint8, the wall's depth byte; D is n rounded up to 32.
        far: [2, n] uint8, the depth byte of the row's plane, without and with a ceiling.
        image: [n * n + W] int32, texels chosen, then packed pixels.
        seen, seen_depth: [SEEN] int32 and float32, the items in view and their planar depth, far to near.
    """

    up: npt.NDArray[np.float32]
    reach: npt.NDArray[np.float32]
    texel: npt.NDArray[np.int32]
    u_mask: npt.NDArray[np.int32]
    v_mask: npt.NDArray[np.int32]
    u_scale: npt.NDArray[np.float32]
    v_scale: npt.NDArray[np.float32]
    u: npt.NDArray[np.int32]
    v: npt.NDArray[np.int32]
    u_step: npt.NDArray[np.int32]
    v_step: npt.NDArray[np.int32]
    lateral: npt.NDArray[np.float32]
    depth: npt.NDArray[np.float32]
    along: npt.NDArray[np.float32]
    face: npt.NDArray[np.int32]
    start: npt.NDArray[np.float32]
    slope: npt.NDArray[np.float32]
    column: npt.NDArray[np.int32]
    sky: npt.NDArray[np.int32]
    sky_slope: npt.NDArray[np.float32]
    near: npt.NDArray[np.uint8]
    far: npt.NDArray[np.uint8]
    image: npt.NDArray[np.int32]
    seen: npt.NDArray[np.int32]
    seen_depth: npt.NDArray[np.float32]
