"""A task as plain arrays and JSON, so that a checkpoint brings its own mazes: any layout, any pool, the look of every wall."""

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from env.task import Rewards, Task
from maze_gen.config_io import from_json, to_json
from maze_gen.errors import InputError
from maze_gen.maze import Decoration, Maze

ROLES = ("spawns", "apples", "strawberries", "goals")


def digest_of(task: Task) -> str:
    """SHA-256 of the digests of all its mazes, in order."""
    return hashlib.sha256("".join(maze.digest for maze in task.mazes).encode()).hexdigest()


def record_task(task: Task) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """The rules as JSON, the M mazes as arrays.

    The arrays: `open` [M, R, C] uint8, `walls` and `faces` [M, R, C, 4] uint8, `theme` [M] int32, and `things` [K, 4] int32
    (maze, index into `ROLES`, row, column), in the mazes' own order.
    """
    rules = {
        field.name: getattr(task, field.name) for field in dataclasses.fields(task) if field.name not in ("mazes", "rewards")
    }
    rules |= {
        "rewards": to_json(task.rewards),
        "geometry": task.mazes[0].geometry,
        "mazes": len(task.mazes),
        "digest": digest_of(task),
    }
    things = [
        (index, role, *cell)
        for index, maze in enumerate(task.mazes)
        for role, name in enumerate(ROLES)
        for cell in getattr(maze, name)
    ]
    tensors = {
        "open": np.stack([maze.open for maze in task.mazes]).astype(np.uint8),
        "walls": np.stack([maze.walls for maze in task.mazes]).astype(np.uint8),
        "faces": np.stack([maze.decoration.faces for maze in task.mazes]),
        "theme": np.array([maze.decoration.theme for maze in task.mazes], dtype=np.int32),
        "things": np.array(things, dtype=np.int32).reshape(-1, 4),
    }
    return rules, tensors


@dataclass(frozen=True)
class _Rules:
    """The rules of a task as a file has them."""

    name: str
    episode_seconds: int
    split: Literal["fixed", "train", "heldout"]
    goal: Literal["fixed", "episode"]
    fruit: Literal["fixed", "episode"]
    spawn_distance: int
    rewards: Rewards
    action_repeat: int
    observation_size: int
    geometry: Literal["thin", "block"]
    mazes: int
    digest: str


def read_task(rules: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]], origin: str) -> Task:
    """The task that `record_task` recorded.

    Raises:
        InputError: something is missing or of another type, a maze is none, or the mazes aren't those of the digest; `origin`
            says where they came from.
    """
    read = from_json(_Rules, dict(rules), f"{origin}: its task")
    _check_arrays(read, arrays, origin)
    task = _task(read, arrays, origin)
    if digest_of(task) != read.digest:
        raise InputError(f"{origin}: its mazes are not those that its digest names: the file was changed or damaged")
    return task


def _check_arrays(rules: _Rules, arrays: Mapping[str, npt.NDArray[Any]], origin: str) -> None:
    """Raises InputError where an array is missing, of another shape or type, or holds what no maze has."""
    shapes = {
        "open": ("M", "R", "C"),
        "walls": ("M", "R", "C", 4),
        "faces": ("M", "R", "C", 4),
        "theme": ("M",),
        "things": ("K", 4),
    }
    sizes: dict[Any, int] = {"M": rules.mazes, 4: 4}
    for name, axes in shapes.items():
        if name not in arrays:
            raise InputError(f"{origin}: its task lacks {name!r}")
        array = arrays[name]
        fits = array.dtype.kind in "iu" and array.ndim == len(axes)
        if not fits or any(sizes.setdefault(axis, size) != size for axis, size in zip(axes, array.shape, strict=True)):
            expected = ", ".join(str(sizes.get(axis, axis)) for axis in axes)
            raise InputError(
                f"{origin}: its task's {name} has shape {list(array.shape)} and type {array.dtype}, "
                f"expected [{expected}] of integers"
            )
    bounds: dict[str, tuple[npt.NDArray[Any], int]] = {
        "open": (arrays["open"], 2),
        "walls": (arrays["walls"], 2),
        "faces": (arrays["faces"], 256),
        "things: maze": (arrays["things"][:, 0], rules.mazes),
        "things: kind": (arrays["things"][:, 1], len(ROLES)),
    }
    for name, (values, end) in bounds.items():
        wrong = np.argwhere((values < 0) | (values >= end))
        if len(wrong):
            at = tuple(wrong[0].tolist())
            raise InputError(f"{origin}: its task's {name}{list(at)} is {values[at]}, expected 0 to {end - 1}")


def _task(rules: _Rules, arrays: Mapping[str, npt.NDArray[Any]], origin: str) -> Task:
    things: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for index, role, row, col in arrays["things"].tolist():
        things.setdefault((index, role), []).append((row, col))
    mazes = []
    for index in range(len(arrays["open"])):
        try:
            maze = Maze(
                geometry=rules.geometry,
                open=arrays["open"][index].astype(np.bool_),
                walls=arrays["walls"][index].astype(np.bool_),
                decoration=Decoration(int(arrays["theme"][index]), arrays["faces"][index].astype(np.uint8)),
                **{name: tuple(things.get((index, role), ())) for role, name in enumerate(ROLES)},
            )
        except InputError as error:
            raise InputError(f"{origin}: its maze {index}: {error}") from error
        mazes.append(maze)
    kept = {field.name: getattr(rules, field.name) for field in dataclasses.fields(Task) if field.name != "mazes"}
    try:
        return Task(mazes=tuple(mazes), **kept)
    except InputError as error:
        raise InputError(f"{origin}: its {error}") from error
