"""The one interface to a batch of worlds: named arrays with specifications. Every domain and backend offers it."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

import numpy as np
import numpy.typing as npt

from maze_gen.errors import InputError

Arrays = Mapping[str, npt.NDArray[Any]]
"""Arrays by name, leading axis [N]; torch tensors of the same shapes where the worlds are computed on a GPU."""


@dataclass(frozen=True)
class ArraySpec:
    """One row of a named array.

    Attributes:
        shape: of a row, without the batch axis.
        dtype: NumPy's name of the type.
        meaning: what it holds, with units.
        low, high: bounds that every entry keeps, or None; one number, or one for each entry.
        scale: a typical size of each entry, by which networks divide; 1 where there is none.
        role: `perceived` by agents unless they ask for less, `optional` for agents that ask for it, or `target`, which only
            auxiliary losses and analysis may read.
    """

    shape: tuple[int, ...]
    dtype: str
    meaning: str
    low: float | tuple[float, ...] | None = None
    high: float | tuple[float, ...] | None = None
    scale: tuple[float, ...] = ()
    role: Literal["perceived", "optional", "target"] = "target"

    @property
    def is_image(self) -> bool:
        """Whether it is a picture: [height, width] or [height, width, channels] bytes."""
        return self.dtype == "uint8" and len(self.shape) in (2, 3)


@dataclass(frozen=True)
class ActionPart:
    """One choice among `size` alternatives.

    Attributes:
        labels: of the alternatives, where they have names.
        grid: (rows, columns), where the alternatives are the cells of a grid over the pictures, row after row.
        only_if: (an earlier part's index, its choice) without which this part has no effect, or None.
    """

    name: str
    size: int
    labels: tuple[str, ...] = ()
    grid: tuple[int, int] | None = None
    only_if: tuple[int, int] | None = None


@dataclass(frozen=True)
class ActionSpec:
    """What a step takes: one choice, or several at once.

    Attributes:
        parts: the choices, in the order of an action's entries. Actions are [N] int64 for one part, [N, K] for K parts.
        autoregressive: whether a policy should choose each part knowing those before it; else the parts are independent.
    """

    parts: tuple[ActionPart, ...]
    autoregressive: bool = False

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(part.size for part in self.parts)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one row's action."""
        return () if len(self.parts) == 1 else (len(self.parts),)


@dataclass(frozen=True)
class WorldSpec:
    """What the worlds of a task observe and take.

    Attributes:
        observations: everything that can be observed, by name; a batch makes what it is asked for.
        privileged: facts that only analysis and auxiliary targets may read.
        statistics: what is counted in an episode, name → meaning.
        action: what a step takes.
        episode_steps: agent steps of every episode, or the most of one where episodes may terminate earlier.
        terminates: whether an episode can end by itself, with nothing to come after it.
        frames_per_step, frames_per_second: simulated frames of an agent step and of a second.
        extents: sizes that models and losses ask for by name, e.g. `cells`.
    """

    observations: Mapping[str, ArraySpec]
    privileged: Mapping[str, ArraySpec]
    statistics: Mapping[str, str]
    action: ActionSpec
    episode_steps: int
    terminates: bool = False
    frames_per_step: int = 1
    frames_per_second: int = 60
    extents: Mapping[str, int] | None = None

    def extent(self, name: str) -> int:
        """A size by its name.

        Raises:
            InputError: the worlds have none of that name.
        """
        extents = self.extents or {}
        if name not in extents:
            raise InputError(f"extent {name!r}: these worlds have {', '.join(extents) or 'none'}")
        return extents[name]

    def observed(self, names: Iterable[str]) -> dict[str, ArraySpec]:
        """The specifications of the arrays `names`, in the order of `observations`.

        Raises:
            InputError: an array that these worlds can't make.
        """
        wanted = set(names)
        unknown = sorted(map(str, wanted - set(self.observations)))
        if unknown:
            raise InputError(f"observation {unknown[0]!r}: expected among {', '.join(self.observations)}")
        return {name: spec for name, spec in self.observations.items() if name in wanted}

    @property
    def perceived(self) -> frozenset[str]:
        """Names of what agents see unless they ask for something else."""
        return frozenset(name for name, spec in self.observations.items() if spec.role == "perceived")


class TaskLike(Protocol):
    """What every domain's task offers: an immutable value that worlds are made of."""

    @property
    def name(self) -> str: ...

    @property
    def split(self) -> str: ...

    def spec(self) -> WorldSpec:
        """What its worlds observe and take."""
        ...


@dataclass(frozen=True)
class Outcome:
    """What the last `step` led to; arrays allocated once and written in place.

    Attributes:
        reward: [N] float32, summed over the repeated frames.
        terminated: [N] bool, the episode ended by itself: nothing follows, and its last value is 0.
        truncated: [N] bool, the episode's time is up: the value of its last observation may be bootstrapped.
        statistics: [N] int32 by name, what the step added to the episode's statistics.
    """

    reward: npt.NDArray[np.float32]
    terminated: npt.NDArray[np.bool_]
    truncated: npt.NDArray[np.bool_]
    statistics: Arrays


@dataclass(frozen=True)
class Episodes:
    """Episodes of some rows of a batch; entries of other rows mean nothing.

    Attributes:
        rows: [N] bool.
        seeds, streams, numbers: [N] int64, all 0 or more.
    """

    rows: npt.NDArray[np.bool_]
    seeds: npt.NDArray[np.int64]
    streams: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.int64]


class BatchEnv(ABC):
    """N independent worlds of one task, stepped together.

    Row i plays the episodes (seed, stream i, 0), (seed, stream i, 1), ...: everything random in an episode is a function of
    those three numbers, so a row's trajectory depends on its actions alone, not on the batch size, on threads or on a device.

    Attributes:
        task: what is played.
        num_envs: N.
        spec: what the worlds observe and take.
        observation, privileged: arrays by the names of `spec`, allocated once and written in place by every `reset`,
            `reset_rows` and `step`; `observation` holds those that were asked for.
        outcome: of the last step.
    """

    task: Any
    num_envs: int
    spec: WorldSpec
    observation: Arrays
    outcome: Outcome
    privileged: Arrays
    _started: bool = False
    _closed: bool = False

    def _refuse_closed(self, call: str) -> None:
        if self._closed:
            raise InputError(f"{call} after close: this batch of {self.task.name!r} is closed")

    def _refuse_unstarted(self, call: str) -> None:
        if not self._started:
            raise InputError(f"{call} before reset: call reset(seed) first")

    @abstractmethod
    def reset(self, seed: int, streams: npt.ArrayLike | None = None) -> Arrays:
        """Starts episode 0 of every row and returns the observation.

        Args:
            seed: any integer in [0, 2**63).
            streams: [N] integers, the stream that each row plays; row i plays stream i without it.
        """

    @abstractmethod
    def step(self, actions: npt.ArrayLike, hold_ended: bool = False) -> Arrays:
        """Holds `actions` ([N] or [N, K] integers, `spec.action`) for an agent step and returns the observation.

        A row whose episode has ended must be started anew by `reset_rows` before the next `step`; with `hold_ended` such rows
        stay as they are, whatever their action.

        Raises:
            InputError: a wrong shape or an action out of range, named with its row; a step before `reset`, after `close`, or
                past an episode's end.
        """

    @abstractmethod
    def reset_rows(self, rows: npt.ArrayLike) -> Arrays:
        """Starts the next episode of the rows where `rows` [N] bool is True, and observes them; the others stay as they are."""

    def seek(self, episodes: Episodes) -> None:
        """Chooses what the next `reset_rows` starts in some rows; what they play until then stays as it is.

        Raises:
            InputError: these worlds can't, or haven't been reset yet.
        """
        raise InputError(f"{type(self).__name__} can't start episodes of one's choosing")

    def pictures(self, size: int) -> npt.NDArray[np.uint8]:
        """[N, size, size, 3] uint8: what the rows see now, drawn at another size, an even number from 16 to 512.

        Raises:
            InputError: these worlds can't.
        """
        raise InputError(f"{type(self).__name__} draws no pictures of {size} x {size}")

    def check(self) -> None:
        """Raises what `step` couldn't raise without waiting for a device; elsewhere nothing is left to be raised."""
        return

    def clone(self) -> Self:
        """An independent copy: the same state, and equal trajectories from there on.

        Raises:
            InputError: these worlds cannot be copied.
        """
        raise InputError(f"{type(self).__name__} of {self.task.name!r}: these worlds cannot be copied")

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        copy = memo[id(self)] = self.clone()
        return copy

    def __copy__(self) -> Self:
        return self.clone()

    def state_arrays(self) -> dict[str, npt.NDArray[Any]] | None:
        """Copies of the arrays from which `restore_state` continues; None where worlds can't be saved, as simulators can't."""
        return None

    def restore_state(self, arrays: Mapping[str, npt.NDArray[Any]]) -> Arrays:
        """Continues from a state of a batch with the same task and number of worlds, and returns the observation.

        Raises:
            InputError: these worlds can't be restored, or the state is of others.
        """
        raise InputError(f"{type(self).__name__} of {self.task.name!r}: these worlds cannot be restored")

    @abstractmethod
    def close(self) -> None:
        """Frees what the worlds hold; called twice it does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def as_array(name: str, values: Any) -> npt.NDArray[Any]:
    """`values` as an array.

    Raises:
        InputError: they are none, such as lists of different lengths.
    """
    try:
        return np.asarray(values)
    except (ValueError, TypeError, OverflowError, RuntimeError) as error:
        raise InputError(f"{name} are {str(values)[:60]!r}, which is no array ({str(error)[:60]})") from error


def checked_streams(seed: Any, streams: npt.ArrayLike | None, num_envs: int) -> npt.NDArray[np.int64]:
    """The streams [N] of a `reset`, row i's being i unless they are given.

    Raises:
        InputError: a seed outside [0, 2**63), or streams that aren't N integers.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**63:
        raise InputError(f"seed is {seed!r}, expected a whole number in [0, 2**63)")
    rows = np.arange(num_envs) if streams is None else as_array("streams", streams)
    if rows.shape != (num_envs,) or rows.dtype.kind not in "iu":
        raise InputError(f"streams have shape {rows.shape} and type {rows.dtype}, expected {num_envs} integers")
    return rows.astype(np.int64)


def checked_rows(rows: npt.ArrayLike, num_envs: int) -> npt.NDArray[np.bool_]:
    """The rows [N] of a `reset_rows`.

    Raises:
        InputError: they aren't N booleans.
    """
    mask = as_array("rows", rows)
    if mask.shape != (num_envs,) or mask.dtype != np.bool_:
        raise InputError(f"rows have shape {mask.shape} and type {mask.dtype}, expected {num_envs} booleans")
    return mask


def checked_actions(actions: npt.ArrayLike, playing: npt.NDArray[Any], choices: int) -> npt.NDArray[np.int64]:
    """The actions [N] of a `step` of worlds whose action is one choice.

    Args:
        playing: [N], nonzero where an episode goes on.
        choices: actions are in [0, choices).

    Raises:
        InputError: they are not N integers in that range, or a row's episode has ended.
    """
    chosen = as_array("actions", actions)
    if chosen.shape != playing.shape or chosen.dtype.kind not in "iu":
        raise InputError(
            f"actions have shape {chosen.shape} and type {chosen.dtype}, expected {len(playing)} integers in [0, {choices})"
        )
    wrong = np.flatnonzero((chosen < 0) | (chosen >= choices))
    if len(wrong):
        raise InputError(f"row {wrong[0]}: action {chosen[wrong[0]]} is out of range, expected [0, {choices})")
    ended = np.flatnonzero(playing == 0)
    if len(ended):
        raise InputError(f"row {ended[0]}: its episode has ended; call reset_rows before the next step")
    return chosen.astype(np.int64)
