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
        level: [n] int32, of each row: the level of the floor's or ceiling's texture.
        lateral: [W] float32, of each column: how far it looks to the right at depth 1. Columns beyond the picture repeat its
            last.
        depth, along: [W] float32, planar depth of the column's wall, and the coordinate along it.
        face: [W] int32, the wall's side and texture number, side + 4 * number.
        start, slope: [W] float32, the wall's texture at a row of the picture is at row start - up * slope.
        column: [W] int32, where the wall's column of texels begins; the sign bit marks walls in the shade.
        sky, sky_slope: [W] int32 and float32, `column` and `slope` of the sky.
        near: [W] uint8, the wall's depth byte.
        image: [n * n + W] int32, texels chosen, then packed pixels.
        seen, seen_depth: [SEEN] int32 and float32, the items in view and their planar depth, far to near.
    """

    up: npt.NDArray[np.float32]
    reach: npt.NDArray[np.float32]
    level: npt.NDArray[np.int32]
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
    image: npt.NDArray[np.int32]
    seen: npt.NDArray[np.int32]
    seen_depth: npt.NDArray[np.float32]
