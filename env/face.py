"""What the faces of a batch share: their settings, the form of their observations, and which episode a row plays."""

import copy
import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

import gymnasium
import numpy as np
import numpy.typing as npt

from env.backends import make_batch
from env.batch import Arrays, ArraySpec, BatchEnv
from env.registry import Split, make_task, task_from_file
from env.task import Task
from maze_gen.errors import InputError
from maze_gen.maze import Geometry

Observation = dict[str, npt.NDArray[Any]]


class Settings(TypedDict, total=False):
    """Settings of every face; also keyword arguments of `gymnasium.make`.

    Attributes:
        maze_file: a text maze instead of the task's own; a task that is named keeps its rules, and a goal that has no place in
            the maze is drawn. Without a task the rules are those of `env.registry.task_from_file`.
        geometry: of the maze file, `thin` (default) or `block`.
        split: `fixed`, `train` or `heldout`, see `env.registry.make_task`.
        mazes: how many a generated pool holds.
        observation_size: height and width of the picture, 84 (default) or 42, where the task is a name or a file.
        depth: whether DeepMind Lab's depth byte is observed too.
        normalize: whether velocity is divided by its typical sizes, and depth by 255, as float32.
        backend: `embedded` (default) or `lab`.
    """

    maze_file: str | Path
    geometry: Geometry
    split: Split
    mazes: int
    observation_size: Literal[84, 42]
    depth: bool
    normalize: bool
    backend: str


class FaceSettings(Settings, total=False):
    """Settings of the faces that can be rendered.

    Attributes:
        render_size: height and width of what `render` draws, in pixels, 1 to 4096; the observation's without it.
    """

    render_size: int | None


class UnknownSettingError(InputError, TypeError):
    """A keyword argument that no face has; a `TypeError` too, as Python's own, for libraries that try arguments out."""


def named_task(task: str | Task | None, settings: Settings) -> Task:
    """The task that a face's arguments name.

    Raises:
        InputError: an unknown setting, task, split or size; settings that exclude each other; a file that can't be used.
    """
    try:
        refuse_unknown(settings, Settings.__annotations__, "keyword argument")
    except InputError as error:
        raise UnknownSettingError(str(error)) from None
    for name in ("depth", "normalize"):
        if settings.get(name) not in (None, True, False):
            raise InputError(f"{name}={settings.get(name)!r}: expected True or False")
    pool = [name for name in ("split", "mazes") if settings.get(name) is not None]
    path = settings.get("maze_file")
    if isinstance(task, Task):
        for name in ("maze_file", "geometry", *pool, "observation_size"):
            if settings.get(name) is not None:
                raise InputError(f"{name}={settings[name]!r}: the task {task.name!r} is given whole; leave the setting out")
        return task
    size = settings.get("observation_size", 84)
    if path is None:
        if task is None:
            raise InputError(f"which task? give one of {', '.join(_task_names())}, or maze_file=...")
        if (geometry := settings.get("geometry")) is not None:
            raise InputError(f"geometry={geometry!r} says how a maze file is read: give maze_file=..., or leave it out")
        made = make_task(task, split=settings.get("split"), mazes=settings.get("mazes"), observation_size=size)
        if (mazes := settings.get("mazes")) is not None and made.split == "fixed":
            raise InputError(f"mazes={mazes!r}: task {task!r} has one maze; give split='heldout' or 'train', or leave it out")
        return made
    if pool:
        raise InputError(f"maze_file={str(path)!r} and {pool[0]}={settings[pool[0]]!r} exclude each other: give one of them")
    own = task_from_file(path, geometry=settings.get("geometry", "thin"), observation_size=size)
    if task is None:
        return own
    rules, maze = make_task(task, observation_size=size), own.mazes[0]
    return replace(
        own,
        episode_seconds=rules.episode_seconds,
        goal=rules.goal if maze.goals else "episode",
        fruit=rules.fruit,
        rewards=rules.rewards,
    )


def refuse_unknown(given: Any, known: Any, what: str) -> None:
    """Raises InputError for the first of `given` that isn't `known`, with the nearest that is, and where they have no names."""
    if not isinstance(given, Mapping):
        raise InputError(f"{given!r} is no mapping: expected each {what} by its name")
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(str(name), list(known), 1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected among {', '.join(known)}"
            raise InputError(f"unexpected {what} {name!r}: {hint}")


def _task_names() -> tuple[str, ...]:
    from env.registry import TASK_NAMES

    return TASK_NAMES


@dataclass(frozen=True)
class Part:
    """One array of a face's observation: what the worlds make, and what the face makes of it."""

    spec: ArraySpec
    divisor: npt.NDArray[np.float32] | None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one row; a picture has a channel axis."""
        return (*self.spec.shape, 1) if self.spec.is_image and len(self.spec.shape) == 2 else self.spec.shape

    def space(self) -> gymnasium.spaces.Box:
        """The space of one row."""
        low = -np.inf if self.spec.low is None else np.asarray(self.spec.low)
        high = np.inf if self.spec.high is None else np.asarray(self.spec.high)
        dtype = np.dtype(self.spec.dtype)
        if self.divisor is not None:
            low, high, dtype = low / self.divisor, high / self.divisor, np.dtype(np.float32)
        least, most = (np.broadcast_to(bound, self.shape).astype(dtype) for bound in (low, high))
        return gymnasium.spaces.Box(least, most, dtype=dtype.type)

    def of(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A copy of the worlds' array [N, ...] in the face's form."""
        shaped = array.reshape(len(array), *self.shape)
        return shaped.copy() if self.divisor is None else (shaped / self.divisor).astype(np.float32)


class Form:
    """Observations and actions as Gymnasium has them."""

    def __init__(self, batch: BatchEnv, normalize: bool) -> None:
        self._parts: dict[str, Part] = {}
        for name, spec in batch.spec.observed(batch.observation).items():
            divisor = None
            if normalize and spec.dtype == "float32" and spec.scale:
                divisor = np.array(spec.scale, np.float32)
            elif normalize and spec.is_image and len(spec.shape) == 2:
                divisor = np.float32(255)
            self._parts[name] = Part(spec, None if divisor is None else np.asarray(divisor))
        self.observations = gymnasium.spaces.Dict({name: part.space() for name, part in self._parts.items()})
        sizes = batch.spec.action.sizes
        self.actions = gymnasium.spaces.Discrete(sizes[0]) if len(sizes) == 1 else gymnasium.spaces.MultiDiscrete(list(sizes))

    def of(self, observation: Arrays) -> Observation:
        """The observation of a batch as arrays of its own, [N, ...]."""
        return {name: part.of(observation[name]) for name, part in self._parts.items()}


def open_worlds(task: str | Task | None, num_envs: int, threads: int, **settings: Unpack[Settings]) -> tuple[BatchEnv, Form]:
    """A batch of worlds as a face's arguments describe it, and the form of what it observes.

    Raises:
        InputError: as `named_task`, and for an unknown or missing backend.
    """
    chosen = named_task(task, settings)
    observe = chosen.spec().perceived | ({"depth"} if settings.get("depth") else set())
    batch = make_batch(chosen, num_envs, observe=observe, backend=settings.get("backend"), threads=threads)
    return batch, Form(batch, bool(settings.get("normalize")))


@dataclass(frozen=True)
class FaceKind:
    """What the faces of a domain differ in.

    Attributes:
        open: (task, num_envs, threads, settings) -> the worlds and the form of what they observe; see `open_worlds`.
        facts: names of the privileged arrays that infos hold.
        picture: the observation that `render` shows.
        options: of `reset`.
    """

    open: Callable[..., tuple[BatchEnv, Form]]
    facts: tuple[str, ...]
    picture: str
    options: tuple[str, ...]


NAVIGATION_FACE = FaceKind(open_worlds, ("position", "heading", "cell", "goal_cell", "maze"), "rgb", ("maze",))


class Clonable:
    """A face that can be copied and pickled: it goes on from the same state, with worlds of its own.

    `copy.deepcopy` shares the task, which never changes, and copies the rest; the worlds copy and pickle themselves.
    """

    batch: BatchEnv

    def __deepcopy__(self, memo: dict[int, Any]) -> "Clonable":
        clone = memo[id(self)] = object.__new__(type(self))
        memo[id(self.batch.task)] = self.batch.task
        for name, value in vars(self).items():
            setattr(clone, name, copy.deepcopy(value, memo))
        return clone
