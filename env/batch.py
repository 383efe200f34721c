"""The one interface to a batch of worlds; every backend offers it and everything else is built on it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from env.task import Task


@dataclass(frozen=True)
class Observation:
    """What the agents see; arrays allocated once and written in place by every `reset`, `reset_rows` and `step`.

    Attributes:
        rgb: [N, size, size, 3] uint8.
        velocity: [N, 6] float32, in the agent's frame: forward, left, up (units/s); pitch, yaw, roll (degrees/s). The angular
            part is the change of heading over the whole agent step divided by its duration.
        depth: [N, size, size] uint8, DeepMind Lab's depth byte, or None where it wasn't asked for.
        depth_target: [N, 4, 16] float32, planar distance in units along 64 rays of the middle of the view (the auxiliary
            losses' target, which costs far less than `depth`), or None where it wasn't asked for.
    """

    rgb: npt.NDArray[np.uint8]
    velocity: npt.NDArray[np.float32]
    depth: npt.NDArray[np.uint8] | None
    depth_target: npt.NDArray[np.float32] | None


@dataclass(frozen=True)
class Outcome:
    """What the last `step` led to; arrays allocated once and written in place.

    Attributes:
        reward: [N] float32, summed over the repeated frames.
        truncated: [N] bool, the episode's time is up; the observation is its last. Nothing terminates.
        goals: [N] int32, goals rewarded during the step.
    """

    reward: npt.NDArray[np.float32]
    truncated: npt.NDArray[np.bool_]
    goals: npt.NDArray[np.int32]


@dataclass(frozen=True)
class Privileged:
    """Facts that only analysis and auxiliary targets may read; arrays allocated once and written in place.

    Attributes:
        position: [N, 2] float32, x and y in units (the frame of `maze_gen.maze`).
        heading: [N] float32, degrees in [0, 360), counter-clockwise from +x.
        cell: [N] int32, row x cols + col of the cell that holds the agent.
        goal_cell: [N] int32, the same for the goal of this episode.
        maze: [N] int32, index into `task.mazes`.
        fruit_cells: [N, F] int32, cells of the fruit still to be had, -1 for none; strawberries carry
            `STRAWBERRY_FLAG` (bit 16).
        seconds: [N] float32, time since the episode's start.
    """

    position: npt.NDArray[np.float32]
    heading: npt.NDArray[np.float32]
    cell: npt.NDArray[np.int32]
    goal_cell: npt.NDArray[np.int32]
    maze: npt.NDArray[np.int32]
    fruit_cells: npt.NDArray[np.int32]
    seconds: npt.NDArray[np.float32]


STRAWBERRY_FLAG = 1 << 16


class BatchEnv(ABC):
    """N independent worlds of one task, stepped together.

    Row i plays the episodes (seed, stream i, 0), (seed, stream i, 1), ...: everything random in an episode is a function of
    those three numbers, so a row's trajectory depends on its actions alone, not on the batch size, on threads or on a device.
    """

    task: Task
    num_envs: int
    observation: Observation
    outcome: Outcome
    privileged: Privileged

    @abstractmethod
    def reset(self, seed: int, streams: npt.ArrayLike | None = None) -> Observation:
        """Starts episode 0 of every row.

        Args:
            seed: any integer in [0, 2**63).
            streams: [N] integers, the stream that each row plays; row i plays stream i without it.
        """

    @abstractmethod
    def step(self, actions: npt.ArrayLike) -> Observation:
        """Holds `actions` [N] (integers in [0, 8)) for the task's action repeat, then observes.

        A row whose episode was truncated must be started anew by `reset_rows` before the next `step`.

        Raises:
            InputError: a wrong shape or an action out of range, named with its row; a step before `reset`, after `close`, or
                past a truncation.
        """

    @abstractmethod
    def reset_rows(self, rows: npt.ArrayLike) -> Observation:
        """Starts the next episode of the rows where `rows` [N] bool is True, and observes them; the others stay as they are."""

    @abstractmethod
    def close(self) -> None:
        """Frees what the worlds hold; called twice it does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
