"""The posterior over cells along one path: as a film, at moments after a respawn, and its entropy over the episode."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from experiments.analysis.decoders import DecoderResult
from experiments.analysis.items import AGENT, CHANCE, QUIET, Film, Item, Picture, Pixels, figure, pixels_of
from experiments.analysis.maps import TRUE_POSITION, posterior_plan
from experiments.analysis.measures import entropy
from experiments.analysis.trajectories import Trajectories

FILM_RATE = 7.5
FILM_STEPS = 900
"""Longer episodes show their first 900 steps, one minute."""
MOMENTS = (0.0, 0.5, 1.0, 2.0, 4.0, 6.0)
"""Seconds after a respawn whose posteriors are drawn side by side."""
TRAIL = 30
"""Steps of the past path that a map shows, two seconds."""
ENTROPY_LABEL = "entropy, bits"


def posterior_items(section: str, trajectories: Trajectories, result: DecoderResult) -> list[Item]:
    """The posterior along the path of one episode; nothing without kept pictures.

    Of the test episodes with kept pictures, the one with the highest return is shown.
    """
    kept = [episode for episode in result.episodes.tolist() if episode in trajectories.pictures]
    if not kept:
        return []
    path = PosteriorPath(trajectories, result, max(kept, key=lambda episode: trajectories.returns[episode]))
    return [_film(section, path), _after_respawn(section, path), _entropy_over_episode(section, path)]


def moment_steps(spawned: npt.NDArray[np.bool_], step_seconds: float) -> list[int]:
    """Steps at `MOMENTS` after the first respawn that is followed by all of them; after the one with the longest trip otherwise.

    Args:
        spawned: [T], True at the episode's start and at every respawn.
    """
    starts = np.flatnonzero(spawned)
    lengths = np.diff(np.append(starts, len(spawned)))
    wanted = [round(seconds / step_seconds) for seconds in MOMENTS]
    # The episode's own start is not a respawn, and comes last.
    order = [*range(1, len(starts)), 0]
    trip = next((trip for trip in order if lengths[trip] > wanted[-1]), int(lengths.argmax()))
    return [int(starts[trip]) + step for step in wanted if step < lengths[trip]]


class PosteriorPath:
    """One test episode, whose pictures were kept.

    Attributes:
        posterior: [T, cells].
        bits: [T] entropy of the posterior.
        spawned: [T] bool.
        views: [T, size, size, 3] uint8.
    """

    def __init__(self, trajectories: Trajectories, result: DecoderResult, episode: int) -> None:
        self.trajectories, self.result, self.episode = trajectories, result, episode
        self.maze = trajectories.task.mazes[trajectories.maze[episode]]
        self.posterior = result.probabilities[result.episodes.tolist().index(episode)]
        self.bits = entropy(self.posterior)
        self.spawned = trajectories.spawned[episode]
        self.views = trajectories.pictures[episode]

    @property
    def seconds(self) -> npt.NDArray[np.floating]:
        """[T] time since the episode's start."""
        return np.arange(self.trajectories.steps) * self.trajectories.step_seconds

    def map(self, step: int) -> Pixels:
        """The posterior, the true position, the path of the last two seconds, and the goal."""
        trajectories = self.trajectories
        plan = posterior_plan(self.maze, self.posterior[step], "small")
        plan.goal(divmod(int(trajectories.goal_cell[self.episode, step]), self.maze.cols))
        positions = trajectories.position[self.episode]
        first = max(0, step - TRAIL)
        respawns = np.flatnonzero(self.spawned[first : step + 1])
        first += int(respawns[-1]) if len(respawns) else 0
        plan.path(positions[first : step + 1], colour=(208, 128, 42), width=0.06)
        x, y = positions[step].tolist()
        plan.agent(x, y, float(trajectories.heading[self.episode, step]), colour=TRUE_POSITION)
        return plan.array()


def _film(section: str, path: PosteriorPath) -> Film:
    # Every second step: half of the agent's 15 steps per second.
    steps = np.arange(0, min(path.trajectories.steps, FILM_STEPS), 2)
    return Film(
        section,
        "posterior along a path",
        "Left the view; right, in blue, the posterior over cells (the darker, the more probable), the true position (red arrow), "
        "the path of the last two seconds (orange) and the goal. Below, the entropy of the posterior over the episode: it rises "
        "at every respawn (grey lines), then falls.",
        _Frames(path, steps),
        FILM_RATE,
        steps,
        key=True,
    )


class _Frames(Sequence[Pixels]):
    """The film's frames, each drawn when it is indexed: together they would take hundreds of megabytes.

    What doesn't change (titles and the curve of the entropy) is drawn once, by Matplotlib.
    """

    def __init__(self, path: PosteriorPath, steps: npt.NDArray[np.int64]) -> None:
        self.path, self.steps = path, steps
        plan = path.map(0)
        self.zoom = max(1, round(max(plan.shape[0], 168) / path.views.shape[1]))
        view = self.zoom * path.views.shape[1]
        # Height and width are even, as video codecs want them.
        top, gap, curve, height = 28, 12, 130, max(view, plan.shape[0])
        size = np.array([top + height + curve, view + plan.shape[1] + 3 * gap])
        height_all, width_all = (size + size % 2).tolist()
        self.view_at = (top + (height - view) // 2, gap)
        self.map_at = (top + (height - plan.shape[0]) // 2, view + 2 * gap)
        with figure(width_all / 100, height_all / 100) as (made, axes):
            made.set_layout_engine("none")
            axes.set_position((0.07, 46 / height_all, 0.91, (curve - 58) / height_all))
            made.text(gap / width_all, 1 - 20 / height_all, "view", fontsize=10)
            made.text(self.map_at[1] / width_all, 1 - 20 / height_all, "posterior over cells", fontsize=10)
            _entropy_curve(axes, path, AGENT, {"linewidth": 1.0})
            axes.tick_params(labelsize=8)
            axes.set_xlabel("seconds of the episode", fontsize=8)
            axes.set_ylabel(ENTROPY_LABEL, fontsize=8)
            self.background = pixels_of(made)
            transform = axes.transData.transform
            self.columns = np.array([transform((second, 0))[0] for second in path.seconds]).astype(int)
            self.rows = height_all - int(transform((0, axes.get_ylim()[1]))[1]), height_all - int(transform((0, 0))[1])

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, index: int) -> Pixels:  # type: ignore[override]  (no slices)
        step = int(self.steps[index])
        frame = self.background.copy()
        view = self.path.views[step].repeat(self.zoom, 0).repeat(self.zoom, 1)
        for (top, left), picture in ((self.view_at, view), (self.map_at, self.path.map(step))):
            frame[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        column = self.columns[step]
        frame[self.rows[0] : self.rows[1], column - 1 : column + 1] = TRUE_POSITION
        return frame


def _entropy_curve(axes, path: PosteriorPath, colour: str, style: dict) -> None:
    """Entropy over the episode, with vertical lines at respawns."""
    for number, step in enumerate(np.flatnonzero(path.spawned)[1:].tolist()):
        label = None if number else "respawn, after a goal"
        axes.axvline(path.seconds[step], color=QUIET, linewidth=1.4, label=label)
    axes.plot(path.seconds, path.bits, color=colour, label=path.result.name, **style)
    axes.set_xlim(0, path.seconds[-1])
    axes.set_ylim(0, max(1.0, float(path.bits.max()) * 1.05))


def _after_respawn(section: str, path: PosteriorPath) -> Picture:
    steps = moment_steps(path.spawned, path.trajectories.step_seconds)
    shape = path.maze.rows / path.maze.cols
    with figure(14.4, 2 * (4.8 * shape / (1 + shape) + 0.4), 2, 6, width_ratios=[shape, 1] * 3) as (made, axes):
        for panel in axes.ravel():
            panel.axis("off")
        for (left, right), step in zip(axes.reshape(-1, 2), steps, strict=False):
            left.imshow(path.views[step], interpolation="nearest")
            right.imshow(path.map(step))
            after = (step - steps[0]) * path.trajectories.step_seconds
            left.set_title(f"after {after:.1f} s", fontsize=12)
            right.set_title(f"entropy {path.bits[step]:.1f} bits", fontsize=12)
        return Picture(
            section,
            "posterior after a respawn",
            "The view and, in blue, the posterior over cells, at moments after a respawn (red arrow: the true position; orange: "
            "the path). An entropy of one bit means that two cells are equally likely.",
            pixels_of(made),
            key=True,
        )


def _entropy_over_episode(section: str, path: PosteriorPath) -> Picture:
    with figure(13, 3.4) as (made, axes):
        prior = entropy(path.result.frequencies)
        _entropy_curve(axes, path, AGENT, {"linewidth": 1.4})
        axes.axhline(prior, color=CHANCE, linestyle=":", label="chance: frequencies of the cells")
        axes.set_ylim(0, max(axes.get_ylim()[1], 1.05 * float(prior)))
        axes.set_xlabel("seconds of the episode")
        axes.set_ylabel(ENTROPY_LABEL)
        axes.set_title("Entropy of the posterior over an episode")
        made.legend(loc="outside lower center", ncols=3, fontsize=10)
        return Picture(
            section,
            "entropy of the posterior over an episode",
            "In the episode of the film: the entropy rises at every respawn (grey lines) and falls as the agent looks around.",
            pixels_of(made),
            key=True,
        )
