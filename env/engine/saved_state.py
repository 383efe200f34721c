"""The state of an engine as arrays by name, from which an equal engine goes on; what is read back is checked.

Seed, stream and episode determine an episode's layout: maze, goal, items and distances are drawn again from them. What a recorded
state adds must be possible in that layout, because compiled code uses it without checks.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from env.engine.placement import first_misplaced
from env.engine.state import UNREACHABLE, World
from env.navigation import FRAMES_PER_SECOND, STRAWBERRY, STRAWBERRY_FLAG, VELOCITY_BOUND
from maze_gen.errors import InputError

IDENTITY = ("seed", "stream", "episode")
MOVING = (
    "position",
    "motion",
    "angle",
    "heading",
    "offset",
    "turned",
    "clock",
    "frame",
    "touched",
    "leaving",
    "items",
    "spawns",
    "ready",
)
"""Arrays of `State` that change within an episode."""
OUTPUTS = ("velocity", "reward", "truncated", "goals", "respawns")
"""Arrays of `Facts` that belong to the last step; the others follow from the state."""
CLOCK_BOUND = 1000
"""Milliseconds; the clock's entries stay below 60."""

Arrays = Mapping[str, npt.NDArray[Any]]


def read_state(world: World, read: Callable[[Any], npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """Copies of everything that an equal engine needs; `read` copies an array to the host."""
    sources = {name: getattr(world.state, name) for name in (*IDENTITY, *MOVING)}
    sources |= {name: getattr(world.facts, name) for name in OUTPUTS}
    return {name: read(array) for name, array in sources.items()}


def check_form(world: World, arrays: Arrays, read: Callable[[Any], npt.NDArray[Any]]) -> None:
    """Checks names, shapes, types and the values that do not depend on the layout.

    Raises:
        InputError: an array is missing, unknown, or holds a value out of range.
    """
    expected = read_state(world, read)
    for name in sorted(set(expected) ^ set(arrays)):
        raise InputError(f"state: array {name!r} is {'missing' if name in expected else 'unknown'}")
    for name, own in expected.items():
        array = np.asarray(arrays[name])
        if array.shape != own.shape or array.dtype != own.dtype:
            raise InputError(
                f"state: array {name!r} has shape {array.shape} and type {array.dtype}, expected {own.shape} and {own.dtype}"
            )
    frames = world.rules.episode_frames
    bounds = {
        "seed": (0, 2**63 - 1),
        "episode": (0, 2**62),
        "motion": (-VELOCITY_BOUND, VELOCITY_BOUND),
        "angle": (0, 360),
        "heading": (0, 65535),
        "offset": (-65536, 65536),
        "turned": (-(2**24), 2**24),
        "clock": (-CLOCK_BOUND, CLOCK_BOUND),
        "frame": (0, frames),
        "touched": (0, 3),
        "leaving": (0, 1),
        "spawns": (0, frames + 1),
        "ready": (0, 1),
        "velocity": (-1e6, 1e6),
        "reward": (-1e30, 1e30),
        "goals": (0, frames),
        "respawns": (0, frames),
    }
    for name, (low, high) in bounds.items():
        values = np.asarray(arrays[name])
        # Written so that NaN is out of range.
        wrong = np.argwhere(~((values >= low) & (values <= high)))
        if len(wrong):
            at = tuple(wrong[0].tolist())
            raise InputError(f"state: {name}{list(at)} is {values[at]}, expected {low} to {high}")
    wrong = np.flatnonzero(arrays["ready"] != (arrays["frame"] < frames))
    if len(wrong):
        row = wrong[0]
        raise InputError(f"state: ready[{row}] is {arrays['ready'][row]} after {arrays['frame'][row]} frames of {frames}")


def check_layout(world: World, arrays: Arrays, read: Callable[[Any], npt.NDArray[Any]]) -> None:
    """Checks positions and items against the layout, which `world.state` holds already.

    Raises:
        InputError: an agent that stands in a wall, or an item that lies where it never was.
    """
    maze, homes, items = read(world.state.maze), read(world.state.homes), arrays["items"]
    size = (world.rules.rows, world.rules.cols)
    row = first_misplaced(read(world.pool.faces), read(world.pool.open), maze, size, arrays["position"])
    if row >= 0:
        x, y = arrays["position"][row]
        raise InputError(f"state: position[{row}] is ({x:g}, {y:g}), which is not clear of the walls of maze {maze[row]}")
    wrong = np.argwhere((items != homes) & (items != -1))
    if len(wrong):
        row, item = wrong[0]
        raise InputError(f"state: items[{row}, {item}] is {items[row, item]}, expected {homes[row, item]} or -1")


def derived_facts(world: World, arrays: Arrays, read: Callable[[Any], npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """The arrays of `Facts` that follow from the state, as the device functions compute them."""
    rows, cols = world.rules.rows, world.rules.cols
    position, items = arrays["position"], arrays["items"][:, 1:]
    ix, iy = (position / np.float32(100.0)).astype(np.int32).T
    cells = (rows - 1 - items // cols) * cols + items % cols
    cells = np.where(read(world.state.kinds)[:, 1:] == STRAWBERRY, cells | STRAWBERRY_FLAG, cells)
    cell = (rows - 1 - iy) * cols + ix
    distance = np.take_along_axis(read(world.state.distance), cell[:, None], 1)[:, 0].astype(np.int32)
    return {
        "position": position,
        "heading": arrays["heading"].astype(np.float32) * np.float32(360.0 / 65536.0),
        "cell": cell,
        "goal_distance": np.where(distance == UNREACHABLE, -1, distance),
        "next_cell": _next_cells(world, read, cell, distance),
        "fruit_cells": np.where(items >= 0, cells, -1).astype(np.int32),
        "seconds": arrays["frame"].astype(np.float32) / np.float32(FRAMES_PER_SECOND),
    }


def _next_cells(
    world: World, read: Callable[[Any], npt.NDArray[Any]], cell: npt.NDArray[np.int32], distance: npt.NDArray[np.int32]
) -> npt.NDArray[np.int32]:
    """[N] int32: the cell after `cell` [N] on a shortest path to the goal, which is `distance` [N] cells away."""
    rows, cols = world.rules.rows, world.rules.cols
    square = (rows - 1 - cell // cols) * cols + cell % cols
    open_sides = read(world.pool.faces).reshape(-1, rows * cols, 4)[read(world.state.maze), square] == 0
    field, following = read(world.state.distance), cell.copy()
    for side, step in reversed(list(enumerate((1, -cols, -1, cols)))):
        beyond = np.where(open_sides[:, side], cell + step, cell)
        nearer = np.take_along_axis(field, beyond[:, None], 1)[:, 0].astype(np.int32) == distance - 1
        following = np.where(nearer, beyond, following)
    return np.where(distance == UNREACHABLE, -1, following).astype(np.int32)
