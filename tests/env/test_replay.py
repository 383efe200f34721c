"""The engine against recordings of DeepMind Lab, by `python -m env.replay`."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from env import recording, replay
from tests.env.recordings import small_trace

RECORDINGS = Path(__file__).parents[2].parent / "shared" / "reference" / "lab_traces"
FILES = sorted(RECORDINGS.glob("*.npz"))
needs_recordings = pytest.mark.skipif(not FILES, reason=f"the recordings of DeepMind Lab aren't in {RECORDINGS}")

# Positions are float32: at 1,000 units a rounding is 6e-5. The one larger error follows contact with a solid decal, which no
# layout holds.
POSITION = 0.002


@needs_recordings
@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_recording(path: Path) -> None:
    trace = recording.read_trace(path)
    result = replay.replay(trace)
    assert result["frames"] == len(trace.exact)
    assert result["compared"] == trace.exact.sum() > 0.85 * len(trace.exact)
    assert result["max_position_error"] <= POSITION
    assert result["max_heading_error"] == 0
    assert result["max_velocity_error"] < 1e-3
    assert result["clock_mismatches"] == 0
    assert result["reward_mismatches"] == 0
    assert result["depth_within_1"] >= 0.99


@needs_recordings
def test_a_wrong_recording_is_seen() -> None:
    """The comparison can fail: one changed action, clock and reward show up."""
    trace = recording.read_trace(RECORDINGS / "nav_maze_static_01__goal_1.npz")
    trace.look[100] += 1
    trace.duration[50] += 3
    trace.reward[200] += 1
    result = replay.replay(trace)
    assert result["max_position_error"] > 0.05
    assert result["max_heading_error"] > 0.1
    assert result["clock_mismatches"] == 1
    assert result["reward_mismatches"] >= 1


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "env.replay", *arguments], capture_output=True, text=True, check=False)


@needs_recordings
def test_command() -> None:
    result = run(*map(str, FILES[:2]))
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.returncode == 0, result.stderr
    assert [line.get("trace") for line in lines] == [str(FILES[0]), str(FILES[1]), None]
    assert lines[2]["traces"] == 2
    assert lines[2]["frames"] == lines[0]["frames"] + lines[1]["frames"]
    assert run("--tolerance", "1e-9", str(RECORDINGS / "room__random.npz")).returncode == 1


def test_small_trace(tmp_path: Path) -> None:
    np.savez(tmp_path / "small.npz", **small_trace())
    result = replay.replay(recording.read_trace(tmp_path / "small.npz"))
    assert result["max_position_error"] == 0
    assert result["clock_mismatches"] == 0
    assert result["depth_within_1"] is None
