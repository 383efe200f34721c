"""What the commands of this package share: options as typed dataclasses, one-line errors, and files written whole."""

from __future__ import annotations

import json
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from env.batch import BatchEnv
from env.registry import TASK_NAMES, make_task, task_from_file
from env.task import MOST, Task
from maze_gen.cli import Options, parse_options
from maze_gen.console import say
from maze_gen.errors import InputError, Note, one_line_errors
from maze_gen.files import write_whole
from maze_gen.help_page import option_field
from maze_gen.maze import Geometry


@dataclass(frozen=True)
class TaskOptions:
    """Which worlds are played.

    Attributes:
        task: a name of the registry, e.g. static-small; a checkpoint's own task where neither this nor a maze file is given.
        maze_file: a text maze that is made into a task of its own.
        geometry: how the maze file's walls are read: thin (on the edges between cells) or block (solid characters).
        split: which mazes: fixed (a task of one layout), train or heldout (generated ones).
        backend: embedded (this project's engine) or lab (DeepMind Lab, where it is installed).
        spawn_distance: least cells of path between a spawn and the goal; without it 5, or fewer in a small maze file.
    """

    task: str | None = option_field(None, choices=TASK_NAMES, group="Worlds")
    maze_file: Path | None = None
    geometry: Geometry = "thin"
    split: Literal["fixed", "train", "heldout"] | None = None
    backend: Literal["embedded", "lab"] = "embedded"
    spawn_distance: int | None = None

    @property
    def given(self) -> bool:
        return self.task is not None or self.maze_file is not None

    def make(self, observation_size: int = 84) -> Task:
        """The task that the options name.

        Raises:
            InputError: both a task and a maze file, neither of them, an unknown name, a maze file that can't be used, or an
                option that does nothing with the others.
        """
        self.check()
        if self.maze_file is not None:
            return task_from_file(
                self.maze_file,
                geometry=self.geometry,
                observation_size=observation_size,
                spawn_distance=self.spawn_distance,
            )
        if self.task is None:
            raise InputError("which task? give --task NAME or --maze-file FILE")
        task = make_task(self.task, split=self.split, observation_size=observation_size)
        return task if self.spawn_distance is None else replace(task, spawn_distance=self.spawn_distance)

    def task_or(self, own: Task) -> Task:
        """The task that the options name, or a checkpoint's own task where they name none.

        Raises:
            InputError: as `make`, or a split of a checkpoint's own task is asked for.
        """
        if self.given:
            return self.make(own.observation_size)
        self.check()
        if self.split is not None:
            raise InputError(f"--split {self.split} needs --task NAME: a checkpoint's own mazes are of one split")
        return own

    def check(self) -> None:
        """Raises InputError where options exclude each other, or one does nothing with the others."""
        if self.task is not None and self.maze_file is not None:
            raise InputError(f"--task {self.task} and --maze-file {self.maze_file} exclude each other: give one of them")
        if self.geometry != "thin" and self.maze_file is None:
            raise InputError(f"--geometry {self.geometry} is for --maze-file FILE: give one, or leave the option out")
        if self.split is not None and self.maze_file is not None:
            raise InputError(f"--split {self.split} is for --task NAME: --maze-file {self.maze_file} is one maze")
        if self.spawn_distance is not None and not self.given:
            raise InputError(f"--spawn-distance {self.spawn_distance} needs --task NAME or --maze-file FILE")
        if self.spawn_distance is not None and not 0 <= self.spawn_distance <= MOST:
            raise InputError(f"--spawn-distance {self.spawn_distance}: expected 0 to {MOST} cells of path")

    def batch(self, task: Task, num_envs: int, observe: Collection[str] | None = None) -> BatchEnv:
        """A batch of `num_envs` worlds of `task` on the chosen backend, on one thread."""
        from env.backends import make_batch

        return make_batch(task, num_envs, backend=self.backend, observe=observe)


def command(options: type[Options], body: Callable[[Options], int | None]) -> Callable[[], int]:
    """The `main` of a command: parses its options, runs `body`, shows an `InputError` as one line with exit code 2.

    `one_line_errors` lists the other errors that are shown as one line.
    """
    return one_line_errors(lambda: body(parse_options(options)))


def renamed_options(arguments: Sequence[str], renamed: Mapping[str, str]) -> list[str]:
    """A command line whose options of the version before are those of this one; a note names each successor.

    A successor that ends in `=` takes the value behind it: `--old 3` is `--new name=3` for the successor `--new name=`.
    """
    found: list[str] = []
    rest = list(arguments)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        new = renamed.get(name)
        if new is None:
            found.append(f"{name}{equals}{value}")
            continue
        successor = f"{new}NUMBER" if new.endswith("=") else new
        warnings.warn(f"{name} is now {successor}; the old name goes with the next version", Note, stacklevel=2)
        option, _, prefix = new.partition(" ")
        if prefix:
            found += [option, f"{prefix}{value if equals else rest.pop(0) if rest else ''}"]
        else:
            found.append(f"{option}{equals}{value}")
    return found


class ProgressLine:
    """Shows what is being done, on stderr: one line that is overwritten on a terminal, else a line every ten seconds."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._next = time.monotonic() + 10

    def __enter__(self) -> ProgressLine:
        return self

    def __call__(self, text: str) -> None:
        if self._live:
            say(f"\r\033[K{text}", end="", file=sys.stderr)
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + 10
            say(text, file=sys.stderr)

    def __exit__(self, *_: Any) -> None:
        if self._live:
            say("\r\033[K", end="", file=sys.stderr)


def write_file(path: Path, content: str | bytes) -> None:
    """A file, whole or not at all, in a folder that is made where it is missing.

    Raises:
        InputError: the place can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    write_whole(path, content.encode() if isinstance(content, str) else content)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """`content` as indented JSON, whole or not at all; numbers that aren't finite are refused, as JSON has none."""
    write_file(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def check_writable(path: Path | None) -> None:
    """Fails now instead of after the work: raises InputError where `path` can't be written."""
    if path is None:
        return
    if path.is_dir():
        raise InputError(f"cannot write {path}: it is a folder, a file was expected")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}."):
            pass
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error


def check_folder(path: Path | None) -> None:
    """As `check_writable`, for a folder that is to be written into."""
    if path is None:
        return
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path):
            pass
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
