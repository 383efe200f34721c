"""One world as a Gymnasium `Env`."""

from typing import Any, Unpack

import gymnasium
import numpy as np
import numpy.typing as npt

from env.episode_choice import EpisodeChoice, checked_mazes, checked_seed
from env.face import NAVIGATION_FACE, Clonable, FaceKind, FaceSettings, Observation, refuse_unknown
from env.facts import Facts
from env.navigation import FRAMES_PER_SECOND
from env.pictures import Painter
from env.task import Task
from maze_gen.errors import InputError

ONE_ROW = np.ones(1, np.bool_)


class KnossosEnv(Clonable, gymnasium.Env[Observation, np.int64]):
    """One world: a batch of one, without a batch axis.

    Observations are a dictionary: `rgb` [size, size, 3] uint8, `velocity` [6] float32 (forward, left, up in units/s; pitch, yaw,
    roll in degrees/s) and, with `depth=True`, `depth` [size, size, 1] uint8 (DeepMind Lab's byte). With `normalize=True` velocity
    is divided by (320, 320, 320, 126.7, 126.7, 126.7) and depth by 255, as float32.

    Infos hold facts that no agent may see: `position` (x, y in units), `heading` (degrees), `cell` and `goal_cell` (row x cols +
    col), `goals` (rewarded in this step), `maze` (its index), and `maze_text` where there is more than one maze.

    An episode is truncated when its time is up and never terminates. `copy.deepcopy` makes a world that goes on from the same
    state by itself, and a pickled world goes on where it was.
    """

    kind: FaceKind = NAVIGATION_FACE
    metadata = {"render_modes": ["rgb_array"], "render_fps": FRAMES_PER_SECOND // 4}  # noqa: RUF012 - Gymnasium's own form

    def __init__(
        self,
        task: str | Task | None = None,
        *,
        render_mode: str | None = None,
        **settings: Unpack[FaceSettings],
    ):
        """Makes the world.

        Args:
            task: a name of the registry, e.g. `static-small`, or a task; may be left out where a maze file is given.
            render_mode: `rgb_array`, or None.
            settings: see `env.face.FaceSettings`.

        Raises:
            InputError: an unknown task, setting or value.
        """
        render_size = settings.pop("render_size", None)
        self.batch, self._form = self.kind.open(task, 1, 1, **settings)
        self.task = self.batch.task
        self._painter = Painter(self.batch, render_mode, render_size, self.kind.picture)
        self.render_mode = render_mode
        self.observation_space = self._form.observations  # type: ignore[assignment]
        self.action_space = self._form.actions  # type: ignore[assignment]
        self._choice = EpisodeChoice(self.batch)
        self._facts = Facts(self.batch, self.kind.facts)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, dict[str, Any]]:
        """Starts an episode: with a seed the first one of that seed, else the next one.

        Args:
            options: `maze`, an index into the task's mazes: the next of its episodes that is played in that maze.

        Raises:
            InputError: an unknown option, or a seed or maze that can't be.
        """
        options = options or {}
        refuse_unknown(options, self.kind.options, "option of reset")
        super().reset(seed=None if seed is None else checked_seed(seed))
        mazes = None if options.get("maze") is None else checked_mazes(options["maze"], self.batch)
        self._choice.start(ONE_ROW, seed, mazes, lambda: int(self.np_random.integers(2**63)))
        return self._observation(), self._facts.of_row(0)

    def step(self, action: np.int64 | int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Holds the action for the task's action repeat.

        Raises:
            InputError: an action that isn't one of the task's; a step before `reset`, after `close` or past the episode's end.
        """
        # Python counts True as 1.
        if isinstance(action, bool) or not self.action_space.contains(action):
            sizes = self.batch.spec.action.sizes
            expected = f"an integer from 0 to {sizes[0] - 1}" if len(sizes) == 1 else f"{len(sizes)} integers, each below {sizes}"
            raise InputError(f"action {action!r}: expected {expected}")
        self.batch.step(np.array([action]))
        outcome = self.batch.outcome
        facts = self._facts.of_row(0) | {name: int(counted[0]) for name, counted in outcome.statistics.items()}
        return self._observation(), float(outcome.reward[0]), bool(outcome.terminated[0]), bool(outcome.truncated[0]), facts

    def render(self) -> npt.NDArray[np.uint8] | None:  # type: ignore[override]
        """What the agent sees, [size, size, 3] uint8; None without a render mode."""
        pictures = self._painter.pictures()
        return None if pictures is None else pictures[0]

    def close(self) -> None:
        """Frees the world; called twice it does nothing."""
        self.batch.close()

    def _observation(self) -> Observation:
        return {name: array[0] for name, array in self._form.of(self.batch.observation).items()}
