"""Planar depth: of a pixel, as DeepMind Lab's byte, and along the 64 rays of the depth target, as device functions.

A pixel shows the wall of its column where that is nearer than the plane that its row meets: the floor below the horizon, and
above it the ceiling or, under an open sky, the level of the walls' tops, beyond which is sky. So planar depth needs one ray for
each column. Items have no depth.
"""

from types import SimpleNamespace

import numpy as np
import numpy.typing as npt

from env.engine.compile import Jit
from env.engine.render import raycast

BELOW_EYE = 50.125
"""Units from the floor, whose top is at 1, up to the eye, at 51.125."""
ABOVE_EYE = 48.875
"""Units from the eye up to the walls' tops and the ceiling, at 100."""
NEAR = 4.0
"""Distance of DeepMind Lab's near plane, in units, where a depth byte is 0."""
FAR = 1100.0
"""Distance in units where a depth byte becomes 255, in `thin` mazes: the far plane that the paper's depth classes assume.
DeepMind Lab's own changes from frame to frame. Under an open sky there is none."""
SKY_DISTANCE = 1e6
"""Planar depth of the sky, in units; its depth byte is 254."""
TARGET_SIZE = 84
"""Height and width of the picture whose pixels the depth target samples, whatever size is drawn."""
TARGET_ROWS = (16, 29, 42, 55)
TARGET_COLUMNS = tuple(range(2, 78, 5))

_ZERO = np.float32(0.0)
_HALF = np.float32(0.5)
_ONE = np.float32(1.0)
_TWO = np.float32(2.0)
_BELOW = np.float32(BELOW_EYE)
_ABOVE = np.float32(ABOVE_EYE)
_NEAR = np.float32(NEAR)
_SKY = np.float32(SKY_DISTANCE)
_THIN_SCALE = np.float32(255.0 * FAR / (FAR - NEAR))
_OPEN_SCALE = np.float32(255.0)
_TOP_BYTE = np.float32(255.0)
_SKY_BYTE = np.uint8(254)
_FIRST_ROW, _ROW_STEP = TARGET_ROWS[0], TARGET_ROWS[1] - TARGET_ROWS[0]
_FIRST_COLUMN, _COLUMN_STEP = TARGET_COLUMNS[0], TARGET_COLUMNS[1] - TARGET_COLUMNS[0]


def depth_byte(depth: npt.ArrayLike, far: float = np.inf) -> npt.NDArray[np.uint8]:
    """DeepMind Lab's depth byte of a planar depth in units, with its far plane at `far` units; any shape."""
    scale = 255.0 if np.isinf(far) else 255.0 * far / (far - NEAR)
    return np.clip(np.floor(scale * (1.0 - NEAR / np.asarray(depth, dtype=np.float64))), 0, 255).astype(np.uint8)


def build(jit: Jit) -> SimpleNamespace:
    """Defines the device functions under a compiler.

    Returns:
        A namespace of `upward`, `plane`, `byte_of`, `planar_depth`, `measure_column`, `measure`, `paint_depth`,
        `paint_depth_column`, `target_column`, `target` and `target_from_buffers`.
    """
    rays = raycast.build(jit)
    lateral, cast = rays.lateral, rays.cast

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
    def planar_depth(wall_depth, up, ceiling):
        """Planar depth of a pixel in units, from that of its column's wall."""
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
    def measure_column(column, size, sides, camera):
        """Planar depth of the wall in one column of a picture."""
        k = lateral(column, size)
        depth, _, _, _ = cast(sides, camera, camera.cos + k * camera.sin, camera.sin - k * camera.cos)
        return depth

    @jit
    def measure(sides, camera, size, buffers):
        """Writes `buffers.depth`, planar depth of the wall in every column."""
        for j in range(size):
            buffers.depth[j] = measure_column(j, size, sides, camera)

    @jit
    def paint_depth(depth, row, ceiling, buffers):
        """Writes `depth[row]` of [N, n, n] uint8 from `buffers.depth`."""
        size = depth.shape[1]
        near, walls, image = buffers.near, buffers.depth, depth
        for j in range(size):
            near[j] = byte_of(walls[j], ceiling)
        # Bytes grow with depth, so the nearer of two things has the lesser byte.
        for i in range(size):
            beyond = buffers.far[ceiling, i]
            if ceiling == 0 and buffers.up[i] > _ZERO:
                reach = buffers.reach[i]
                for j in range(size):
                    image[row, i, j] = near[j] if walls[j] <= reach else _SKY_BYTE
            else:
                for j in range(size):
                    image[row, i, j] = min(near[j], beyond)

    @jit
    def paint_depth_column(depth, row, j, ceiling, wall_depth):
        """Writes column j of `depth[row]`, whose wall is `wall_depth` units away."""
        size = depth.shape[1]
        for i in range(size):
            depth[row, i, j] = byte_of(planar_depth(wall_depth, upward(i, size), ceiling), ceiling)

    @jit
    def target_column(output, row, column, sides, camera):
        """Writes column `column` of the 16 of `output[row]`, [N, 4, 16] float32, planar depth in units."""
        at = _FIRST_COLUMN + column * _COLUMN_STEP
        wall_depth = measure_column(at, TARGET_SIZE, sides, camera)
        for line in range(4):
            up = upward(_FIRST_ROW + line * _ROW_STEP, TARGET_SIZE)
            output[row, line, column] = planar_depth(wall_depth, up, camera.ceiling)

    @jit
    def target(output, row, sides, camera):
        """Writes `output[row]`, [N, 4, 16] float32, planar depth in units along 64 rays."""
        for column in range(16):
            target_column(output, row, column, sides, camera)

    @jit
    def target_from_buffers(output, row, ceiling, buffers):
        """As `target`, but from `buffers.depth` of a picture of TARGET_SIZE, whose columns include those of the target."""
        for line in range(4):
            up = upward(_FIRST_ROW + line * _ROW_STEP, TARGET_SIZE)
            for column in range(16):
                wall_depth = buffers.depth[_FIRST_COLUMN + column * _COLUMN_STEP]
                output[row, line, column] = planar_depth(wall_depth, up, ceiling)

    return SimpleNamespace(
        upward=upward,
        plane=plane,
        byte_of=byte_of,
        planar_depth=planar_depth,
        measure_column=measure_column,
        measure=measure,
        paint_depth=paint_depth,
        paint_depth_column=paint_depth_column,
        target_column=target_column,
        target=target,
        target_from_buffers=target_from_buffers,
    )
