"""Kills a training again and again, its workers, and in the middle of its saves; each time the next one resumes it.

`python -m tests.kills --count 100` exits with 1 where a checkpoint was lost or went back, a process was left behind, a file that
was half written stayed, or a resumed training refused to go on or came no further.
"""

import argparse
import itertools
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

from agents.checkpoint import CHECKPOINT, load_checkpoint

TARGETS = ("trainer", "save", "worker")
START_SECONDS = 300.0


def start(folder: Path, log: Path) -> subprocess.Popen[bytes]:
    """A training that saves every second: a new one, or the one in the folder."""
    command = [sys.executable, "-m", "experiments.train", "--minutes", "60", "--checkpoint-minutes", "0.017"]
    command += ["--analysis-episodes", "0", "--num-envs", "4", "--unroll-length", "10"]
    command += ["--resume", str(folder)] if (folder / CHECKPOINT).exists() else ["--agent", "ff", "--run-dir", str(folder)]
    with log.open("wb") as file:
        return subprocess.Popen(command, stdout=file, stderr=file, cwd=Path(__file__).parents[1])


def wait_for_saves(folder: Path, process: subprocess.Popen[bytes], before: int) -> None:
    """Waits until the training has written a checkpoint of more than `before` frames: it has gone on from the last one.

    Raises:
        AssertionError: it ended, or took too long.
    """
    deadline, seen = time.monotonic() + START_SECONDS, 0.0
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the training ended with exit code {process.returncode}"
        changed = (folder / CHECKPOINT).stat().st_mtime if (folder / CHECKPOINT).exists() else 0.0
        if changed > seen and load_checkpoint(folder).frames > before:
            return
        seen = changed
        time.sleep(0.05)
    raise AssertionError(f"no checkpoint of more than {before} frames within {START_SECONDS:.0f} s")


def kill(target: str, folder: Path, process: subprocess.Popen[bytes], chance: random.Random) -> bool:
    """Kills the trainer: after a worker, or while a save is half written where `target` says so. Returns whether one was."""
    time.sleep(chance.random() * 3)
    if target == "worker":
        everybody = psutil.Process(process.pid).children(recursive=True)
        workers = [child for child in everybody if not any("resource_tracker" in word for word in child.cmdline())]
        chance.choice(workers).send_signal(signal.SIGKILL)
        time.sleep(2 + chance.random())
        assert process.poll() is None, "the training ended when a worker was killed"
    deadline, inside = time.monotonic() + 10, False
    while target == "save" and not inside and time.monotonic() < deadline:
        inside = any(folder.glob(f".{CHECKPOINT}.*.part"))
    process.send_signal(signal.SIGKILL)
    process.wait()
    return inside


def one(number: int, folder: Path, log: Path, chance: random.Random) -> str:
    """One start and one kill; returns what was killed.

    Raises:
        AssertionError: something that must hold doesn't.
    """
    target = TARGETS[number % len(TARGETS)]
    before = load_checkpoint(folder).frames if (folder / CHECKPOINT).exists() else 0
    process = start(folder, log)
    try:
        wait_for_saves(folder, process, before)
        parts = list(folder.glob("*.part"))
        everybody = psutil.Process(process.pid).children(recursive=True)
        # Python's own tracker of semaphores ends last, once it has cleaned up.
        children = [child for child in everybody if not any("resource_tracker" in word for word in child.cmdline())]
        inside = kill(target, folder, process, chance)
    finally:
        process.kill()
        process.wait()
    assert len(parts) <= 1, f"half-written files stayed: {parts}"
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive, f"processes were left behind: {alive}"
    found = load_checkpoint(folder)
    found.model()
    assert found.frames > before, f"{found.frames} frames, there were {before}"
    return "inside a save" if inside else target


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long")
    options = parser.parse_args()
    done: Counter[str] = Counter()
    failed: list[str] = []
    began, chance = time.monotonic(), random.Random(0)
    with tempfile.TemporaryDirectory() as place:
        folder, log = Path(place) / "run", Path(place) / "log"
        for number in itertools.islice(itertools.count(), options.count):
            if time.monotonic() - began > options.seconds:
                break
            try:
                done[one(number, folder, log, chance)] += 1
            except AssertionError as error:
                failed.append(f"kill {number}: {error}\n{log.read_text(errors='replace')[-2000:]}")
        frames = load_checkpoint(folder).frames if (folder / CHECKPOINT).exists() else 0
    print(f"{sum(done.values())} kills resumed ({', '.join(f'{count} {what}' for what, count in done.items())}), {frames} frames")
    print("\n".join(failed), end="")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
