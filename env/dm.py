"""One world as a `dm_env.Environment`."""

from typing import Any, Unpack

import dm_env
import gymnasium
import numpy as np
from dm_env import specs

from env.face import Settings
from env.single import KnossosEnv
from env.task import Task


class KnossosDmEnv(dm_env.Environment):
    """One world behind dm_env's interface; observations and actions are those of `env.single.KnossosEnv`.

    The last step of an episode has discount 1: time ran out, and the value of the last observation may be bootstrapped.
    `copy.deepcopy` and `pickle` work as there.
    """

    def __init__(self, task: str | Task | None = None, *, seed: int | None = None, **settings: Unpack[Settings]):
        """Makes the world.

        Args:
            task: as in `env.single.KnossosEnv`.
            seed: of the first `reset`; a random one without it.
            settings: see `env.face.Settings`.

        Raises:
            InputError: an unknown task, setting or value.
        """
        self._world = KnossosEnv(task, **settings)
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
        observation, reward, terminated, truncated, _ = self._world.step(action)
        self._needs_reset = terminated or truncated
        if terminated:
            return dm_env.termination(reward, observation)
        return dm_env.truncation(reward, observation) if truncated else dm_env.transition(reward, observation)

    def observation_spec(self) -> dict[str, specs.Array]:
        spaces: dict[str, Any] = dict(self._world.observation_space.items())  # type: ignore[attr-defined]
        return {name: specs.BoundedArray(box.shape, box.dtype, box.low, box.high, name=name) for name, box in spaces.items()}

    def action_spec(self) -> specs.Array:
        space = self._world.action_space
        if isinstance(space, gymnasium.spaces.Discrete):
            return specs.DiscreteArray(int(space.n), name="action")
        assert isinstance(space, gymnasium.spaces.MultiDiscrete)
        return specs.BoundedArray(space.shape, np.int64, 0, space.nvec - 1, name="action")

    def close(self) -> None:
        self._world.close()
