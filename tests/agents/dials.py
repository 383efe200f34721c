"""A second domain, without mazes or pictures: dials that must be turned to where lights point."""

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from env.batch import ActionPart, ActionSpec, Arrays, ArraySpec, BatchEnv, Outcome, WorldSpec, checked_rows, checked_streams
from env.domain import Domain, TaskRecord, register_domain
from maze_gen.config_io import from_json, to_json
from maze_gen.errors import InputError

PLACES, DIALS = 3, 2


@dataclass(frozen=True)
class DialsTask:
    """Two dials of three places; an episode terminates after so many steps with both of them right."""

    name: str = "dials"
    split: str = "fixed"
    steps: int = 8
    wins: int = 3
    autoregressive: bool = False

    def spec(self) -> WorldSpec:
        lights = ArraySpec((DIALS * PLACES,), "float32", "one-hot, where each dial should stand", 0, 1, role="perceived")
        parts = tuple(ActionPart(f"dial {index}", PLACES) for index in range(DIALS))
        return WorldSpec(
            observations={"lights": lights},
            privileged={"wanted": ArraySpec((DIALS,), "int64", "where each dial should stand", 0, PLACES - 1)},
            statistics={"right": "dials that stood right"},
            action=ActionSpec(parts, self.autoregressive),
            episode_steps=self.steps,
            terminates=True,
            frames_per_step=1,
        )


class DialsBatch(BatchEnv):
    """Rewards every dial that stands right; row i's lights are drawn from (seed, stream, episode)."""

    def __init__(self, task: DialsTask, num_envs: int, observe: Collection[str] = ("lights",)) -> None:
        self.task, self.num_envs, self.spec = task, num_envs, task.spec()
        n = num_envs
        self.observation = {name: np.zeros((n, *array.shape), array.dtype) for name, array in self.spec.observed(observe).items()}
        self.privileged = {"wanted": np.zeros((n, DIALS), np.int64)}
        flags = lambda: np.zeros(n, np.bool_)  # noqa: E731
        self.outcome = Outcome(np.zeros(n, np.float32), flags(), flags(), {"right": np.zeros(n, np.int32)})
        self.episode, self.time, self.wins = (np.zeros(n, np.int64) for _ in range(3))
        self.streams, self.seed = np.arange(n), 0

    def reset(self, seed: int, streams: npt.ArrayLike | None = None) -> Arrays:
        self.streams, self.seed = checked_streams(seed, streams, self.num_envs), seed
        self.episode[:] = 0
        return self._begin(np.ones(self.num_envs, np.bool_))

    def reset_rows(self, rows: npt.ArrayLike) -> Arrays:
        mask = checked_rows(rows, self.num_envs)
        self.episode[mask] += 1
        return self._begin(mask)

    def step(self, actions: npt.ArrayLike) -> Arrays:
        chosen = np.asarray(actions)
        if chosen.shape != (self.num_envs, DIALS):
            raise InputError(f"actions have shape {chosen.shape}, expected {(self.num_envs, DIALS)}")
        assert not (self.outcome.terminated | self.outcome.truncated).any(), "stepped past an episode's end"
        right = (chosen == self.privileged["wanted"]).sum(1)
        self.time += 1
        self.wins += right == DIALS
        self.outcome.reward[:] = self.outcome.statistics["right"][:] = right
        self.outcome.terminated[:] = self.wins >= self.task.wins
        self.outcome.truncated[:] = ~self.outcome.terminated & (self.time >= self.task.steps)
        return self._observe(np.ones(self.num_envs, np.bool_))

    def close(self) -> None:
        pass

    def _begin(self, rows: npt.NDArray[np.bool_]) -> Arrays:
        self.time[rows] = self.wins[rows] = 0
        self.outcome.terminated[rows] = self.outcome.truncated[rows] = False
        return self._observe(rows)

    def _observe(self, rows: npt.NDArray[np.bool_]) -> Arrays:
        for row in np.flatnonzero(rows):
            numbers = np.random.default_rng([self.seed, self.streams[row], self.episode[row], self.time[row]])
            self.privileged["wanted"][row] = numbers.integers(PLACES, size=DIALS)
        lights = np.eye(PLACES, dtype=np.float32)[self.privileged["wanted"]]
        self.observation["lights"][:] = lights.reshape(self.num_envs, -1)
        return self.observation


def _make(task: Any, num_envs: int, *, observe: frozenset[str], device: str, threads: int) -> BatchEnv:
    return DialsBatch(task, num_envs, observe)


def _record(task: DialsTask) -> TaskRecord:
    return to_json(task), {}


def _read(rules: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]], origin: str) -> DialsTask:
    return from_json(DialsTask, dict(rules), origin)


DOMAIN = Domain("dials", DialsTask, {"numpy": _make}, _record, _read)
register_domain(DOMAIN)


def variants(**changes: Any) -> list[DialsTask]:
    """With independent and with autoregressive actions."""
    return [dataclasses.replace(DialsTask(**changes), autoregressive=each) for each in (False, True)]
