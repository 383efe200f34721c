"""The motion of an agent in one frame: DeepMind Lab's clock, turn, friction, acceleration and slide along walls.

The source of every rule is the project's reference page on DeepMind Lab. Units are those of `maze_gen.maze`; speeds are units/s.
Walls are the slabs of `env.engine.maze_pool`: 1 unit thick, inside the open cell whose side they close, along the whole side.
"""

import functools
import math
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from env.engine.compile import Jit

FULL_TURN = 65536
"""Headings are counted in steps of 360/65536 degrees."""

FRESH_CLOCK = (12, -38, -1, 14)
"""(rest, ahead, last, first) in milliseconds: time into the server's step of 50; the client's clock relative to the server's; the
last frame's end relative to the client's clock; the duration of the next frame."""

DEGREES_PER_PIXEL = 0.0066 * 16

_CELL = np.float32(100.0)
_TURN = np.float32(360.0)
_STEPS = np.float32(65536.0)
_ZERO = np.float32(0.0)
_HALF = np.float32(0.5)
_ONE = np.float32(1.0)
_MINUS_ONE = np.float32(-1.0)
_MILLISECOND = np.float32(0.001)
_TOP_SPEED = np.float32(320.0)
_ACCELERATION = np.float32(10.0)
_FRICTION = np.float32(6.0)
_FRICTION_FLOOR = np.float32(100.0)
_DIAGONAL = np.float32(math.sqrt(0.5))
_HALF_WIDTH = np.float32(15.0)
_FAR_FACE = np.float32(99.0)
_GAP = np.float32(0.125)
_NEAR_WALL = np.float32(16.125)
_FAR_WALL = np.float32(100.0 - 16.125)
_REACH = np.float32(15.5)
_PARALLEL = np.float32(0.99)
_INTO = np.float32(0.1)
_MOST_PLANES = 4
_OVERBOUNCE = np.float32(1.001)


class Walls(NamedTuple):
    """The walls of one maze.

    Attributes:
        faces: see `env.engine.maze_pool.Pool`.
        maze: the row of `faces`.
        rows, cols: the size of the maze in cells.
    """

    faces: Any
    maze: Any
    rows: Any
    cols: Any


class Path(NamedTuple):
    """A straight path of the agent's centre, in units (float32)."""

    x0: Any
    y0: Any
    x1: Any
    y1: Any


class Box(NamedTuple):
    """An axis-aligned rectangle, in units (float32)."""

    left: Any
    right: Any
    low: Any
    high: Any


def turn_of_pixels(pixels: int) -> np.float32:
    """Degrees that a frame's look action turns the view; positive pixels turn right, clockwise."""
    return np.float32(-pixels * DEGREES_PER_PIXEL)


def cosines() -> np.ndarray:
    """[65536] float32, the cosine of every heading; the sine of h is entry (h - 16384) modulo 65536.

    A lookup table, because the last bit of a cosine differs between processors' libraries.
    """
    quarter = np.cos(np.arange(FULL_TURN // 4 + 1) * (2 * np.pi / FULL_TURN)).astype(np.float32)
    quarter[-1] = 0.0
    half = np.concatenate([quarter, -quarter[-2::-1]])
    return np.concatenate([half, half[-2:0:-1]])


@functools.cache
def build(jit: Jit) -> SimpleNamespace:
    """Defines the device functions under a compiler.

    Returns:
        A namespace of `tick`, `turn`, `heading_of_view`, `accelerate`, `slide` and `rounded`.
    """

    @jit
    def tick(clock, row):
        """Milliseconds of the frame that begins; advances the row's clock, int32 [N, 4]."""
        duration = clock[row, 3]
        rest = clock[row, 0] + 16
        ahead = clock[row, 1] + 16
        last = clock[row, 2] - 16
        if rest >= 50:
            rest -= 50
            ahead -= 50
        end = max(last, 0)
        drift = -2 if ahead >= -5 else 1
        clock[row, 0] = rest
        clock[row, 1] = ahead + drift
        clock[row, 2] = end - drift
        clock[row, 3] = end - last
        return duration

    @jit
    def turn(view, degrees):
        """The view's angle, degrees in [0, 360), after a turn by `degrees`."""
        angle = view + degrees
        return angle - _TURN * np.float32(math.floor(angle / _TURN))

    @jit
    def heading_of_view(view):
        """The view's angle as a count of 1/65536 turns."""
        return int(view * _STEPS / _TURN + _HALF) & 65535

    @jit
    def accelerate(vx, vy, forward, strafe, cos, sin, seconds):
        """Velocity after friction and acceleration along `forward` (1, 0, -1) and `strafe` (1 right, -1 left)."""
        speed = np.float32(math.sqrt(vx * vx + vy * vy))
        if speed < _ONE:
            vx = _ZERO
            vy = _ZERO
        else:
            kept = speed - max(speed, _FRICTION_FLOOR) * _FRICTION * seconds
            kept = max(kept, _ZERO) / speed
            vx = vx * kept
            vy = vy * kept
        if forward != 0 or strafe != 0:
            along = np.float32(forward)
            aside = np.float32(strafe)
            if forward != 0 and strafe != 0:
                along = along * _DIAGONAL
                aside = aside * _DIAGONAL
            wish_x = along * cos + aside * sin
            wish_y = along * sin - aside * cos
            add = _TOP_SPEED - (vx * wish_x + vy * wish_y)
            if add > _ZERO:
                add = min(_ACCELERATION * seconds * _TOP_SPEED, add)
                vx = vx + wish_x * add
                vy = vy + wish_y * add
        # Dividing by the length and multiplying again decides how a speed of exactly one half rounds.
        speed = np.float32(math.sqrt(vx * vx + vy * vy))
        if speed > _ZERO:
            inverse = _ONE / speed
            vx = vx * inverse * speed
            vy = vy * inverse * speed
        return vx, vy

    @jit
    def meet(best, side, path, box):
        """The earlier of a contact known already and that with one slab, grown by the agent's half width.

        Returns:
            (fraction of the path, side that the face in contact looks to: 0 to 3 as EAST to SOUTH, or -1 for none).
        """
        enter = _MINUS_ONE
        leave = _ONE
        outside = False
        met = -1
        for face in range(4):
            if face == 0:
                d1 = path.x0 - box.right
                d2 = path.x1 - box.right
            elif face == 1:
                d1 = path.y0 - box.high
                d2 = path.y1 - box.high
            elif face == 2:
                d1 = box.left - path.x0
                d2 = box.left - path.x1
            else:
                d1 = box.low - path.y0
                d2 = box.low - path.y1
            if d1 > _ZERO:
                outside = True
                if d2 >= _GAP or d2 >= d1:
                    return best, side
            if d1 > _ZERO or d2 > _ZERO:
                if d1 > d2:
                    fraction = max((d1 - _GAP) / (d1 - d2), _ZERO)
                    if fraction > enter:
                        enter = fraction
                        met = face
                else:
                    leave = min(leave, (d1 + _GAP) / (d1 - d2))
        if outside and met >= 0 and enter < leave and enter < best:
            return enter, met
        return best, side

    @jit
    def sweep(walls, path):
        """How far the agent gets along a path, as `meet` returns it; (1, -1) where there is no contact."""
        faces, maze = walls.faces, walls.maze
        corner_x = _CELL * np.float32(int(path.x0 / _CELL))
        corner_y = _CELL * np.float32(int(path.y0 / _CELL))
        best = _ONE
        side = -1
        if (
            min(path.x0, path.x1) >= corner_x + _NEAR_WALL
            and max(path.x0, path.x1) <= corner_x + _FAR_WALL
            and min(path.y0, path.y1) >= corner_y + _NEAR_WALL
            and max(path.y0, path.y1) <= corner_y + _FAR_WALL
        ):
            return best, side
        first_col = max(int((min(path.x0, path.x1) - _REACH) / _CELL), 0)
        last_col = min(int((max(path.x0, path.x1) + _REACH) / _CELL), walls.cols - 1)
        first_row = max(int((min(path.y0, path.y1) - _REACH) / _CELL), 0)
        last_row = min(int((max(path.y0, path.y1) + _REACH) / _CELL), walls.rows - 1)
        for iy in range(first_row, last_row + 1):
            for ix in range(first_col, last_col + 1):
                square = (iy * walls.cols + ix) * 4
                left = _CELL * np.float32(ix) - _HALF_WIDTH
                low = _CELL * np.float32(iy) - _HALF_WIDTH
                right = left + _CELL + _HALF_WIDTH + _HALF_WIDTH
                high = low + _CELL + _HALF_WIDTH + _HALF_WIDTH
                if faces[maze, square] != 0:
                    best, side = meet(best, side, path, Box(left + _FAR_FACE, right, low, high))
                if faces[maze, square + 1] != 0:
                    best, side = meet(best, side, path, Box(left, right, low + _FAR_FACE, high))
                if faces[maze, square + 2] != 0:
                    best, side = meet(best, side, path, Box(left, right - _FAR_FACE, low, high))
                if faces[maze, square + 3] != 0:
                    best, side = meet(best, side, path, Box(left, right, low, high - _FAR_FACE))
        return best, side

    @jit
    def along(side):
        """The unit vector that a side looks to."""
        x = _ZERO
        y = _ZERO
        if side == 0:
            x = _ONE
        elif side == 1:
            y = _ONE
        elif side == 2:
            x = _MINUS_ONE
        elif side == 3:
            y = _MINUS_ONE
        return x, y

    @jit
    def clip(vx, vy, nx, ny):
        """Velocity without its part into a plane."""
        into = vx * nx + vy * ny
        into = into * _OVERBOUNCE if into < _ZERO else into / _OVERBOUNCE
        return vx - nx * into, vy - ny * into

    @jit
    def plane(index, planes, ux, uy):
        """Plane 0 is the direction of movement; the following ones are the walls met, two bits of `planes` each."""
        if index == 0:
            return ux, uy
        return along((planes >> (2 * (index - 1))) & 3)

    @jit
    def slide(walls, x, y, vx, vy, seconds):
        """Position and velocity (x, y, vx, vy) after `seconds` of movement, with up to four contacts with walls."""
        speed = np.float32(math.sqrt(vx * vx + vy * vy))
        if speed == _ZERO:
            return x, y, vx, vy
        ux = vx * (_ONE / speed)
        uy = vy * (_ONE / speed)
        planes = 0
        count = 1
        left = seconds
        for _ in range(4):
            way_x = vx * left
            way_y = vy * left
            fraction, side = sweep(walls, Path(x, y, x + way_x, y + way_y))
            x = x + way_x * fraction
            y = y + way_y * fraction
            if side < 0:
                break
            left = left - left * fraction
            if count == _MOST_PLANES:
                return x, y, _ZERO, _ZERO
            nx, ny = along(side)
            known = False
            for index in range(count):
                px, py = plane(index, planes, ux, uy)
                if nx * px + ny * py > _PARALLEL:
                    known = True
            if known:
                vx = vx + nx
                vy = vy + ny
                continue
            planes = planes | (side << (2 * (count - 1)))
            count += 1
            # The floor is the first plane in DeepMind Lab: level movement counts as into it, so that the other planes are
            # applied once, in the order in which they were met.
            for index in range(count):
                px, py = plane(index, planes, ux, uy)
                if vx * px + vy * py < _INTO:
                    vx, vy = clip(vx, vy, px, py)
        return x, y, vx, vy

    @jit
    def rounded(value):
        """The nearest integer, half to even."""
        floor = np.float32(math.floor(value))
        rest = value - floor
        if rest > _HALF or (rest == _HALF and int(floor) & 1 == 1):
            floor = floor + _ONE
        return floor

    return SimpleNamespace(
        tick=tick, turn=turn, heading_of_view=heading_of_view, accelerate=accelerate, slide=slide, rounded=rounded
    )
