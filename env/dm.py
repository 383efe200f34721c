"""One world as a `dm_env.Environment`."""

from typing import Any

import dm_env
import numpy as np
from dm_env import specs

from env.navigation import NUM_ACTIONS
from env.single import KnossosEnv
from env.spaces import VELOCITY_BOUND
from env.task import Task


class KnossosDmEnv(dm_env.Environment):
    """One world behind dm_env's interface; observations and actions are those of `env.single.KnossosEnv`.

    The last step of an episode has discount 1: time ran out, and the value of the last observation may be bootstrapped.
    """

    def __init__(
        self,
        task: str | Task,
        *,
        seed: int | None = None,
        depth: bool = False,
        observation_size: int = 84,
        backend: str = "embedded",
    ):
        """Makes the world.

        Args:
            seed: of the first `reset`; a random one without it.
        """
        self._world = KnossosEnv(task, depth=depth, observation_size=observation_size, backend=backend)
        self._seed = seed
        self._needs_reset = True

    def reset(self) -> dm_env.TimeStep:
        observation, _ = self._world.reset(seed=self._seed)
        self._seed = None
        self._needs_reset = False
        return dm_env.restart(observation)

    def step(self, action: Any) -> dm_env.TimeStep:
        """Holds the action for the task's action repeat; after the last step of an episode it starts the next one.

        Raises:
            InputError: an action that isn't one of the eight; a step after `close`.
        """
        if self._needs_reset:
            return self.reset()
        observation, reward, _, truncated, _ = self._world.step(action)
        self._needs_reset = truncated
        return dm_env.truncation(reward, observation) if truncated else dm_env.transition(reward, observation)

    def observation_spec(self) -> dict[str, specs.Array]:
        size = self._world.task.observation_size
        found: dict[str, specs.Array] = {
            "rgb": specs.BoundedArray((size, size, 3), np.uint8, 0, 255, name="rgb"),
            "velocity": specs.BoundedArray((6,), np.float32, -VELOCITY_BOUND, VELOCITY_BOUND, name="velocity"),
        }
        if self._world.depth:
            found["depth"] = specs.BoundedArray((size, size), np.uint8, 0, 255, name="depth")
        return found

    def action_spec(self) -> specs.DiscreteArray:
        return specs.DiscreteArray(NUM_ACTIONS, name="action")

    def close(self) -> None:
        self._world.close()
