"""Plays recordings of DeepMind Lab in the engine and measures their differences.

`python -m env.replay TRACE...` prints one JSON line for each recording and one for all. The comparison follows the recordings'
own rules: the engine predicts every frame from its own state; after a frame that is not marked `exact` it takes position,
heading and velocity from the recording; from the first respawn on it takes durations and headings from it.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from env.engine.frame_engine import FrameEngine
from env.engine.motion import FULL_TURN
from env.recorded_depth import DepthComparison
from env.recording import DEGREES, Trace, headings, read_trace
from env.task import Task
from maze_gen.cli import parse_options
from maze_gen.console import say
from maze_gen.errors import InputError, one_line_errors


@dataclass(frozen=True)
class Options:
    """Plays recordings of DeepMind Lab in the engine and measures their differences."""

    traces: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Recordings, .npz files."""
    tolerance: float = 0.01
    """Largest error of a position in units that is no failure."""


def replay(trace: Trace) -> dict[str, Any]:
    """Plays a recording in the engine.

    Returns:
        The figures of one JSON line: largest errors of position (units), heading (degrees) and velocity (units/s) over the
        compared frames, frames whose duration or reward differ, and the fraction of depth bytes within 1 of the recording's.

    Raises:
        InputError: a frame sets a pose in which no agent can be.
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
        _set_pose(engine, trace, -1)
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
                _set_pose(engine, trace, frame)
    return {
        "trace": str(trace.path),
        "frames": frames,
        "compared": int(trace.exact.sum()),
        "max_position_error": error["position"],
        "max_heading_error": error["heading"],
        "max_velocity_error": error["velocity"],
        "clock_mismatches": clock_mismatches,
        "reward_mismatches": reward_mismatches,
        "depth_within_1": seen.median_fraction(),
    }


def _set_pose(engine: FrameEngine, trace: Trace, frame: int) -> None:
    """Sets the recorded pose after a frame, -1 for the start."""
    try:
        if frame < 0:
            position, heading, velocity, clock = trace.start
            engine.put(position[None], [heading], velocity[None], clock[None])
        else:
            engine.put(trace.position[frame][None], trace.heading[frame][None], trace.velocity[frame][None])
    except InputError as error:
        raise InputError(f"{trace.path}: {'start' if frame < 0 else f'frame {frame}'}: {error}") from error


def summary(results: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures of all traces: sums of frames and mismatches, the largest errors, the least fraction of depth bytes."""
    fractions = [result["depth_within_1"] for result in results if result["depth_within_1"] is not None]
    totals = ("frames", "compared", "clock_mismatches", "reward_mismatches")
    errors = ("max_position_error", "max_heading_error", "max_velocity_error")
    return {
        "traces": len(results),
        **{name: sum(result[name] for result in results) for name in totals},
        **{name: max(result[name] for result in results) for name in errors},
        "depth_within_1": min(fractions) if fractions else None,
    }


def main(options: Options) -> int:
    """Replays every trace; returns 1 where a position's error exceeds the tolerance, else 0."""
    if not options.traces:
        raise InputError("no recording given, expected at least one .npz file")
    if not 0 <= options.tolerance < math.inf:
        raise InputError(f"--tolerance is {options.tolerance}, expected a number of units, 0 or more")
    traces = [read_trace(path) for path in options.traces]
    results = []
    for trace in traces:
        results.append(replay(trace))
        say(json.dumps(results[-1]))
    total = summary(results)
    say(json.dumps(total))
    return int(total["max_position_error"] > options.tolerance)


if __name__ == "__main__":
    raise SystemExit(one_line_errors(lambda: main(parse_options(Options)))())
