"""One ray through the walls of a maze, for each column of the picture.

The camera never pitches, so the walls of a whole column of pixels lie on one ray in the plane. With a direction of
forward + k * right the ray's parameter is planar depth, the distance along the camera's axis.

Walls are the slabs of `env.engine.maze_pool`, 1 unit thick inside the open cells. A ray goes from cell to cell. In a cell it can
meet the broad faces of two slabs, those ahead of it; and where it enters a cell within 1 unit of a corner, the end of a slab that
stands across: where walls jut out, these ends show their thickness.
"""

import functools
from types import SimpleNamespace

import numpy as np

from env.engine.compile import Jit

SIZES = (42, 84)
"""Heights and widths of pictures that the project uses; any even number from 16 to 512 works."""

_CELL = np.float32(100.0)
_PER_UNIT = np.float32(0.01)
_ZERO = np.float32(0.0)
_HALF = np.float32(0.5)
_ONE = np.float32(1.0)
_TWO = np.float32(2.0)
_FAR_SIDE = np.float32(99.0)
_LEAST = np.float32(1e-7)
_BYTE = 255


@functools.cache
def build(jit: Jit) -> SimpleNamespace:
    """Defines the device functions under a compiler.

    Returns:
        A namespace of `lateral` and `cast`.
    """

    @jit
    def lateral(column, size):
        """How far right of the camera's axis a column looks, at depth 1: from -1 to 1 across the picture (float32)."""
        return (np.float32(column) + _HALF) * _TWO / np.float32(size) - _ONE

    @jit
    def cast(sides, camera, dx, dy):
        """The first wall that a ray meets.

        Args:
            sides: see `Scene`.
            camera: the ray starts at its position.
            dx, dy: the ray's direction, forward + k * right (float32).

        Returns:
            (planar depth in units; the coordinate along the wall where it is met, in units; the visible side of the cell,
            EAST, NORTH, WEST or SOUTH; the number of its texture). float32, float32, integer, integer.
        """
        maze, cols, x, y = camera.maze, camera.cols, camera.x, camera.y
        # A direction along an axis is tilted by a ten millionth, so that every grid line is crossed at a finite depth.
        if abs(dx) < _LEAST:
            dx = _LEAST
        if abs(dy) < _LEAST:
            dy = _LEAST
        inverse_x = _ONE / dx
        inverse_y = _ONE / dy
        thick_x = abs(inverse_x)
        thick_y = abs(inverse_y)
        span_x = thick_x * _FAR_SIDE
        span_y = thick_y * _FAR_SIDE
        ix = int(x * _PER_UNIT)
        iy = int(y * _PER_UNIT)
        square = iy * cols + ix
        if dx > _ZERO:
            side_x = 0
            step_x = 1
            line_x = np.float32(ix + 1) * _CELL
            width_x = _CELL
            wall_x = _ONE
        else:
            side_x = 2
            step_x = -1
            line_x = np.float32(ix) * _CELL
            width_x = -_CELL
            wall_x = -_ONE
        if dy > _ZERO:
            side_y = 1
            step_y = cols
            line_y = np.float32(iy + 1) * _CELL
            width_y = _CELL
            wall_y = _ONE
        else:
            side_y = 3
            step_y = -cols
            line_y = np.float32(iy) * _CELL
            width_y = -_CELL
            wall_y = -_ONE
        shift_x = 8 * side_x
        shift_y = 8 * side_y
        back_x = 16 - shift_x
        back_y = 32 - shift_y
        # Depth at which the next line of the grid is crossed, in either direction.
        next_x = (line_x - x) * inverse_x
        next_y = (line_y - y) * inverse_y
        faces = int(sides[maze, square])
        while True:
            face_x = (faces >> shift_x) & _BYTE
            face_y = (faces >> shift_y) & _BYTE
            reach_x = next_x - thick_x if face_x != 0 else next_x
            reach_y = next_y - thick_y if face_y != 0 else next_y
            if reach_x < reach_y:
                if face_x != 0:
                    depth = (line_x - wall_x - x) * inverse_x
                    return depth, y + depth * dy, side_x, face_x
                square += step_x
                faces = int(sides[maze, square])
                rest = next_y - next_x
                if rest < thick_y:
                    face = (faces >> shift_y) & _BYTE
                elif rest > span_y:
                    face = (faces >> back_y) & _BYTE
                else:
                    face = 0
                if face != 0:
                    return next_x, y + next_x * dy, side_x, face
                line_x += width_x
                next_x = (line_x - x) * inverse_x
            else:
                if face_y != 0:
                    depth = (line_y - wall_y - y) * inverse_y
                    return depth, x + depth * dx, side_y, face_y
                square += step_y
                faces = int(sides[maze, square])
                rest = next_x - next_y
                if rest < thick_x:
                    face = (faces >> shift_x) & _BYTE
                elif rest > span_x:
                    face = (faces >> back_x) & _BYTE
                else:
                    face = 0
                if face != 0:
                    return next_y, x + next_y * dx, side_y, face
                line_y += width_y
                next_y = (line_y - y) * inverse_y

    return SimpleNamespace(lateral=lateral, cast=cast)
