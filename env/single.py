"""One world as a Gymnasium `Env`."""

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from env.backends import make_batch
from env.navigation import FRAMES_PER_SECOND, NUM_ACTIONS
from env.registry import make_task
from env.spaces import ACTION_SPACE, copied, observation_space, observed
from env.task import Task
from maze_gen.errors import InputError


class KnossosEnv(gymnasium.Env[dict[str, npt.NDArray[Any]], np.int64]):
    """One world: a batch of one, without a batch axis.

    Observations are a dictionary: `rgb` [size, size, 3] uint8, `velocity` [6] float32 (forward, left, up in units/s; pitch, yaw,
    roll in degrees/s) and, with `depth=True`, `depth` [size, size] uint8 (DeepMind Lab's byte). Infos hold privileged facts:
    `position` (x, y in units), `heading` (degrees), `cell` and `goal_cell` (row x cols + col), `goals` (rewarded in this step).
    An episode is truncated when its time is up and never terminates.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": FRAMES_PER_SECOND // 4}  # noqa: RUF012 - Gymnasium's own form

    def __init__(
        self,
        task: str | Task,
        *,
        depth: bool = False,
        observation_size: int = 84,
        backend: str = "embedded",
        render_mode: str | None = None,
    ):
        """Makes the world; the arguments are those of `KnossosVectorEnv`."""
        if render_mode not in (None, "rgb_array"):
            raise InputError(f"render_mode {render_mode!r}: expected None or 'rgb_array'; `experiments.play` opens a window")
        self.task = make_task(task, observation_size=observation_size) if isinstance(task, str) else task
        self.batch = make_batch(self.task, 1, backend=backend, observe=observed(depth))
        self.render_mode = render_mode
        self.depth = depth
        self.observation_space = observation_space(self.task.observation_size, depth)  # type: ignore[assignment]
        self.action_space = ACTION_SPACE
        self.started = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
        """Starts an episode: with a seed the first one of that seed, else the next one."""
        super().reset(seed=seed)
        if seed is None and self.started:
            self.batch.reset_rows(np.ones(1, bool))
        else:
            self.batch.reset(int(self.np_random.integers(2**63)) if seed is None else seed)
        self.started = True
        return self._observation(), self._facts()

    def step(self, action: np.int64 | int) -> tuple[dict[str, npt.NDArray[Any]], float, bool, bool, dict[str, Any]]:
        """Holds the action for the task's action repeat.

        Raises:
            InputError: an action that isn't one of the eight; a step before `reset`, after `close` or past the episode's end.
        """
        # Python counts True as 1.
        if isinstance(action, bool) or not self.action_space.contains(action):
            raise InputError(f"action {action!r}: expected an integer from 0 to {NUM_ACTIONS - 1}")
        self.batch.step(np.array([action]))
        outcome = self.batch.outcome
        facts = self._facts() | {"goals": int(outcome.statistics["goals"][0])}
        return self._observation(), float(outcome.reward[0]), False, bool(outcome.truncated[0]), facts

    def render(self) -> npt.NDArray[np.uint8] | None:  # type: ignore[override]
        """The picture that the agent sees, [size, size, 3] uint8; None without a render mode."""
        return None if self.render_mode is None else self.batch.observation["rgb"][0].copy()

    def close(self) -> None:
        """Frees the world; called twice it does nothing."""
        self.batch.close()

    def _observation(self) -> dict[str, npt.NDArray[Any]]:
        return {name: array[0] for name, array in copied(self.batch.observation).items()}

    def _facts(self) -> dict[str, Any]:
        facts = self.batch.privileged
        return {
            "position": facts["position"][0].copy(),
            "heading": float(facts["heading"][0]),
            "cell": int(facts["cell"][0]),
            "goal_cell": int(facts["goal_cell"][0]),
        }
