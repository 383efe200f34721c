"""One world as a person sees it: the first-person view at any size, beside the map from above, with score and time."""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from env.batch import BatchEnv
from env.navigation import STRAWBERRY_FLAG
from env.pictures import pictures_of
from maze_gen.errors import InputError
from maze_gen.maze import Maze
from maze_gen.raster import RGB, Pixels, resize, text, text_width
from maze_gen.topdown import SMALLEST_SCALE, TopDown

SMALLEST_VIEW, LARGEST_VIEW = 64, 2048
_USUAL_VIEW = 504
"""Pixels of the view at which the lengths below hold; they grow and shrink with it."""
_GAP, _HEAD, _MAP_WIDTH, _SMALLEST_CELL = 16, 44, 720, 8
_LARGE_TEXT, _SMALL_TEXT = 24, 18
_BACKGROUND: RGB = (24, 26, 32)
_INK: RGB = (236, 238, 243)
_QUIET: RGB = (150, 155, 168)
_TRAIL: RGB = (90, 140, 230)


@dataclass
class Progress:
    """An episode that is being played, as far as it has got.

    Attributes:
        who: the name of who plays.
        episode: its number, from 1.
        reward: sum of the rewards so far.
        goals: how often the goal was reached.
        trail: positions so far, x and y in units.
    """

    who: str
    episode: int = 1
    reward: float = 0.0
    goals: int = 0
    trail: list[tuple[float, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Camera:
    """How a scene is drawn.

    Attributes:
        view: height and width of the first-person view in pixels, at which it is drawn, whatever size the agent's own pictures
            have; everything else has the size that goes with it.
        trail: how many of the latest positions the map shows.
    """

    view: int = _USUAL_VIEW
    trail: int = 60

    def __post_init__(self) -> None:
        if not SMALLEST_VIEW <= self.view <= LARGEST_VIEW:
            raise InputError(f"view = {self.view}: expected {SMALLEST_VIEW} to {LARGEST_VIEW} pixels")

    def scene(self, env: BatchEnv, row: int, progress: Progress) -> Pixels:
        """The picture of one row of a batch of mazes, [height, width, 3] uint8, height and width even."""
        task, facts = env.task, env.privileged
        plan = self._map(env, row, task.mazes[int(facts["maze"][row])], progress).array()
        view, gap, head = self.view, self._length(_GAP), self._length(_HEAD)
        height, width = head + max(view, plan.shape[0]) + gap, view + plan.shape[1] + 3 * gap
        whole = _background(height + height % 2, width + width % 2).copy()
        whole[head : head + view, gap : gap + view] = _view(env, row, view)
        whole[head : head + plan.shape[0], view + 2 * gap : view + 2 * gap + plan.shape[1]] = plan
        size, middle = _LARGE_TEXT * view / _USUAL_VIEW, head / 2
        left = max(0.0, task.episode_seconds - float(facts["seconds"][row]))
        text(whole, (gap, middle), f"score {progress.reward:g}", size, _INK)
        text(whole, (gap + 0.3 * view, middle), f"goals {progress.goals}", size, _INK)
        text(whole, (gap + view, middle), f"{left:.1f} s left", size, _INK, "right")
        words = f"{progress.who} in {task.name}" + (f", episode {progress.episode}" if progress.episode > 1 else "")
        size = _SMALL_TEXT * view / _USUAL_VIEW
        size *= min(1.0, plan.shape[1] / max(1, text_width(words, size)))
        text(whole, (view + 2 * gap, middle), words, size, _QUIET)
        return whole

    def _map(self, env: BatchEnv, row: int, maze: Maze, progress: Progress) -> TopDown:
        facts = env.privileged
        largest = min(self.view // maze.rows, self._length(_MAP_WIDTH) // maze.cols)
        canvas = TopDown(maze, max(SMALLEST_SCALE, self._length(_SMALLEST_CELL), largest), things="none")
        fruit = [int(cell) for cell in facts["fruit_cells"][row] if cell >= 0]
        canvas.apples([divmod(cell, maze.cols) for cell in fruit if not cell & STRAWBERRY_FLAG])
        canvas.strawberries([divmod(cell - STRAWBERRY_FLAG, maze.cols) for cell in fruit if cell & STRAWBERRY_FLAG])
        canvas.goal(divmod(int(facts["goal_cell"][row]), maze.cols))
        if progress.trail and self.trail > 0:
            canvas.path(progress.trail[-self.trail :], colour=_TRAIL, width=0.08)
        x, y = facts["position"][row].tolist()
        return canvas.agent(x, y, float(facts["heading"][row]))

    def _length(self, usual: int) -> int:
        """Pixels of a length that is `usual` at the usual view."""
        return round(usual * self.view / _USUAL_VIEW)


def _view(env: BatchEnv, row: int, size: int) -> Pixels:
    """What a row sees; worlds that draw at one size only have their pictures enlarged."""
    try:
        return pictures_of(env, size)[row]
    except InputError:
        return resize(env.observation["rgb"][row], size, size, enlarge=True)


@lru_cache(maxsize=4)
def _background(height: int, width: int) -> Pixels:
    """An empty scene: to fill one takes longer than to copy it."""
    return np.full((height, width, 3), _BACKGROUND, dtype=np.uint8)
