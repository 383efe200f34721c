"""A task as plain arrays and JSON, so that a checkpoint brings its own mazes: any layout, any pool, the look of every wall."""

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from env.task import Rewards, Task
from maze_gen.errors import InputError
from maze_gen.maze import Decoration, Maze

ROLES = ("spawns", "apples", "strawberries", "goals")


def digest_of(task: Task) -> str:
    """SHA-256 of the digests of all its mazes, in order."""
    return hashlib.sha256("".join(maze.digest for maze in task.mazes).encode()).hexdigest()


def record_task(task: Task) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """The rules as JSON, the M mazes as arrays.

    The arrays: `open` [M, R, C] uint8, `walls` and `faces` [M, R, C, 4] uint8, `theme` [M] int32, and `things` [K, 4] int16
    (maze, index into `ROLES`, row, column), in the mazes' own order.
    """
    rules = {
        field.name: getattr(task, field.name) for field in dataclasses.fields(task) if field.name not in ("mazes", "rewards")
    }
    rules |= {
        "rewards": dataclasses.asdict(task.rewards),
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
        "things": np.array(things, dtype=np.int16).reshape(-1, 4),
    }
    return rules, tensors


def read_task(rules: Mapping[str, Any], tensors: Mapping[str, npt.NDArray[Any]], origin: str) -> Task:
    """The task that `record_task` recorded.

    Raises:
        InputError: something is missing, or the mazes aren't those of the digest; `origin` says where they came from.
    """
    try:
        arrays = {name: tensors[name] for name in ("open", "walls", "faces", "theme", "things")}
        things: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for index, role, row, col in arrays["things"].tolist():
            things.setdefault((index, role), []).append((row, col))
        mazes = tuple(
            Maze(
                geometry=rules["geometry"],
                open=arrays["open"][index].astype(np.bool_),
                walls=arrays["walls"][index].astype(np.bool_),
                decoration=Decoration(int(arrays["theme"][index]), arrays["faces"][index].copy()),
                **{name: tuple(things.get((index, role), ())) for role, name in enumerate(ROLES)},
            )
            for index in range(len(arrays["open"]))
        )
        kept = {key: value for key, value in rules.items() if key not in ("rewards", "geometry", "mazes", "digest")}
        task = Task(mazes=mazes, rewards=Rewards(**rules["rewards"]), **kept)
        whole = digest_of(task) == rules["digest"]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(f"{origin}: its task can't be read ({type(error).__name__}: {error})") from error
    if not whole:
        raise InputError(f"{origin}: its mazes are not those that its digest names: the file was changed or damaged")
    return task
