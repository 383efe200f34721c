"""A run's folder has one writer, and a training outlives those who watch it."""

import io
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.run_folder import LOCK, FolderLock, new_folder
from experiments.train import RunResult, analysis_interruptible, train
from experiments.train_options import TrainOptions
from maze_gen import console
from maze_gen.errors import InputError

TINY = TrainOptions(frames=0, serial=True, workers=1, agent="ff")
ROOT = Path(__file__).parents[2]


def test_a_folder_has_one_writer_and_names_it(tmp_path):
    with FolderLock(tmp_path):
        assert (tmp_path / LOCK).read_text() == f"{os.getpid()}\n"
        with pytest.raises(InputError, match=f"process {os.getpid()} is training in this folder"):
            FolderLock(tmp_path)
    assert not (tmp_path / LOCK).exists()
    with FolderLock(tmp_path):
        pass


def test_the_lock_of_a_process_that_was_killed_is_taken_over(tmp_path):
    code = f"""
from pathlib import Path
from experiments.run_folder import FolderLock
lock = FolderLock(Path({str(tmp_path)!r}))
print(1, flush=True)
input()
"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(InputError, match=f"process {process.pid} is training"):
            FolderLock(tmp_path)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (tmp_path / LOCK).exists()
    with FolderLock(tmp_path):
        assert (tmp_path / LOCK).read_text() == f"{os.getpid()}\n"


def test_a_lock_is_released_whatever_became_of_its_folder(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    lock = FolderLock(folder)
    shutil.rmtree(folder)
    folder.write_text("in the way")
    lock.release()
    folder.unlink()
    folder.mkdir()
    lock = FolderLock(folder)
    shutil.rmtree(folder)
    folder.mkdir()
    with FolderLock(folder):
        # The lock of whoever made the folder anew is not ours to remove.
        lock.release()
        assert (folder / LOCK).exists()


def test_runs_that_start_in_one_second_get_folders_of_their_own(tmp_path):
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(new_folder("now", tmp_path / "runs"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path.name for path in found) == ["now", *(f"now-{number}" for number in range(2, 9))]


def test_a_folder_of_another_run_is_refused(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        train(replace(TINY, run_dir=folder))
    before = (second / "checkpoint.safetensors").read_bytes()
    with pytest.raises(InputError, match=r"second holds another run than .*first"):
        train(replace(TINY, agent=None, resume=first, run_dir=second))
    with pytest.raises(InputError, match="second holds a run already"):
        train(replace(TINY, run_dir=second))
    (second / "best.safetensors").write_bytes((first / "checkpoint.safetensors").read_bytes())
    with pytest.raises(InputError, match="second holds another run than"):
        train(replace(TINY, agent=None, resume=second / "best.safetensors"))
    assert (second / "checkpoint.safetensors").read_bytes() == before
    assert not (second / LOCK).exists()
    # Its own folder, by whatever name, is its own.
    train(replace(TINY, agent=None, resume=first, run_dir=tmp_path / "second" / ".." / "first"))


def test_half_written_files_of_earlier_kills_are_removed_and_nothing_else(tmp_path):
    train(replace(TINY, run_dir=tmp_path))
    for name in (".checkpoint.safetensors.abc.part", ".progress.jsonl.x1.part", ".mine.part", "checkpoint.safetensors.part"):
        (tmp_path / name).write_text("half")
    train(replace(TINY, agent=None, resume=tmp_path))
    assert sorted(path.name for path in tmp_path.glob("*.part")) == [".mine.part", "checkpoint.safetensors.part"]


def test_a_training_goes_on_when_nobody_reads_what_it_prints(tmp_path):
    command = "from maze_gen.console import say\nfor i in range(3): say('line')\nprint('more')"
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-c", command], cwd=ROOT, stdout=write, stderr=subprocess.PIPE, timeout=120)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_no_encoding_of_a_terminal_ends_the_work(encoding, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console.say("λ – 2σ", file=stream)
    assert stream.buffer.getvalue().startswith(b"\\u03bb ")  # pyright: ignore[reportAttributeAccessIssue]


def test_ctrl_c_in_the_analysis_says_how_to_go_on(tmp_path, capsys):
    result = RunResult(tmp_path, tmp_path / "a folder" / "checkpoint.safetensors", {}, False)
    # A shell's background jobs ignore the signal, and so would tests that are run as one.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with analysis_interruptible(result) as interrupted:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
            pytest.fail("it wasn't interrupted")
    finally:
        signal.signal(signal.SIGINT, before)
    assert interrupted
    said = capsys.readouterr().err
    assert "the training is saved" in said
    assert f"--checkpoint '{tmp_path}/a folder/checkpoint.safetensors'" in said
