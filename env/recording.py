"""Recordings of DeepMind Lab, frame by frame: their files, and what a file must hold to be replayed."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from env.engine.frame_engine import MAX_DURATION, MAX_LOOK
from env.engine.motion import FULL_TURN
from env.navigation import VELOCITY_BOUND
from env.npz import read_arrays
from maze_gen.errors import InputError
from maze_gen.maze import Geometry, Maze
from maze_gen.text import read_maze

DEGREES = 360.0 / FULL_TURN
MAX_LAYOUT = 1_000_000
"""Characters of a maze's text."""

_SHAPES: dict[str, tuple[str, ...]] = {
    "actions": ("T", "7"),
    "pos": ("T", "3"),
    "rot": ("T", "3"),
    "vel_trans": ("T", "3"),
    "pos0": ("3",),
    "rot0": ("3",),
    "vel_trans0": ("3",),
    "reward": ("T",),
    "depth": ("K", "84", "84"),
    "depth_frame": ("K",),
    "layout": (),
    "geometry": (),
    "level": (),
    "clock": ("4",),
    "dt": ("T",),
    "exact": ("T",),
}
_KINDS = {
    "layout": "U",
    "geometry": "U",
    "level": "U",
    "actions": "iu",
    "depth_frame": "iu",
    "dt": "iu",
    "clock": "iu",
    "exact": "b",
}
"""NumPy's kinds of type that an array may have; numbers of any type where none is given."""
_BOUNDS: dict[str, float] = {
    "pos": 1e6,
    "pos0": 1e6,
    "rot": 3600.0,
    "rot0": 3600.0,
    "vel_trans": VELOCITY_BOUND,
    "vel_trans0": VELOCITY_BOUND,
    "reward": 1e6,
    "clock": MAX_DURATION,
}
"""Largest magnitudes: units, degrees, units/s, milliseconds."""


@dataclass(frozen=True)
class Trace:
    """A recording of T frames with K depth images; headings in 1/65536 turns, velocities along x and y in whole units/s.

    Attributes:
        path: its file.
        maze: the level's maze; its spawn is the recording's start.
        maze_has_goal: whether the layout holds the goal.
        items_known: whether the layout holds the items of the recorded level, so that rewards can be predicted.
        look, move, strafe: [T] the actions: pixels to the right; -1 backward, 1 forward; -1 left, 1 right.
        position: [T, 2] units, after each frame.
        heading: [T] after each frame.
        velocity, local_velocity: [T, 2] along x and y, and forward and left, units/s.
        reward: [T].
        duration: [T] milliseconds, 0 where unknown.
        exact: [T] whether the rules determine the frame's result.
        start: position, heading, velocity and clock before the first frame.
        depth: [K, 84, 84] depth bytes after the frames `depth_frame` [K], -1 for the start.
    """

    path: Path
    maze: Maze
    maze_has_goal: bool
    items_known: bool
    look: npt.NDArray[np.int64]
    move: npt.NDArray[np.int64]
    strafe: npt.NDArray[np.int64]
    position: npt.NDArray[np.float64]
    heading: npt.NDArray[np.int64]
    velocity: npt.NDArray[np.float64]
    local_velocity: npt.NDArray[np.float64]
    reward: npt.NDArray[np.float64]
    duration: npt.NDArray[np.int64]
    exact: npt.NDArray[np.bool_]
    start: tuple[npt.NDArray[np.float64], int, npt.NDArray[np.float64], npt.NDArray[np.int64]]
    depth: npt.NDArray[np.uint8]
    depth_frame: npt.NDArray[np.int64]

    @property
    def first_respawn(self) -> int:
        """The first frame that cannot be predicted at all; T where there is none."""
        frames = np.flatnonzero(~self.exact & (self.duration == 0))
        return int(frames[0]) if len(frames) else len(self.exact)


def read_trace(path: Path) -> Trace:
    """Reads a recording.

    Raises:
        InputError: the file cannot be read, is no recording, or holds a value that no recording has.
    """
    arrays = read_arrays(path, _SHAPES)
    _check_shapes(path, arrays)
    _check_values(path, arrays)
    layout, geometry = str(arrays["layout"]), str(arrays["geometry"])
    if geometry not in ("thin", "block"):
        raise InputError(f"{path}: geometry is {geometry!r}, expected 'thin' or 'block'")
    if len(layout) > MAX_LAYOUT:
        raise InputError(f"{path}: the layout has {len(layout)} characters, expected at most {MAX_LAYOUT}")
    maze = read_maze(layout, cast(Geometry, geometry), origin=str(path))
    heading, first_heading = headings(arrays["rot"][:, 1]), headings(arrays["rot0"][1])
    start_cell = maze.cell_at(*arrays["pos0"][:2])
    if not maze.open[start_cell]:
        raise InputError(f"{path}: the recording starts in a solid cell, row {start_cell[0]}, column {start_cell[1]}")
    return Trace(
        path=path,
        # Nothing is drawn: the recording determines the start, and without a goal in the layout none is played.
        maze=replace(maze, spawns=(start_cell,), goals=maze.goals or (start_cell,)),
        maze_has_goal=bool(maze.goals),
        items_known=bool(maze.goals or maze.apples or maze.strawberries) or str(arrays["level"]) == "text_maze",
        look=arrays["actions"][:, 0].astype(np.int64),
        move=arrays["actions"][:, 3].astype(np.int64),
        strafe=arrays["actions"][:, 2].astype(np.int64),
        position=arrays["pos"][:, :2].astype(np.float64),
        heading=heading,
        velocity=world_velocity(arrays["vel_trans"], heading),
        local_velocity=arrays["vel_trans"][:, :2].astype(np.float64),
        reward=arrays["reward"].astype(np.float64),
        duration=arrays["dt"].astype(np.int64),
        exact=arrays["exact"].astype(np.bool_),
        start=(
            arrays["pos0"][:2].astype(np.float64),
            int(first_heading),
            world_velocity(arrays["vel_trans0"], first_heading),
            arrays["clock"].astype(np.int64),
        ),
        depth=arrays["depth"].astype(np.uint8),
        depth_frame=arrays["depth_frame"].astype(np.int64),
    )


def _check_shapes(path: Path, arrays: dict[str, npt.NDArray[Any]]) -> None:
    sizes = {"7": 7, "3": 3, "4": 4, "84": 84}
    for name, axes in _SHAPES.items():
        if name not in arrays:
            raise InputError(f"{path}: no array {name!r}, which a recording has")
        array = arrays[name]
        if array.dtype.kind not in _KINDS.get(name, "biuf") or array.ndim != len(axes):
            raise InputError(
                f"{path}: array {name!r} has shape {array.shape} and type {array.dtype}, expected [{', '.join(axes)}]"
            )
        for axis, size in zip(axes, array.shape, strict=True):
            if sizes.setdefault(axis, size) != size:
                raise InputError(f"{path}: array {name!r} has shape {array.shape}, expected [{', '.join(axes)}]")


def _check_values(path: Path, arrays: dict[str, npt.NDArray[Any]]) -> None:
    frames = len(arrays["exact"])
    bounds = {name: (arrays[name], -bound, bound) for name, bound in _BOUNDS.items()}
    bounds |= {
        "actions: look": (arrays["actions"][:, 0], -MAX_LOOK, MAX_LOOK),
        "actions: strafe": (arrays["actions"][:, 2], -1, 1),
        "actions: move": (arrays["actions"][:, 3], -1, 1),
        "dt": (arrays["dt"], 0, MAX_DURATION),
        "depth": (arrays["depth"], 0, 255),
        "depth_frame": (arrays["depth_frame"], -1, frames - 1),
    }
    for name, (values, low, high) in bounds.items():
        # Written so that NaN is out of range.
        wrong = np.argwhere(~((values >= low) & (values <= high)))
        if len(wrong):
            at = tuple(wrong[0].tolist())
            frame = at[0] if _SHAPES[name.split(":")[0]][0] == "T" else 0
            raise InputError(f"{path}: frame {frame}: {name} is {values[at]}, expected {low:g} to {high:g}")
    if not arrays["exact"].any():
        raise InputError(f"{path}: no frame is marked exact, so that nothing would be compared")


def headings(degrees: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Yaw in degrees as a count of 1/65536 turns, in [0, 65536)."""
    return np.round(np.asarray(degrees, dtype=np.float64) / DEGREES).astype(np.int64) % FULL_TURN


def world_velocity(local: npt.NDArray[Any], heading: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """[..., 2] velocity along x and y, whole units/s, from (forward, left, up) and the heading in 1/65536 turns."""
    angle = np.asarray(heading) * (2 * np.pi / FULL_TURN)
    forward, left = local[..., 0], local[..., 1]
    x = forward * np.cos(angle) - left * np.sin(angle)
    y = forward * np.sin(angle) + left * np.cos(angle)
    return np.round(np.stack([x, y], axis=-1)).astype(np.float64)
