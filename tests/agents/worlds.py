"""Worlds for tests: one that only counts, so that every number an agent gets tells where it came from."""

from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from agents.config import AGENTS
from env.batch import Arrays, BatchEnv, Outcome
from env.task import Task
from maze_gen.maze import Maze
from maze_gen.text import read_maze

WALKERS = [name for name, agent in AGENTS.items() if agent.core not in ("painter", "spiral")]
"""Agents of mazes; those that paint have tests of their own."""

CORRIDOR = """
***********
*        G*
***********
""".strip()


def corridor() -> Maze:
    """1 x 5 cells, the goal in the last one."""
    return read_maze(CORRIDOR, "thin")


def counting_task(seconds: int = 1, size: int = 42) -> Task:
    """Episodes of 15 agent steps a second."""
    return Task("counting", (corridor(),), seconds, spawn_distance=1, observation_size=size)


class CountingEnv(BatchEnv):
    """Row i in its episode e after t steps shows (10 + i, e, t) in every pixel, and t as its velocity.

    A step is rewarded with t + 1, counted from 0, so the observation after it shows t + 1 as well. Row i's first `shorter[i]`
    steps are missing from its first episode.
    """

    def __init__(
        self, task: Task, num_envs: int, *, observe: Collection[str] = ("rgb", "velocity"), shorter: npt.ArrayLike = 0
    ) -> None:
        n = num_envs
        self.task, self.num_envs = task, n
        self.shorter = np.broadcast_to(np.asarray(shorter), (n,))
        self.spec = task.spec()
        self.observation = {name: np.zeros((n, *array.shape), array.dtype) for name, array in self.spec.observed(observe).items()}
        self.outcome = Outcome(
            np.zeros(n, np.float32),
            np.zeros(n, np.bool_),
            np.zeros(n, np.bool_),
            {name: np.zeros(n, np.int32) for name in self.spec.statistics},
        )
        self.privileged = {name: np.zeros((n, *array.shape), array.dtype) for name, array in self.spec.privileged.items()}
        self.privileged["goal_cell"][:] = 4
        self.episode = np.zeros(n, np.int64)
        self.time = np.zeros(n, np.int64)
        self.actions: list[npt.NDArray] = []

    def reset(self, seed: int, streams: npt.ArrayLike | None = None) -> Arrays:
        self.episode[:] = 0
        self.time[:] = self.shorter
        return self._observe()

    def step(self, actions: npt.ArrayLike) -> Arrays:
        assert not self.outcome.truncated.any(), "stepped past a truncation"
        self.actions.append(np.array(actions))
        self.time += 1
        self.outcome.reward[:] = self.time
        self.outcome.truncated[:] = self.time >= self.task.episode_steps
        return self._observe()

    def reset_rows(self, rows: npt.ArrayLike) -> Arrays:
        rows = np.asarray(rows, np.bool_)
        self.episode[rows] += 1
        self.time[rows] = 0
        self.outcome.truncated[rows] = False
        return self._observe()

    def _observe(self) -> Arrays:
        self.observation["rgb"][..., 0] = (10 + np.arange(self.num_envs))[:, None, None]
        self.observation["rgb"][..., 1] = self.episode[:, None, None]
        self.observation["rgb"][..., 2] = self.time[:, None, None]
        self.observation["velocity"][:] = self.time[:, None]
        self.privileged["position"][:, 0] = self.time
        self.privileged["cell"][:] = self.time % self.task.cells
        if "depth_target" in self.observation:
            self.observation["depth_target"][:] = 10 * (1 + self.time[:, None, None])
        return self.observation

    def close(self) -> None:
        pass
