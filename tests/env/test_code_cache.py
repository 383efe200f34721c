"""The cache of compiled code is optional: whatever is wrong with it, kernels run, and at most one warning names its folder."""

import errno
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from env.engine import code_cache
from env.engine.compile import cpu_kernel


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A cache folder of its own, as a new process would find it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    forget(monkeypatch)
    yield tmp_path / "knossos"
    code_cache.code_folder.cache_clear()


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    code_cache.code_folder.cache_clear()
    monkeypatch.setattr(code_cache, "_warned", [])


def run_kernel() -> Any:
    """Compiles or loads a kernel, runs it, and returns how often it was loaded."""

    def double(values):
        for index in range(values.shape[0]):
            values[index] = values[index] + values[index]

    kernel: Any = cpu_kernel(double)
    values = np.arange(3)
    kernel(values)
    assert values.tolist() == [0, 2, 4]
    return sum(kernel.stats.cache_hits.values())


def run_twice() -> None:
    assert [run_kernel(), run_kernel()] == [0, 0]


def entries(cache: Path) -> list[Path]:
    return sorted(path for path in cache.rglob("*") if path.is_file())


def test_code_is_loaded_in_the_next_process(cache: Path) -> None:
    assert run_kernel() == 0
    assert len(entries(cache)) == 1
    assert run_kernel() == 1


def test_its_folder_is_private(cache: Path) -> None:
    run_kernel()
    (entry,) = entries(cache)
    assert stat.S_IMODE(entry.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(entry.stat().st_mode) == 0o600


def test_an_open_folder_is_made_private(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_kernel()
    (entry,) = entries(cache)
    entry.parent.chmod(0o777)
    forget(monkeypatch)
    run_kernel()
    assert stat.S_IMODE(entry.parent.stat().st_mode) == 0o700


def test_code_of_a_module_that_was_moved_is_another_entry(cache: Path, tmp_path: Path) -> None:
    """The same file under another name, as after an update, in the next process; what it was is gone."""
    for name in ("before", "after"):
        module = tmp_path / f"{name}.py"
        module.write_text("def double(value):\n    return value + value\n")
        code = f"import {name}; from env.engine.compile import cpu_kernel; print(cpu_kernel({name}.double)(21))"
        paths = os.pathsep.join((str(tmp_path), str(Path(code_cache.__file__).parents[2])))
        environment = {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
        ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
        assert ended.stdout == "42\n", ended.stderr
        module.unlink()


@pytest.mark.parametrize("damage", ["empty", "cut", "one bit", "text"])
def test_damaged_entries_are_written_anew(cache: Path, damage: str) -> None:
    run_kernel()
    (entry,) = entries(cache)
    content = entry.read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    entry.write_bytes({"empty": b"", "cut": content[: len(content) // 2], "one bit": bytes(flipped), "text": b"code"}[damage])
    assert run_kernel() == 0
    assert run_kernel() == 1


def test_a_folder_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    forget(monkeypatch)
    with pytest.warns(match=str(tmp_path / "file")) as warned:
        run_twice()
    assert len(warned) == 1
    code_cache.code_folder.cache_clear()


def test_another_users_folder(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_kernel()
    forget(monkeypatch)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.warns(match="belongs to user") as warned:
        assert run_kernel() == 0
    assert str(cache) in str(warned[0].message)


def test_no_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    forget(monkeypatch)
    with pytest.warns(match="no home folder") as warned:
        run_twice()
    assert len(warned) == 1
    code_cache.code_folder.cache_clear()


def test_a_full_disk(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    run_kernel()
    for entry in entries(cache):
        entry.unlink()
    monkeypatch.setattr(tempfile, "mkstemp", full)
    with pytest.warns(match="No space left") as warned:
        run_twice()
    assert len(warned) == 1
    assert str(cache) in str(warned[0].message)


def test_a_disk_that_fills_while_an_entry_is_written(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.warns(match="No space left"):
        run_kernel()
    assert entries(cache) == []
