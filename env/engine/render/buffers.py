"""The buffers in which the CPU draws a picture."""

import functools
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from env.engine.render import depth, floor_ceiling, raycast

MAX_VISIBLE_ITEMS = 128
"""Most items that a picture shows on the CPU; of more, the nearest."""


class Buffers(NamedTuple):
    """Buffers of one thread, for pictures of n x n; W is n rounded up to whole vectors.

    Attributes:
        up, reach: [n] float32, of each row: how far it looks up at depth 1, and the depth of the plane that it meets.
        texel: [n] int32, of each row: the first texel of the mipmap level of its plane's texture, for theme 0.
        u_mask, v_mask: [n] int32, of each row: which bits of a texel's offset in that level are its column and its row.
        u_scale, v_scale: [n] float32, of each row: the length of a cell in `u` and in `v`.
        u, v, u_step, v_step: [n] int32, of each row: its first texture coordinates on its plane, and their steps
            (`env.engine.render.floor_ceiling`).
        lateral: [W] float32, of each column: how far it looks to the right at depth 1. Columns beyond the picture repeat its
            last.
        depth, along: [W] float32, planar depth of the column's wall, and the coordinate along it.
        face: [W] int32, the wall's side and texture number, side + 4 * number.
        start, slope: [W] float32; a row of the picture shows row start - up * slope of the wall's texture.
        column: [W] int32, the first texel of the wall's texture column; the sign bit marks shaded walls.
        sky, sky_slope: [W] int32 and float32, `column` and `slope` of the sky.
        near: [D] uint8, the wall's depth byte; D is n rounded up to 32.
        far: [2, n] uint8, the depth byte of the row's plane, without and with a ceiling.
        image: [n * n + W] int32, texel numbers, then packed pixels.
        visible, visible_depth: [MAX_VISIBLE_ITEMS] int32 and float32, the items in view and their planar depth, far to near.
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
    visible: npt.NDArray[np.int32]
    visible_depth: npt.NDArray[np.float32]


def allocate_buffers(size: int) -> Buffers:
    """Buffers for pictures of size x size; those that no kernel writes are shared by all of that size."""
    width = _width(size)

    def floats(count: int) -> npt.NDArray[np.float32]:
        return np.ones(count, dtype=np.float32)

    def integers(count: int) -> npt.NDArray[np.int32]:
        return np.zeros(count, dtype=np.int32)

    return Buffers(
        **_constants(size),
        u=integers(size),
        v=integers(size),
        u_step=integers(size),
        v_step=integers(size),
        depth=floats(width),
        along=floats(width),
        face=integers(width),
        start=floats(width),
        slope=floats(width),
        column=integers(width),
        sky=integers(width),
        sky_slope=floats(width),
        near=np.zeros((size + 31) // 32 * 32, dtype=np.uint8),
        image=integers(size * size + 32),
        visible=integers(MAX_VISIBLE_ITEMS),
        visible_depth=floats(MAX_VISIBLE_ITEMS),
    )


def _width(size: int) -> int:
    return (size + 7) // 8 * 8


@functools.cache
def _constants(size: int) -> dict[str, npt.NDArray[Any]]:
    """The buffers that hold the same numbers for every picture of a size."""
    device = _device_functions()
    up = np.array([device.upward(i, size) for i in range(size)], dtype=np.float32)
    reach = np.array([device.plane(value) for value in up], dtype=np.float32)
    forms = [device.plane_form(*row, size) for row in zip(up, reach, strict=True)]
    texel, u_mask, v_mask, u_scale, v_scale = (np.array(values) for values in zip(*forms, strict=True))
    return {
        "up": up,
        "reach": reach,
        "texel": texel.astype(np.int32),
        "u_mask": u_mask.astype(np.int32),
        "v_mask": v_mask.astype(np.int32),
        "u_scale": u_scale.astype(np.float32),
        "v_scale": v_scale.astype(np.float32),
        "lateral": np.array([device.lateral(min(j, size - 1), size) for j in range(_width(size))], dtype=np.float32),
        "far": np.array([[device.byte_of(value, ceiling) for value in reach] for ceiling in (0, 1)], dtype=np.uint8),
    }


@functools.cache
def _device_functions() -> SimpleNamespace:
    """The device functions as plain Python, which computes the same float32 numbers."""

    def uncompiled(function):
        return function

    parts = (raycast, depth, floor_ceiling)
    return SimpleNamespace(**{name: value for part in parts for name, value in vars(part.build(uncompiled)).items()})
