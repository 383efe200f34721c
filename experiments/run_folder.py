"""The folder of a run has one writer: made for one training alone, and locked while that training goes on."""

from __future__ import annotations

import fcntl
import itertools
import os
import shlex
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from maze_gen.errors import InputError, Note

LOCK = ".lock"
"""File in a run's folder that holds the process id of its writer. The kernel frees the lock when that process ends, however it
ends; a file that was left behind is taken over."""
WRITTEN = (
    "checkpoint.safetensors",
    "averaged.safetensors",
    "config.json",
    "summary.json",
    "progress.jsonl",
    "report.html",
    "report.json",
    "evaluation.json",
)
"""Files that are written under a temporary name first."""


class FolderLock:
    """The right to write into a run's folder, until it is released or the process ends.

    Raises:
        InputError: another process has it, or the folder can't be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file: IO[str] | None = None
        try:
            while self._file is None:
                self._file = self._locked()
        except OSError as error:
            raise InputError(f"cannot write {folder}: {error.strerror or error}") from error
        self._remove_parts()

    def _locked(self) -> IO[str] | None:
        """The lock file, open and locked; None where its former owner removed it in between."""
        path = self.folder / LOCK
        file = path.open("a+", encoding="ascii")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read(20).strip() or "another one"
            file.close()
            raise InputError(
                f"{self.folder}: process {owner} is training in this folder: wait until it ends, or give another --run-dir"
            ) from None
        except OSError as error:
            warnings.warn(f"{self.folder}: no lock ({error.strerror}): see to it that one training at a time uses it", Note, 4)
        if not _is_at(file, path):
            file.close()
            return None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        return file

    def _remove_parts(self) -> None:
        """Removes what trainings that were killed in the middle of a save have left."""
        for name in WRITTEN:
            for part in self.folder.glob(f".{name}.*.part"):
                part.unlink(missing_ok=True)

    def release(self) -> None:
        """Lets others write; called twice it does nothing."""
        if self._file is not None:
            # Before it is closed: nobody else can have made a file of this name then. Unless the folder was removed meanwhile.
            with suppress(OSError):
                if _is_at(self._file, self.folder / LOCK):
                    (self.folder / LOCK).unlink()
            self._file.close()
            self._file = None

    def __enter__(self) -> FolderLock:
        return self

    def __exit__(self, *_: Any) -> None:
        self.release()


def _is_at(file: IO[str], path: Path) -> bool:
    """Whether an open file is the one of that name."""
    return path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat())


def new_folder(name: str, parent: Path = Path("runs")) -> Path:
    """Makes a folder that nobody else has made: `parent/name`, or with -2, -3, ... behind it.

    Raises:
        InputError: it can't be made.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for number in itertools.count(1):
            folder = parent / (name if number == 1 else f"{name}-{number}")
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return folder
    except OSError as error:
        raise InputError(f"cannot make a run's folder in {parent}: {error.strerror or error}") from error
    raise AssertionError


def lock_folder(folder: Path, checkpoint: str, resumed: Path | None) -> FolderLock:
    """Makes a run's folder where it is missing, and locks it.

    Args:
        checkpoint: the name of a run's checkpoint.
        resumed: the checkpoint that the training goes on with, the only one that it may write over.

    Raises:
        InputError: the folder holds another run, or another process writes into it, or it can't be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the run's folder {folder}: {error.strerror or error}") from error
    lock = FolderLock(folder)
    found = folder / checkpoint
    if found.exists() and not (resumed is not None and found.samefile(resumed)):
        lock.release()
        if resumed is None:
            resume = f"--resume {shlex.quote(str(folder))}"
            raise InputError(f"--run-dir {folder} holds a run already: give another folder, or {resume}")
        raise InputError(f"{folder} holds another run than {resumed}: give another --run-dir")
    return lock


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Locks the folder of several trainings, which is made where it is missing.

    Raises:
        InputError: another process holds the lock, or the folder can't be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = (out / ".lock").open("w")
    except OSError as error:
        raise InputError(f"cannot write {out}: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"--out {out}: another process is at work in this folder") from error
        yield
