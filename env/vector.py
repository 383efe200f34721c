"""A batch of worlds as a Gymnasium `VectorEnv`, for other people's trainers."""

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from env.backends import make_batch
from env.navigation import FRAMES_PER_SECOND
from env.registry import make_task
from env.spaces import ACTION_SPACE, copied, observation_space, observed
from env.task import Task


class KnossosVectorEnv(gymnasium.vector.VectorEnv):
    """N worlds stepped together; a world whose time is up starts its next episode in the same step.

    The last observation of an ended episode is in `infos["final_obs"]`, where `infos["_final_obs"]` is True (Gymnasium's
    `AutoresetMode.SAME_STEP`). Nothing terminates: bootstrap from the value of that observation.

    Privileged facts for analysis are in `infos`: `position` [N, 2] float32 (units), `heading` [N] float32 (degrees), `cell` [N]
    int32, `goal_cell` [N] int32, `goals` [N] int32 (goals rewarded in this step).
    """

    metadata = {  # noqa: RUF012 - Gymnasium's own form
        "render_modes": ["rgb_array"],
        "render_fps": FRAMES_PER_SECOND // 4,
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self,
        task: str | Task,
        num_envs: int = 1,
        *,
        depth: bool = False,
        observation_size: int = 84,
        backend: str = "embedded",
        threads: int = 1,
        render_mode: str | None = None,
    ):
        """Makes the worlds.

        Args:
            task: a name of the registry, e.g. `static-small`, or a task.
            num_envs: worlds.
            depth: whether DeepMind Lab's depth byte is observed too.
            observation_size: 84 or 42, where `task` is a name.
            backend: `embedded` or `lab`.
            threads: of the embedded engine.
            render_mode: `rgb_array` or None.

        Raises:
            InputError: an unknown task, size or backend.
        """
        self.task = make_task(task, observation_size=observation_size) if isinstance(task, str) else task
        self.num_envs = num_envs
        self.batch = make_batch(self.task, num_envs, backend=backend, observe=observed(depth), threads=threads)
        self.render_mode = render_mode
        self.single_observation_space = observation_space(self.task.observation_size, depth)
        self.single_action_space = ACTION_SPACE
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(ACTION_SPACE, num_envs)
        self.started = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
        """Starts anew: with a seed the episodes of that seed, else the next episode of every world."""
        if seed is None and self.started:
            self.batch.reset_rows(np.ones(self.num_envs, bool))
        else:
            super().reset(seed=seed, options=options)
            self.batch.reset(int(self.np_random.integers(2**63)) if seed is None else seed)
        self.started = True
        return copied(self.batch.observation), self._facts()

    def step(
        self, actions: npt.ArrayLike
    ) -> tuple[
        dict[str, npt.NDArray[Any]],
        npt.NDArray[np.float64],
        npt.NDArray[np.bool_],
        npt.NDArray[np.bool_],
        dict[str, Any],
    ]:
        """Holds `actions` [N] for the task's action repeat; see the class for what happens when an episode ends."""
        self.batch.step(actions)
        outcome = self.batch.outcome
        reward = outcome.reward.astype(np.float64)
        truncated = outcome.truncated.copy()
        infos = self._facts() | {"goals": outcome.statistics["goals"].copy()}
        if truncated.any():
            final_info = infos.copy()
            infos |= {"final_obs": self._final_observations(truncated), "_final_obs": truncated.copy()}
            infos |= {"final_info": final_info, "_final_info": truncated.copy()}
            self.batch.reset_rows(truncated)
            infos |= self._facts()
        return copied(self.batch.observation), reward, np.zeros(self.num_envs, bool), truncated, infos

    def render(self) -> tuple[npt.NDArray[np.uint8], ...]:
        """The pictures that the worlds' agents see, N times [size, size, 3] uint8."""
        return tuple(self.batch.observation["rgb"].copy())

    def close_extras(self, **kwargs: Any) -> None:
        self.batch.close()

    def _facts(self) -> dict[str, npt.NDArray[Any]]:
        facts = self.batch.privileged
        return {
            "position": facts["position"].copy(),
            "heading": facts["heading"].copy(),
            "cell": facts["cell"].copy(),
            "goal_cell": facts["goal_cell"].copy(),
        }

    def _final_observations(self, truncated: npt.NDArray[np.bool_]) -> npt.NDArray[np.object_]:
        """[N] objects: a dictionary of arrays where an episode ended, None elsewhere."""
        observation = copied(self.batch.observation)
        final = np.full(self.num_envs, None, object)
        for row in np.flatnonzero(truncated):
            final[row] = {name: array[row] for name, array in observation.items()}
        return final
