"""What an agent sees of a maze: the sides of cells and the middles of cells that rays over its field of view reach.

Places are numbered as in `env.engine.maze_pool`, from the bottom row up; side s of a place has the index 4 * place + s, and sides
lie EAST, NORTH, WEST, SOUTH.
"""

import math

import numpy as np

from env.engine.compile import cpu, cpu_kernel

RAYS = 64
"""Rays over the field of view of 90 degrees, as many as half again the columns of a small picture."""
NOTICED = 25.0
"""Units: a ray that passes the middle of a cell so near shows what lies there."""
UNKNOWN, OPEN, WALL = 0, 1, 2
"""What is known of a side."""

CELL = 100.0


@cpu
def opposite(place, side, rows, cols):
    """The index of the same side seen from the neighbouring place, -1 at the border."""
    if side == 0:
        return (place + 1) * 4 + 2 if place % cols + 1 < cols else -1
    if side == 1:
        return (place + cols) * 4 + 3 if place // cols + 1 < rows else -1
    if side == 2:
        return (place - 1) * 4 if place % cols > 0 else -1
    return (place - cols) * 4 + 1 if place >= cols else -1


@cpu
def _ray(known, seen, walls, size, start, way):
    """Follows a ray from `start` (x, y) in units along the unit vector `way` (dx, dy) to the wall that it meets."""
    rows, cols = size
    x, y = start
    dx, dy = way
    ix, iy = int(x / CELL), int(y / CELL)
    for _ in range(rows + cols + 2):
        place = iy * cols + ix
        aside = abs((ix * CELL + 50.0 - x) * dy - (iy * CELL + 50.0 - y) * dx)
        if aside <= NOTICED:
            seen[place] = 1
        to_x = ((ix + 1 if dx > 0.0 else ix) * CELL - x) / dx if dx != 0.0 else 1e9
        to_y = ((iy + 1 if dy > 0.0 else iy) * CELL - y) / dy if dy != 0.0 else 1e9
        side = (0 if dx > 0.0 else 2) if to_x < to_y else 1 if dy > 0.0 else 3
        other = opposite(place, side, rows, cols)
        closed = walls[place * 4 + side] != 0
        known[place * 4 + side] = WALL if closed else OPEN
        if other >= 0:
            known[other] = WALL if closed else OPEN
        if closed or other < 0:
            return
        ix, iy = (other // 4) % cols, (other // 4) // cols


@cpu_kernel
def look(known, seen, walls, maze, size, position, heading):
    """Adds what every agent sees now to what it knows.

    Args:
        known: [N, P * 4] uint8, UNKNOWN, OPEN or WALL, changed.
        seen: [N, P] uint8, 1 where the middle of a cell was in sight, changed.
        walls: [M, P * 4] uint8, see `env.engine.oracle.walls_of`.
        maze: [N] int32, each agent's row of `walls`.
        size: (rows, cols).
        position: [N, 2] float32, units.
        heading: [N] float32, degrees.
    """
    _, cols = size
    for row in range(len(known)):
        angle = float(heading[row]) * math.pi / 180.0
        # What lies in the agent's own cell it all but touches.
        seen[row, int(position[row, 1] / CELL) * cols + int(position[row, 0] / CELL)] = 1
        ahead_x, ahead_y = math.cos(angle), math.sin(angle)
        for ray in range(RAYS):
            aside = 2.0 * (ray + 0.5) / RAYS - 1.0
            dx, dy = ahead_x + aside * ahead_y, ahead_y - aside * ahead_x
            length = math.sqrt(dx * dx + dy * dy)
            x, y = float(position[row, 0]), float(position[row, 1])
            _ray(known[row], seen[row], walls[maze[row]], size, (x, y), (dx / length, dy / length))


def nothing_known(num_envs: int, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """(known [N, P * 4], seen [N, P]) of agents that have seen nothing yet."""
    return np.zeros((num_envs, cells * 4), np.uint8), np.zeros((num_envs, cells), np.uint8)
