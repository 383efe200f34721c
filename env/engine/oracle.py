"""What the best next action towards the goal is, found by trying: shortest-path fields, and the engine's motion run ahead.

`fields` measures the way to a goal for a body as wide as the agent, on a grid of 10 units. `plan` runs the motion ahead from
where an agent is: each action for one agent step, then each action for `AHEAD` more, and takes the first action of the pair
that keeps nearest to the goal on the way. It knows the goal and the walls, nothing of fruit.
"""

import math

import numpy as np
import numpy.typing as npt

from env.engine import motion
from env.engine.compile import cpu, cpu_kernel
from maze_gen.maze import Maze

AHEAD = 2
"""Agent steps that the second action is held for."""

NODES = 10
"""Nodes of the field along a cell; they lie 5, 15, ... 95 units into it."""

FAR = np.float32(1e9)
"""The field's value where the goal can't be reached from."""

# forward, strafe right, turn to the left of ACTION_NAMES.
_FORWARD = np.array([0, 0, 1, -1, 0, 0, 1, 1], dtype=np.int32)
_STRAFE = np.array([0, 0, 0, 0, -1, 1, 0, 0], dtype=np.int32)
_TURN = np.array([1, -1, 0, 0, 0, 0, 1, -1], dtype=np.float32) * motion.turn_of_pixels(-20)

_SECONDS = np.float32(0.016)
_CELL = np.float32(100.0)
_PITCH = np.float32(10.0)
_HALF = np.float32(0.5)
_ZERO = np.float32(0.0)
_ONE = np.float32(1.0)
_DEGREE = np.float32(math.pi / 180)
_BEFORE, _BEHIND, _ASIDE = np.float32(-50.0), np.float32(44.0), np.float32(36.0)


def walls_of(maze: Maze) -> npt.NDArray[np.uint8]:
    """[rows * cols * 4] uint8: the maze's walls as the device functions number them, from the bottom row up."""
    return np.ascontiguousarray(maze.walls[::-1]).astype(np.uint8).ravel()


def field(maze: Maze, goal_cell: int) -> npt.NDArray[np.float32]:
    """Units of way from every node to where the goal is touched, as the agent's centre can go.

    Args:
        goal_cell: row * cols + col.

    Returns:
        [rows * NODES, cols * NODES] float32, from the bottom row up; FAR where there is no way.
    """
    height, width = maze.rows * NODES, maze.cols * NODES
    found = np.full((height, width), FAR, dtype=np.float32)
    blocked = np.zeros((height, width), dtype=np.uint8)
    # Buckets of one unit as linked lists: a node may wait in several, only its nearest counts.
    head = np.full((height + width) * 200, -1, dtype=np.int32)
    waiting, following = np.empty((2, height * width * 16), dtype=np.int32)
    goal_row, goal_col = maze.rows - 1 - goal_cell // maze.cols, goal_cell % maze.cols
    _fill(found, blocked, head, waiting, following, walls_of(maze), maze.rows, maze.cols, goal_row, goal_col)
    return found


_motion = motion.build(cpu)
_accelerate, _slide, _whole = _motion.accelerate, _motion.slide, _motion.whole


@cpu
def _blocked(walls, rows, cols, node_row, node_col):
    """Whether an agent's square around a node would overlap a wall."""
    iy, oy = node_row // NODES, node_row % NODES
    ix, ox = node_col // NODES, node_col % NODES
    place = (iy * cols + ix) * 4
    east, north, west, south = ox >= NODES - 2, oy >= NODES - 2, ox <= 1, oy <= 1
    if (east and walls[place]) or (north and walls[place + 1]) or (west and walls[place + 2]) or (south and walls[place + 3]):
        return True
    if east or west:
        aside = place + (4 if east else -4)
        if (north and walls[aside + 1]) or (south and walls[aside + 3]):
            return True
    if north or south:
        above = place + (4 * cols if north else -4 * cols)
        if (east and walls[above]) or (west and walls[above + 2]):
            return True
    return False


@cpu_kernel
def _fill(found, blocked, head, waiting, following, walls, rows, cols, goal_row, goal_col):
    """Dijkstra's algorithm with a queue of whole units; steps go to 16 neighbours."""
    height, width = rows * NODES, cols * NODES
    for node_row in range(height):
        for node_col in range(width):
            blocked[node_row, node_col] = _blocked(walls, rows, cols, node_row, node_col)
    used = 0
    for oy in range(2, NODES - 2):
        for ox in range(NODES - 1):
            node_row, node_col = goal_row * NODES + oy, goal_col * NODES + ox
            if not blocked[node_row, node_col]:
                found[node_row, node_col] = _ZERO
                waiting[used], following[used] = node_row * width + node_col, head[0]
                head[0] = used
                used += 1
    for bucket in range(len(head)):
        entry = head[bucket]
        while entry >= 0:
            node = waiting[entry]
            entry = following[entry]
            node_row, node_col = node // width, node % width
            here = found[node_row, node_col]
            if blocked[node_row, node_col] or int(here) != bucket:
                continue
            for step_row in range(-2, 3):
                for step_col in range(-2, 3):
                    squares = step_row * step_row + step_col * step_col
                    if squares == 0 or squares == 4 or squares == 8:
                        continue
                    to_row, to_col = node_row + step_row, node_col + step_col
                    if to_row < 0 or to_col < 0 or to_row >= height or to_col >= width:
                        continue
                    if blocked[to_row, to_col]:
                        # Walls' margins take a value for interpolation, from inside their own cell, but lead nowhere.
                        if squares > 2 or to_row // NODES != node_row // NODES or to_col // NODES != node_col // NODES:
                            continue
                    elif squares == 5:
                        mid_row, mid_col = node_row + step_row // 2, node_col + step_col // 2
                        if blocked[mid_row, mid_col] or blocked[to_row - step_row // 2, to_col - step_col // 2]:
                            continue
                    there = here + _PITCH * np.float32(math.sqrt(np.float32(squares)))
                    if there < found[to_row, to_col] and used < len(waiting):
                        found[to_row, to_col] = there
                        place = int(there)
                        waiting[used], following[used] = to_row * width + to_col, head[place]
                        head[place] = used
                        used += 1


@cpu
def _value(fields, index, x, y):
    """A field at (x, y), interpolated between nodes."""
    height, width = fields.shape[1], fields.shape[2]
    across, up = x / _PITCH - _HALF, y / _PITCH - _HALF
    col, row = math.floor(across), math.floor(up)
    across, up = across - np.float32(col), up - np.float32(row)
    total, weight = _ZERO, _ZERO
    for upper in range(2):
        for right in range(2):
            share = (up if upper else _ONE - up) * (across if right else _ONE - across)
            to_row, to_col = min(max(row + upper, 0), height - 1), min(max(col + right, 0), width - 1)
            value = fields[index, to_row, to_col]
            if value < FAR:
                total += share * value
                weight += share
    return total / weight if weight > _ZERO else FAR


@cpu
def _hold(walls, maze, rows, cols, action, frames, x, y, vx, vy, heading, goal_x, goal_y):
    """The state after an action was held, and the frame that touched the goal, -1 for none."""
    for frame in range(frames):
        heading = heading + _TURN[action]
        angle = heading * _DEGREE
        vx, vy = _accelerate(
            vx, vy, _FORWARD[action], _STRAFE[action], np.float32(math.cos(angle)), np.float32(math.sin(angle)), _SECONDS
        )
        x, y, vx, vy = _slide(walls, maze, rows, cols, x, y, vx, vy, _SECONDS)
        vx, vy = _whole(vx), _whole(vy)
        if _BEFORE <= x - goal_x <= _BEHIND and abs(y - goal_y) <= _ASIDE:
            return x, y, vx, vy, heading, frame
    return x, y, vx, vy, heading, -1


@cpu_kernel
def plan(actions, walls, maze, fields, index, rows, cols, position, heading, velocity, goal, repeat):
    """Writes the best next action of every agent.

    Args:
        actions: [N] int32, written.
        walls: [M, rows * cols * 4] uint8 as `walls_of`.
        maze: [N] int32, each agent's row of `walls`.
        fields: [K, rows * NODES, cols * NODES] float32 as `field`.
        index: [N] int32, each agent's row of `fields`.
        position: [N, 2] float32, units.
        heading: [N] float32, degrees.
        velocity: [N, 6] float32, units/s, in the agent's frame (forward, left first).
        goal: [N, 2] float32, the goal's place in units.
        repeat: frames of an agent step.
    """
    for row in range(len(actions)):
        x, y, angle = position[row, 0], position[row, 1], heading[row]
        cos, sin = np.float32(math.cos(angle * _DEGREE)), np.float32(math.sin(angle * _DEGREE))
        vx = velocity[row, 0] * cos - velocity[row, 1] * sin
        vy = velocity[row, 0] * sin + velocity[row, 1] * cos
        goal_x, goal_y = goal[row, 0], goal[row, 1]
        best = FAR * np.float32(2.0)
        chosen = 2
        for first in range(8):
            x1, y1, vx1, vy1, angle1, touched = _hold(
                walls, maze[row], rows, cols, first, repeat, x, y, vx, vy, angle, goal_x, goal_y
            )
            if touched >= 0:
                cost = np.float32(touched) - FAR
                if cost < best:
                    best, chosen = cost, first
                continue
            for second in range(2, 8):
                x2, y2, vx2, vy2, angle2 = x1, y1, vx1, vy1, angle1
                cost = _ZERO
                for _ in range(AHEAD):
                    x2, y2, vx2, vy2, angle2, touched = _hold(
                        walls, maze[row], rows, cols, second, repeat, x2, y2, vx2, vy2, angle2, goal_x, goal_y
                    )
                    if touched >= 0:
                        cost += np.float32(touched)
                        break
                    cost += _value(fields, index[row], x2, y2)
                if cost < best:
                    best, chosen = cost, first
        actions[row] = chosen
