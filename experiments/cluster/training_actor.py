"""A whole training of a grid on a node: a process that trains and evaluates in a folder of the node, whose files are fetched."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from env.task import Task
from experiments.reproduction.grid import Conditions, Run
from maze_gen.errors import InputError

Files = dict[str, bytes]
"""Contents of files by their path in the run's folder."""
Seen = dict[str, tuple[int, int]]
"""Size in bytes and time of change, in nanoseconds, of files by their path in the run's folder."""
STOP_SECONDS = 20.0


@dataclass(frozen=True)
class TrainingRequest:
    """One run of a grid, as a node does it.

    Attributes:
        tasks: the first is trained on, and the agent is evaluated on all.
        serial: whether all workers run in one process.
    """

    run: Run
    tasks: list[Task]
    conditions: Conditions
    serial: bool


@dataclass
class Progress:
    """What a training has written since the last question.

    Attributes:
        files: that are new or have changed, each whole.
        seen: all files, for the next question.
        ended: exit code of the training's process; None while it runs.
        said: the last lines of what it printed, where it ended with an error.
    """

    files: Files
    seen: Seen = field(default_factory=dict)
    ended: int | None = None
    said: str = ""


@dataclass(frozen=True)
class Synced:
    """What a training wrote.

    Attributes:
        number: of the training.
        progress: None where the training was lost; `why` says how.
    """

    number: int
    progress: Progress | None
    why: str = ""


class TrainingActor:
    """Starts the process and answers what it has written.

    Args:
        files: of an earlier session, from which it goes on.
    """

    def __init__(self, request: TrainingRequest, files: Files) -> None:
        self.place = Path(tempfile.mkdtemp(prefix="knossos-run-"))
        self.folder = self.place / "run"
        for name, content in files.items():
            write(self.folder, name, content)
        order = self.place / "request"
        order.write_bytes(pickle.dumps((request, self.folder, os.getpid())))
        self._log = (self.place / "log").open("wb")
        command = [sys.executable, "-m", "experiments.cluster.training_main", str(order)]
        paths = os.pathsep.join(path for path in sys.path if path)
        # In a folder of its own: one that holds modules of the packages' names would hide them.
        self.process = subprocess.Popen(
            command, stdout=self._log, stderr=self._log, cwd=self.place, env={**os.environ, "PYTHONPATH": paths}
        )

    def progress(self, seen: Seen) -> Progress:
        """What was written since `seen`."""
        ended = self.process.poll()
        found = Progress({}, ended=ended)
        for path in sorted(self.folder.rglob("*")):
            name = str(path.relative_to(self.folder))
            if not path.is_file() or path.name.startswith("."):
                continue
            facts = path.stat()
            found.seen[name] = facts.st_size, facts.st_mtime_ns
            if seen.get(name) != found.seen[name]:
                found.files[name] = path.read_bytes()
        if ended:
            found.said = (self.place / "log").read_text(encoding="utf-8", errors="replace")[-4000:]
        return found

    def stop(self, seen: Seen) -> Progress:
        """Lets the training save and end, and answers with the rest of what it wrote."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.progress(seen)

    def close(self) -> None:
        """Removes the node's folder."""
        self._log.close()
        shutil.rmtree(self.place, ignore_errors=True)


def write(folder: Path, name: str, content: bytes) -> None:
    """Writes a file that a node sent, whole or not at all.

    Raises:
        InputError: it would lie outside of the folder, or can't be written.
    """
    from maze_gen.files import write_whole

    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"a node sent a file named {name}: expected one in {folder}")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content)
