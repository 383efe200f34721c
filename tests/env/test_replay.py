"""The engine against recordings of DeepMind Lab, and `python -m env.replay` against broken files."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from env import recording, replay
from maze_gen.errors import InputError

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


def small_trace() -> dict[str, Any]:
    """Two frames at rest in a closed cell."""
    rest = np.zeros((2, 3))
    return {
        "actions": np.zeros((2, 7), dtype=np.int32),
        "pos": np.array([[50.0, 50.0, 25.125]] * 2),
        "rot": rest,
        "vel_trans": rest,
        "vel_rot": rest,
        "pos0": np.array([50.0, 50.0, 25.125]),
        "rot0": rest[0],
        "vel_trans0": rest[0],
        "vel_rot0": rest[0],
        "reward": np.zeros(2),
        "depth": np.zeros((0, 84, 84), dtype=np.uint8),
        "depth_frame": np.zeros(0, dtype=np.int32),
        "layout": np.array("***\n* *\n***"),
        "geometry": np.array("thin"),
        "level": np.array("text_maze"),
        "seed": np.array(1),
        "name": np.array("small"),
        "clock": np.array([12, -38, -1, 14], dtype=np.int32),
        "dt": np.array([14, 17], dtype=np.int32),
        "exact": np.ones(2, dtype=bool),
    }


def test_small_trace(tmp_path: Path) -> None:
    np.savez(tmp_path / "small.npz", **small_trace())
    result = replay.replay(recording.read_trace(tmp_path / "small.npz"))
    assert result["max_position_error"] == 0
    assert result["clock_mismatches"] == 0
    assert result["depth_within_1"] is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"actions": np.zeros((3, 7), dtype=np.int32)}, "pos"),
        ({"actions": np.zeros((2, 6), dtype=np.int32)}, "actions"),
        ({"geometry": np.array("round")}, "round"),
        ({"layout": np.array("no maze")}, "line|column|maze"),
        ({"pos0": np.array([np.nan, 0, 0])}, "pos0"),
        ({"pos": None}, "'pos'"),
        ({"clock": np.zeros(3, dtype=np.int32)}, "clock"),
        ({"depth": np.zeros((1, 84, 84), dtype=np.uint8)}, "depth_frame"),
    ],
)
def test_bad_traces(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    arrays = {name: value for name, value in (small_trace() | change).items() if value is not None}
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(InputError, match=message) as raised:
        recording.read_trace(tmp_path / "bad.npz")
    assert "bad.npz" in str(raised.value)


def test_bad_files(tmp_path: Path) -> None:
    """Missing, empty, foreign and truncated files: one line, exit code 2, and nothing unpickled."""
    np.savez(tmp_path / "whole.npz", **small_trace())
    whole = (tmp_path / "whole.npz").read_bytes()
    contents = {"empty.npz": b"", "text.npz": b"a maze\n", "cut.npz": whole[: len(whole) // 2]}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    np.save(tmp_path / "array.npy", np.zeros(3))
    np.savez(tmp_path / "objects.npz", actions=np.array([print], dtype=object))
    for name in ["missing.npz", *contents, "array.npy", "objects.npz"]:
        with pytest.raises(InputError, match=name):
            recording.read_trace(tmp_path / name)
    result = run(str(tmp_path / "cut.npz"))
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert "cut.npz" in result.stderr
