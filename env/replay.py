"""Plays recordings of DeepMind Lab in the engine and says how far the two differ.

`python -m env.replay TRACE...` prints one JSON line a trace and one of all. What is compared, and how, is what the recordings'
README asks for: the engine predicts frame after frame from its own state; where the recording isn't marked `exact` it takes
position, heading and velocity from it; from the first respawn on it takes durations and headings from it.
"""

import json
import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import numpy.typing as npt
import tyro

from env.engine.frame_engine import FrameEngine
from env.engine.motion import FULL_TURN
from env.recorded_depth import DepthComparison
from env.task import Task
from maze_gen.cli import parse_options
from maze_gen.errors import InputError, one_line_errors
from maze_gen.maze import Geometry, Maze
from maze_gen.text import read_maze

DEGREES = 360.0 / FULL_TURN

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


@dataclass(frozen=True)
class Options:
    """Plays recordings of DeepMind Lab in the engine and says how far the two differ."""

    traces: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Recordings, .npz files."""
    tolerance: float = 0.01
    """Largest error of a position, in units, that is no failure."""


@dataclass(frozen=True)
class Trace:
    """A recording of T frames with K depth images; headings in 1/65536 turns, velocities along x and y in whole units/s.

    `items_known` says whether the maze's text holds what lay in the recorded level, so that rewards can be predicted.
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
        """The first frame of which nothing can be predicted; T where there is none."""
        frames = np.flatnonzero(~self.exact & (self.duration == 0))
        return int(frames[0]) if len(frames) else len(self.exact)


def read_trace(path: Path) -> Trace:
    """Reads a recording.

    Raises:
        InputError: the file can't be read, or isn't a recording.
    """
    try:
        with path.open("rb") as stream:
            # NumPy takes what is no archive for a pickle, and advises to trust it.
            if not zipfile.is_zipfile(stream):
                raise ValueError("not an archive of arrays, or a truncated one")
            stream.seek(0)
            file = np.load(stream, allow_pickle=False)
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InputError(f"{path}: can't be read as a recording (.npz): {reason}") from error
    _check_shapes(path, arrays)
    layout, geometry = str(arrays["layout"]), str(arrays["geometry"])
    if geometry not in ("thin", "block"):
        raise InputError(f"{path}: geometry is {geometry!r}, expected 'thin' or 'block'")
    maze = read_maze(layout, cast(Geometry, geometry), origin=str(path))
    heading, first_heading = headings(arrays["rot"][:, 1]), headings(arrays["rot0"][1])
    start_cell = maze.cell_at(*arrays["pos0"][:2])
    if not maze.open[start_cell]:
        raise InputError(f"{path}: the recording starts in a solid cell, row {start_cell[0]}, column {start_cell[1]}")
    return Trace(
        path=path,
        # Neither spawns nor, where the layout has none, a goal are drawn: the recording says where the agent is.
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
            arrays["pos0"][:2],
            int(first_heading),
            world_velocity(arrays["vel_trans0"], first_heading),
            arrays["clock"].astype(np.int64),
        ),
        depth=arrays["depth"],
        depth_frame=arrays["depth_frame"].astype(np.int64),
    )


def _check_shapes(path: Path, arrays: dict[str, npt.NDArray[Any]]) -> None:
    sizes = {"7": 7, "3": 3, "4": 4, "84": 84}
    for name, axes in _SHAPES.items():
        if name not in arrays:
            raise InputError(f"{path}: no array {name!r}, which a recording has")
        array = arrays[name]
        kind = "U" if not axes and name != "clock" else "biuf"
        if array.dtype.kind not in kind or array.ndim != len(axes):
            raise InputError(
                f"{path}: array {name!r} has shape {array.shape} and type {array.dtype}, expected [{', '.join(axes)}]"
            )
        for axis, size in zip(axes, array.shape, strict=True):
            if sizes.setdefault(axis, size) != size:
                raise InputError(f"{path}: array {name!r} has shape {array.shape}, expected [{', '.join(axes)}]")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(f"{path}: array {name!r} has values that are no finite numbers")


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


def replay(trace: Trace) -> dict[str, Any]:
    """Plays a recording in the engine.

    Returns:
        The figures of one JSON line: largest errors of position (units), heading (degrees) and velocity (units/s) over the
        compared frames, frames whose duration or reward differ, and the share of depth bytes within 1 of the recording's.
    """
    frames = len(trace.exact)
    respawn = trace.first_respawn
    task = Task(trace.path.name, (trace.maze,), episode_seconds=1 + frames // 60, spawn_distance=0)
    error = {"position": 0.0, "heading": 0.0, "velocity": 0.0}
    clock_mismatches = reward_mismatches = 0
    seen = DepthComparison(trace.maze.geometry)
    images = {int(frame): image for frame, image in zip(trace.depth_frame, trace.depth, strict=True)}
    with FrameEngine(task, 1, observe={"velocity"}) as engine:
        engine.reset(0)
        if not trace.maze_has_goal:
            engine.remove_goals()
        position, heading, velocity, clock = trace.start
        engine.put(position[None], [heading], velocity[None], clock[None])
        if -1 in images:
            seen.add(engine, images[-1])
        for frame in range(frames):
            recorded = frame > respawn
            own = engine.play_frame(
                trace.look[frame],
                trace.move[frame],
                trace.strafe[frame],
                duration=trace.duration[frame] if recorded else 0,
                heading=trace.heading[frame] if recorded else -1,
                draw=False,
            )
            if frame < respawn and int(own[0]) != trace.duration[frame]:
                clock_mismatches += 1
            if trace.items_known:
                reward_mismatches += int(float(engine.outcome.reward[0]) != trace.reward[frame])
            if trace.exact[frame]:
                facts = engine.privileged
                off = np.hypot(*(facts["position"][0].astype(np.float64) - trace.position[frame]))
                turn = (int(headings(facts["heading"][0])) - int(trace.heading[frame]) + FULL_TURN // 2) % FULL_TURN
                drift = np.abs(engine.observation["velocity"][0, :2] - trace.local_velocity[frame]).max()
                error["position"] = max(error["position"], float(off))
                error["heading"] = max(error["heading"], abs(turn - FULL_TURN // 2) * DEGREES)
                error["velocity"] = max(error["velocity"], float(drift))
                if frame in images:
                    seen.add(engine, images[frame])
            else:
                engine.put(trace.position[frame][None], trace.heading[frame][None], trace.velocity[frame][None])
    return {
        "trace": str(trace.path),
        "frames": frames,
        "compared": int(trace.exact.sum()),
        "max_position_error": error["position"],
        "max_heading_error": error["heading"],
        "max_velocity_error": error["velocity"],
        "clock_mismatches": clock_mismatches,
        "reward_mismatches": reward_mismatches,
        "depth_within_1": seen.median_share(),
    }


def summary(results: list[dict[str, Any]]) -> dict[str, Any]:
    """One line of all traces: sums of frames and mismatches, the largest errors, the least share of depth bytes."""
    shares = [result["depth_within_1"] for result in results if result["depth_within_1"] is not None]
    totals = ("frames", "compared", "clock_mismatches", "reward_mismatches")
    errors = ("max_position_error", "max_heading_error", "max_velocity_error")
    return {
        "traces": len(results),
        **{name: sum(result[name] for result in results) for name in totals},
        **{name: max(result[name] for result in results) for name in errors},
        "depth_within_1": min(shares) if shares else None,
    }


def main(options: Options) -> int:
    """Replays every trace; returns 1 where a position is farther off than the tolerance, else 0."""
    if not options.traces:
        raise InputError("no recording given, expected at least one .npz file")
    if not options.tolerance >= 0:
        raise InputError(f"--tolerance is {options.tolerance}, expected 0 or more")
    traces = [read_trace(path) for path in options.traces]
    results = []
    for trace in traces:
        results.append(replay(trace))
        print(json.dumps(results[-1]), flush=True)
    total = summary(results)
    print(json.dumps(total), flush=True)
    return int(total["max_position_error"] > options.tolerance)


if __name__ == "__main__":
    raise SystemExit(one_line_errors(lambda: main(parse_options(Options)))())
