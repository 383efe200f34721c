"""Who chooses the actions: a random policy, an oracle that walks shortest paths, or a trained agent, behind one interface."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from agents.checkpoint import Checkpoint
from agents.inference import Policy
from env.batch import BatchEnv
from env.engine import oracle
from env.navigation import NUM_ACTIONS
from experiments.informed.policies import INFORMED


class Player(Protocol):
    """Plays every row of a batch of worlds.

    Attributes:
        observe: names of the arrays that the worlds must make for it.
    """

    observe: frozenset[str]

    def reset_rows(self, rows: npt.NDArray[np.bool_]) -> None:
        """Forgets the episodes of the rows where `rows` [N] is True: new ones begin."""

    def act(self, env: BatchEnv, uniforms: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """Actions [N] for the present observation; all chance comes from `uniforms` [N] in [0, 1)."""
        ...


PolicyFactory = Callable[[int], Player]
"""Makes a player for a number of rows."""


class RandomPlayer:
    """Each of the actions with the same chance."""

    observe: frozenset[str] = frozenset()

    def __init__(self, num_envs: int) -> None:
        pass

    def reset_rows(self, rows: npt.NDArray[np.bool_]) -> None:
        pass

    def act(self, env: BatchEnv, uniforms: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        return (uniforms * NUM_ACTIONS).astype(np.int64)


class OraclePlayer:
    """Knows the maze, the goal and itself, and walks the shortest path through the same eight actions.

    It looks a few steps ahead with the engine's own motion (`env.engine.oracle`) and takes fruit only where it lies on the
    way, so it is near the best possible where goals are worth more than fruit.
    """

    observe: frozenset[str] = frozenset({"velocity"})

    def __init__(self, num_envs: int) -> None:
        self._actions = np.zeros(num_envs, dtype=np.int32)
        self._index = np.zeros(num_envs, dtype=np.int32)
        self._walls: npt.NDArray[np.uint8] | None = None
        self._fields: dict[tuple[int, int], npt.NDArray[np.float32]] = {}
        self._targets: list[tuple[int, int]] = []
        self._stacked: npt.NDArray[np.float32] | None = None

    def reset_rows(self, rows: npt.NDArray[np.bool_]) -> None:
        self._targets = []

    def act(self, env: BatchEnv, uniforms: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        facts, task = env.privileged, env.task
        rows, cols = task.mazes[0].rows, task.mazes[0].cols
        if self._walls is None:
            self._walls = np.stack([oracle.walls_of(maze) for maze in task.mazes])
        targets = list(zip(facts["maze"].tolist(), facts["goal_cell"].tolist(), strict=True))
        if targets != self._targets or self._stacked is None:
            self._targets = targets
            distinct = sorted(set(targets))
            self._fields = {
                target: self._fields[target] if target in self._fields else oracle.field(task.mazes[target[0]], target[1])
                for target in distinct
            }
            self._stacked = np.stack([self._fields[target] for target in distinct])
            self._index[:] = [distinct.index(target) for target in targets]
        goal_row, goal_col = np.divmod(facts["goal_cell"], cols)
        goal = np.stack([goal_col + 0.5, rows - goal_row - 0.5], axis=1).astype(np.float32) * np.float32(100)
        velocity = env.observation["velocity"]
        agents = oracle.Agents(facts["maze"], self._index, facts["position"], facts["heading"], velocity, goal)
        oracle.plan(self._actions, self._walls, self._stacked, agents, task.action_repeat)
        return self._actions.astype(np.int64)


class AgentPlayer:
    """A trained agent; what it thinks can be read off `policy` after every `act`."""

    def __init__(self, checkpoint: Checkpoint, num_envs: int) -> None:
        self.policy = Policy(checkpoint, num_envs)
        self.observe = self.policy.observe

    def reset_rows(self, rows: npt.NDArray[np.bool_]) -> None:
        self.policy.reset_rows(rows)

    def act(self, env: BatchEnv, uniforms: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        return self.policy.act(env, uniforms)


def player_of(checkpoint: Checkpoint) -> PolicyFactory:
    """Makes players of a checkpoint, each with a memory of its own."""
    return lambda num_envs: AgentPlayer(checkpoint, num_envs)


SCALE: dict[str, PolicyFactory] = {"random": RandomPlayer, "oracle": OraclePlayer}
"""What gives every task its scale."""
BASELINES: dict[str, PolicyFactory] = {"random": RandomPlayer, **INFORMED, "oracle": OraclePlayer}
"""What an evaluation plays beside an agent."""
