"""A batch of worlds as a Gymnasium `VectorEnv`, for other people's trainers."""

from typing import Any, Unpack

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from env.batch import as_array
from env.episode_choice import EpisodeChoice, Seeds, checked_mazes
from env.face import NAVIGATION_FACE, Clonable, FaceKind, FaceSettings, Observation, refuse_unknown
from env.facts import Facts, with_masks
from env.navigation import FRAMES_PER_SECOND
from env.pictures import Painter
from env.task import Task
from maze_gen.errors import InputError

Mask = npt.NDArray[np.bool_]


class KnossosVectorEnv(Clonable, gymnasium.vector.VectorEnv):
    """N worlds stepped together. Observations and infos are those of `env.single.KnossosEnv`, with a batch axis.

    What follows the end of an episode is `autoreset_mode`:

    - `NEXT_STEP` (Gymnasium's default): the next `step` ignores that world's action, starts its next episode and returns the
      first observation, with reward 0.
    - `SAME_STEP`: the same `step` starts the next episode. The ended one's last observation is in `infos["final_obs"]` and its
      infos in `infos["final_info"]`, where `infos["_final_obs"]` is True.
    - `DISABLED`: nothing; `reset(options={"reset_mask": ...})` starts the next episode.

    Nothing terminates: bootstrap from the value of an episode's last observation.
    """

    kind: FaceKind = NAVIGATION_FACE
    metadata = {  # noqa: RUF012 - Gymnasium's own form
        "render_modes": ["rgb_array"],
        "render_fps": FRAMES_PER_SECOND // 4,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        task: str | Task | None = None,
        num_envs: int = 1,
        *,
        threads: int = 1,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
        **settings: Unpack[FaceSettings],
    ):
        """Makes the worlds.

        Args:
            task: a name of the registry, e.g. `static-small`, or a task; may be left out where a maze file is given.
            num_envs: N.
            threads: of the embedded engine.
            autoreset_mode: of `gymnasium.vector.AutoresetMode`, or its value, e.g. `SameStep`.
            max_episode_steps: episodes are truncated after so many steps, and when the task's time is up; None or -1 for no
                limit but the task's.
            render_mode: `rgb_array` or None.
            settings: see `env.face.FaceSettings`.

        Raises:
            InputError: an unknown task, setting or value.
        """
        try:
            self.autoreset_mode = AutoresetMode(autoreset_mode)
        except ValueError:
            modes = ", ".join(repr(mode.value) for mode in AutoresetMode)
            raise InputError(f"autoreset_mode {autoreset_mode!r}: expected one of {modes}") from None
        limit = -1 if max_episode_steps is None else max_episode_steps
        if isinstance(limit, bool) or not isinstance(limit, int) or (limit < 1 and limit != -1):
            raise InputError(f"max_episode_steps {max_episode_steps!r}: expected a whole number from 1, or None or -1 for none")
        render_size = settings.pop("render_size", None)
        self.batch, self._form = self.kind.open(task, num_envs, threads, **settings)
        self.task = self.batch.task
        self.num_envs = num_envs
        self.metadata = {**type(self).metadata, "autoreset_mode": self.autoreset_mode}
        self._painter = Painter(self.batch, render_mode, render_size, self.kind.picture)
        self.render_mode = render_mode
        self.single_observation_space, self.single_action_space = self._form.observations, self._form.actions
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._choice = EpisodeChoice(self.batch)
        self._facts = Facts(self.batch, self.kind.facts)
        self._limit = limit
        self._steps = np.zeros(num_envs, np.int64)
        self._ended = np.zeros(num_envs, np.bool_)

    def reset(  # type: ignore[override] - Gymnasium's own vector environments take lists of seeds too
        self, *, seed: Seeds = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Starts episodes: with a seed the first ones of that seed, else the next one of every world.

        Args:
            seed: one for all worlds, or a list of N: world i then plays the episodes that a single world with that seed plays
                (None for its next episode).
            options: `reset_mask` [N] bool, the worlds that are reset, the others stay as they are; `maze`, an index into the
                task's mazes, or [N] of them (-1 for any): the next episode that is played in that maze.

        Raises:
            InputError: an unknown option, or a seed, mask or maze that can't be.
        """
        options = options or {}
        refuse_unknown(options, ("reset_mask", *self.kind.options), "option of reset")
        rows = np.ones(self.num_envs, np.bool_)
        if options.get("reset_mask") is not None:
            rows = as_array("reset_mask", options["reset_mask"])
            if rows.shape != (self.num_envs,) or rows.dtype != np.bool_ or not rows.any():
                raise InputError(
                    f"options['reset_mask'] = {options['reset_mask']!r}: expected {self.num_envs} booleans, at least one True"
                )
        mazes = None if options.get("maze") is None else checked_mazes(options["maze"], self.batch)
        self._choice.start(rows, seed, mazes, lambda: int(self.np_random.integers(2**63)))
        if isinstance(seed, int | np.integer):
            super().reset(seed=int(seed))
        self._steps[rows] = 0
        self._ended[rows] = False
        return self._form.of(self.batch.observation), self._facts.of_all()

    def step(self, actions: npt.ArrayLike) -> tuple[Observation, npt.NDArray[np.float64], Mask, Mask, dict[str, Any]]:
        """Holds `actions` [N] for the task's action repeat; see the class for what happens when an episode ends.

        Raises:
            InputError: wrong actions; a step before `reset` or after `close`; with `DISABLED`, past an episode's end.
        """
        begins = self._ended.copy()
        if begins.any() and self.autoreset_mode is AutoresetMode.DISABLED:
            row = int(np.argmax(begins))
            raise InputError(f"world {row}: its episode has ended; reset(options={{'reset_mask': ...}}) starts its next one")
        if begins.any():
            self._step_or_begin(as_array("actions", actions), begins)
        else:
            self.batch.step(actions)
        outcome = self.batch.outcome
        going = ~begins
        self._steps[going] += 1
        terminated = outcome.terminated & going
        truncated = (outcome.truncated | (self._steps == self._limit)) & going & ~terminated
        reward = np.where(going, outcome.reward, 0).astype(np.float64)
        counted = {name: np.where(going, counts, 0) for name, counts in outcome.statistics.items()}
        infos = self._facts.of_all() | with_masks(counted, np.ones(self.num_envs, np.bool_))
        self._ended = terminated | truncated
        if self._ended.any() and self.autoreset_mode is AutoresetMode.SAME_STEP:
            infos = self._begin_at_once(infos)
        return self._form.of(self.batch.observation), reward, terminated, truncated, infos

    def render(self) -> tuple[npt.NDArray[np.uint8], ...] | None:  # type: ignore[override]
        """What the worlds' agents see, N times [size, size, 3] uint8; None without a render mode."""
        pictures = self._painter.pictures()
        return None if pictures is None else tuple(pictures)

    def close_extras(self, **kwargs: Any) -> None:
        self.batch.close()

    def _step_or_begin(self, actions: npt.NDArray[Any], begins: Mask) -> None:
        """Steps the worlds that play, and starts the next episodes of the others."""
        if not begins.all():
            # Rows that a limit of steps ended are still able to play, so their actions have to be good ones.
            unused = begins.reshape(-1, *[1] * (actions.ndim - 1))
            self.batch.step(np.where(unused, 0, actions) if actions.shape[:1] == begins.shape else actions, hold_ended=True)
        self._choice.go_on(begins)
        self._steps[begins] = 0

    def _begin_at_once(self, infos: dict[str, Any]) -> dict[str, Any]:
        """Starts the next episodes of the worlds that have just ended; what they saw last goes into the infos."""
        ended = self._ended
        observation = self._form.of(self.batch.observation)
        final = np.full(self.num_envs, None, object)
        for row in np.flatnonzero(ended):
            final[row] = {name: array[row] for name, array in observation.items()}
        final_info = with_masks({name: value for name, value in infos.items() if not name.startswith("_")}, ended)
        self._choice.go_on(ended)
        self._steps[ended] = 0
        self._ended = np.zeros(self.num_envs, np.bool_)
        return infos | self._facts.of_all() | with_masks({"final_obs": final, "final_info": final_info}, ended)
