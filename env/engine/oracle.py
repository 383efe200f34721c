"""The best next action towards the goal, found by search: shortest-path fields, and the engine's motion simulated ahead.

`field` measures the way to a goal for a body as wide as the agent, on a grid of 10 units. `plan` simulates the motion from the
agent's state: each action for one agent step, then each action for `AHEAD` more, and chooses the first action of the pair that
keeps nearest to the goal on the way. It uses the goal and the walls, and ignores fruit.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from env.engine import motion
from env.engine.compile import cpu, cpu_kernel
from env.engine.motion import Walls
from maze_gen.maze import Maze

AHEAD = 2
"""Agent steps for which the second action is repeated."""

NODES = 10
"""Nodes of the field along a cell; they lie 5, 15, ... 95 units into it."""

FAR = np.float32(1e9)
"""The field's value where the goal cannot be reached from."""

# forward, strafe right, turn to the left of ACTION_NAMES.
_FORWARD = np.array([0, 0, 1, -1, 0, 0, 1, 1], dtype=np.int32)
_STRAFE = np.array([0, 0, 0, 0, -1, 1, 0, 0], dtype=np.int32)
_TURN = np.array([1, -1, 0, 0, 0, 0, 1, -1], dtype=np.float32) * motion.turn_of_pixels(-20)

_SECONDS = np.float32(0.016)
_PITCH = np.float32(10.0)
_HALF = np.float32(0.5)
_ZERO = np.float32(0.0)
_ONE = np.float32(1.0)
_DEGREE = np.float32(math.pi / 180)
_BEFORE, _BEHIND, _ASIDE = np.float32(-50.0), np.float32(44.0), np.float32(36.0)


class Agents(NamedTuple):
    """The agents that `plan` chooses actions for.

    Attributes:
        maze: [N] int32, each agent's maze.
        field: [N] int32, each agent's field.
        position: [N, 2] float32, units.
        heading: [N] float32, degrees.
        velocity: [N, 6] float32, units/s, in the agent's frame (forward, left first).
        goal: [N, 2] float32, the goal's position in units.
    """

    maze: npt.NDArray[np.int32]
    field: npt.NDArray[np.int32]
    position: npt.NDArray[np.float32]
    heading: npt.NDArray[np.float32]
    velocity: npt.NDArray[np.float32]
    goal: npt.NDArray[np.float32]


class Pose(NamedTuple):
    """Position in units, velocity in units/s, both along x and y, and heading in degrees; float32."""

    x: Any
    y: Any
    vx: Any
    vy: Any
    heading: Any


class _Queue(NamedTuple):
    """A priority queue with buckets of one unit, each a linked list; a node may have several entries, only its nearest counts.

    Attributes:
        head: [B] int32, the first entry of each bucket, -1 for none.
        node, following: [E] int32, each entry's node, and the next entry of its bucket.
    """

    head: npt.NDArray[np.int32]
    node: npt.NDArray[np.int32]
    following: npt.NDArray[np.int32]


def walls_of(maze: Maze) -> npt.NDArray[np.uint8]:
    """[rows * cols * 4] uint8: the maze's walls in the order of `Pool.faces`, from the bottom row up."""
    return np.ascontiguousarray(maze.walls[::-1]).astype(np.uint8).ravel()


def field(maze: Maze, goal_cell: int) -> npt.NDArray[np.float32]:
    """Length in units of the shortest way of the agent's centre from every node to where the goal is touched.

    Args:
        goal_cell: row * cols + col.

    Returns:
        [rows * NODES, cols * NODES] float32, from the bottom row up; FAR where there is no way.
    """
    return field_between(walls_of(maze), maze.rows, maze.cols, goal_cell)


def field_between(walls: npt.NDArray[np.uint8], rows: int, cols: int, goal_cell: int) -> npt.NDArray[np.float32]:
    """As `field`, between the walls [rows * cols * 4] uint8 of `walls_of`, or those that somebody believes in."""
    height, width = rows * NODES, cols * NODES
    found = np.full((height, width), FAR, dtype=np.float32)
    blocked = np.zeros((height, width), dtype=np.uint8)
    node, following = np.empty((2, height * width * 16), dtype=np.int32)
    # No shortest way visits a cell twice, nor takes 150 units in it.
    queue = _Queue(np.full((rows * cols + 1) * 150, -1, dtype=np.int32), node, following)
    _fill(found, blocked, queue, walls, cols, rows - 1 - goal_cell // cols, goal_cell % cols)
    return found


_motion = motion.build(cpu)
_accelerate, _slide, _rounded = _motion.accelerate, _motion.slide, _motion.rounded


@cpu
def _blocked(walls, cols, node_row, node_col):
    """Whether an agent's square around a node would overlap a wall."""
    iy, oy = node_row // NODES, node_row % NODES
    ix, ox = node_col // NODES, node_col % NODES
    at = (iy * cols + ix) * 4
    east, north, west, south = ox >= NODES - 2, oy >= NODES - 2, ox <= 1, oy <= 1
    if (east and walls[at]) or (north and walls[at + 1]) or (west and walls[at + 2]) or (south and walls[at + 3]):
        return True
    if east or west:
        aside = at + (4 if east else -4)
        if 0 <= aside < len(walls) and ((north and walls[aside + 1]) or (south and walls[aside + 3])):
            return True
    if north or south:
        above = at + (4 * cols if north else -4 * cols)
        if 0 <= above < len(walls) and ((east and walls[above]) or (west and walls[above + 2])):
            return True
    return False


@cpu_kernel
def _fill(found, blocked, queue, walls, cols, goal_row, goal_col):
    """Dijkstra's algorithm with a queue of whole units; steps go to 16 neighbours."""
    head, waiting, following = queue.head, queue.node, queue.following
    height, width = found.shape
    for node_row in range(height):
        for node_col in range(width):
            blocked[node_row, node_col] = _blocked(walls, cols, node_row, node_col)
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
                    squared = step_row * step_row + step_col * step_col
                    if squared == 0 or squared == 4 or squared == 8:
                        continue
                    to_row, to_col = node_row + step_row, node_col + step_col
                    if to_row < 0 or to_col < 0 or to_row >= height or to_col >= width:
                        continue
                    if blocked[to_row, to_col]:
                        # Nodes in walls' margins get a value for interpolation, from their own cell, but lead nowhere.
                        if squared > 2 or to_row // NODES != node_row // NODES or to_col // NODES != node_col // NODES:
                            continue
                    elif squared == 5:
                        mid_row, mid_col = node_row + step_row // 2, node_col + step_col // 2
                        if blocked[mid_row, mid_col] or blocked[to_row - step_row // 2, to_col - step_col // 2]:
                            continue
                    there = here + _PITCH * np.float32(math.sqrt(np.float32(squared)))
                    if there < found[to_row, to_col] and used < len(waiting) and int(there) < len(head):
                        found[to_row, to_col] = there
                        unit = int(there)
                        waiting[used], following[used] = to_row * width + to_col, head[unit]
                        head[unit] = used
                        used += 1


@cpu
def field_value(fields, index, x, y):
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
def pose_of(agents, row):
    """The present `Pose` of an agent."""
    angle = agents.heading[row]
    cos, sin = np.float32(math.cos(angle * _DEGREE)), np.float32(math.sin(angle * _DEGREE))
    forward, left = agents.velocity[row, 0], agents.velocity[row, 1]
    return Pose(agents.position[row, 0], agents.position[row, 1], forward * cos - left * sin, forward * sin + left * cos, angle)


@cpu
def repeat_action(walls, action, frames, pose, goal_x, goal_y):
    """The pose after an action was repeated, and the frame that touched the goal, -1 for none."""
    x, y, vx, vy, heading = pose
    for frame in range(frames):
        heading = heading + _TURN[action]
        angle = heading * _DEGREE
        vx, vy = _accelerate(
            vx, vy, _FORWARD[action], _STRAFE[action], np.float32(math.cos(angle)), np.float32(math.sin(angle)), _SECONDS
        )
        x, y, vx, vy = _slide(walls, x, y, vx, vy, _SECONDS)
        vx, vy = _rounded(vx), _rounded(vy)
        if _BEFORE <= x - goal_x <= _BEHIND and abs(y - goal_y) <= _ASIDE:
            return Pose(x, y, vx, vy, heading), frame
    return Pose(x, y, vx, vy, heading), -1


@cpu_kernel
def plan(actions, walls, fields, agents, repeat):
    """Writes the best next action of every agent.

    Args:
        actions: [N] int32, written.
        walls: [M, rows * cols * 4] uint8, see `walls_of`.
        fields: [K, rows * NODES, cols * NODES] float32, see `field`.
        agents: see `Agents`; `agents.maze` are rows of `walls`, `agents.field` rows of `fields`.
        repeat: frames of an agent step.
    """
    rows, cols = fields.shape[1] // NODES, fields.shape[2] // NODES
    for row in range(len(actions)):
        own = Walls(walls, agents.maze[row], rows, cols)
        index = agents.field[row]
        start = pose_of(agents, row)
        goal_x, goal_y = agents.goal[row, 0], agents.goal[row, 1]
        best = FAR * np.float32(2.0)
        chosen = 2
        for first in range(8):
            after_first, touched = repeat_action(own, first, repeat, start, goal_x, goal_y)
            if touched >= 0:
                cost = np.float32(touched) - FAR
                if cost < best:
                    best, chosen = cost, first
                continue
            for second in range(2, 8):
                pose = after_first
                cost = _ZERO
                for _ in range(AHEAD):
                    pose, touched = repeat_action(own, second, repeat, pose, goal_x, goal_y)
                    if touched >= 0:
                        cost += np.float32(touched)
                        break
                    cost += field_value(fields, index, pose.x, pose.y)
                if cost < best:
                    best, chosen = cost, first
        actions[row] = chosen
