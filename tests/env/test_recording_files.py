"""Recordings that are damaged, forged or too large: one line that names the file and the value, never a crash."""

import io
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from env import npz, recording, replay
from maze_gen.errors import InputError
from tests.env.recordings import small_trace

CASES = Path(__file__).parents[2].parent / "shared" / "cases"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "env.replay", *arguments], capture_output=True, text=True, check=False)


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


@pytest.mark.parametrize(
    ("name", "index", "value", "message"),
    [
        ("clock", (0,), -(2**31), "frame 0: clock is -2147483648"),
        ("dt", (1,), -1, "frame 1: dt is -1"),
        ("dt", (1,), 10**6, "frame 1: dt is 1000000"),
        ("actions", (1, 0), 10**6, "frame 1: actions: look is 1000000"),
        ("actions", (1, 2), 2, "frame 1: actions: strafe is 2"),
        ("actions", (0, 3), -5, "frame 0: actions: move is -5"),
        ("pos", (1, 0), np.inf, "frame 1: pos is inf"),
        ("vel_trans", (1, 0), 1e9, "frame 1: vel_trans"),
        ("rot", (0, 1), np.nan, "frame 0: rot is nan"),
        ("reward", (0,), np.nan, "frame 0: reward is nan"),
    ],
)
def test_values_that_no_recording_has(tmp_path: Path, name: str, index: tuple[int, ...], value: float, message: str) -> None:
    arrays = small_trace()
    arrays[name] = arrays[name].copy()
    arrays[name][index] = value
    np.savez(tmp_path / "odd.npz", allow_pickle=False, **arrays)
    with pytest.raises(InputError, match=message):
        recording.read_trace(tmp_path / "odd.npz")


def test_nothing_to_compare_is_a_failure(tmp_path: Path) -> None:
    np.savez(tmp_path / "none.npz", allow_pickle=False, **small_trace() | {"exact": np.zeros(2, dtype=bool)})
    result = run(str(tmp_path / "none.npz"))
    assert result.returncode == 2
    assert "no frame is marked exact" in result.stderr


@pytest.mark.parametrize("position", [(99.0, 50.0), (-3.0, 50.0), (5000.0, 50.0)])
def test_poses_inside_walls_are_refused(tmp_path: Path, position: tuple[float, float]) -> None:
    """The engine would take the pose of a frame that is not exact, and walk out of the maze from there."""
    arrays = small_trace() | {"exact": np.array([False, True])}
    arrays["pos"] = arrays["pos"].copy()
    arrays["pos"][0, :2] = position
    np.savez(tmp_path / "wall.npz", allow_pickle=False, **arrays)
    trace = recording.read_trace(tmp_path / "wall.npz")
    with pytest.raises(InputError, match=r"wall.npz: frame 0: row 0: position .* is not clear of all walls"):
        replay.replay(trace)


def archive_of(arrays: dict[str, Any], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asanyarray(array))
            archive.writestr(f"{name}.npy", member.getvalue())
    return content.getvalue()


def with_first_header(content: bytes, offset: int, value: int) -> bytes:
    """Sets two bytes in the first entry of an archive's central directory."""
    changed = bytearray(content)
    at = content.index(b"PK\x01\x02") + offset
    changed[at : at + 2] = value.to_bytes(2, "little")
    return bytes(changed)


def huge_shape() -> bytes:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 7), }"
    member = b"\x93NUMPY\x01\x00" + (128 - 10).to_bytes(2, "little") + header.ljust(127 - 10) + b"\n"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("actions.npy", member)
    return content.getvalue()


def twice() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("actions.npy", b"")
        archive.writestr("actions", b"")
    return content.getvalue()


ARCHIVES = {
    "huge shape": (huge_shape, "99999999999"),
    "bomb": (lambda: archive_of(small_trace() | {"depth": np.zeros((300, 84, 84), dtype=np.uint8)}), "at most"),
    "lzma": (lambda: archive_of(small_trace(), zipfile.ZIP_LZMA), "compression method 14"),
    "unknown compression": (lambda: with_first_header(archive_of(small_trace()), 10, 97), "compression method 97"),
    "encrypted": (lambda: with_first_header(archive_of(small_trace()), 8, 1), "encrypted"),
    "an array twice": (twice, "is there twice"),
    "objects": (lambda: archive_of({"clock": np.zeros(4)}).replace(b"<f8", b"|O8"), "recording"),
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_archives_are_read_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(npz, "MAX_BYTES", 1 << 20)
    make, message = ARCHIVES[kind]
    (tmp_path / "forged.npz").write_bytes(make())
    with pytest.raises(InputError, match=message) as raised:
        recording.read_trace(tmp_path / "forged.npz")
    assert str(tmp_path / "forged.npz") in str(raised.value)
    assert "\n" not in str(raised.value)


def test_flipped_bytes_never_crash(tmp_path: Path) -> None:
    """Whatever byte is changed, the recording is refused or replayed."""
    rng = np.random.default_rng(0)
    whole = archive_of(small_trace(), zipfile.ZIP_STORED)
    errors = []
    for _ in range(200):
        changed = bytearray(whole)
        changed[int(rng.integers(len(whole)))] ^= 1 << int(rng.integers(8))
        (tmp_path / "flipped.npz").write_bytes(bytes(changed))
        try:
            replay.replay(recording.read_trace(tmp_path / "flipped.npz"))
        except InputError as error:
            errors.append(str(error))
    # Flips in arrays that are not read go unnoticed.
    assert len(errors) > 100
    assert not any("\n" in error for error in errors)


@pytest.mark.skipif(not CASES.is_dir(), reason=f"the inputs that failed are not in {CASES}")
@pytest.mark.parametrize("name", ["clock_min", "far_pos", "huge_shape", "lzma_damaged", "encrypted", "unknown_compression"])
def test_inputs_that_failed(name: str) -> None:
    result = run(str(CASES / f"{name}.npz"))
    assert result.returncode == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert f"{name}.npz" in result.stderr
