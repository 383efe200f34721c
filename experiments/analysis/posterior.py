"""The posterior over the maze along a path: frame by frame, at moments after a respawn, and its entropy over the episode."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from experiments.analysis.decoders import Reading, entropy
from experiments.analysis.items import AGENT, CHANCE, INK, QUIET, Exhibit, Film, Picture, Pixels, figure, pixels_of
from experiments.analysis.trajectories import Recording
from maze_gen.icons import text_font
from maze_gen.topdown import TopDown

FILM_RATE = 7.5
MOMENTS = (0.0, 0.5, 1.0, 2.0, 4.0, 6.0)
"""Seconds after a respawn whose posteriors are drawn side by side."""


def posterior_exhibits(section: str, recording: Recording, reading: Reading) -> list[Exhibit]:
    """What is believed along one path; nothing without kept pictures.

    Of the kept episodes that weren't fitted on, the one with the highest return is shown.
    """
    kept = [episode for episode in reading.episodes.tolist() if episode in recording.pictures]
    if not kept:
        return []
    path = _Path(recording, reading, max(kept, key=lambda number: recording.returns[number]))
    return [path.film(section), path.sharpening(section), path.doubt(section)]


def moment_steps(spawned: npt.NDArray[np.bool_], step_seconds: float) -> list[int]:
    """Steps at `MOMENTS` after the first respawn that leaves time for them; after the longest stay where none does.

    Args:
        spawned: [T], True at the episode's start and at every respawn.
    """
    starts = np.flatnonzero(spawned)
    lengths = np.diff(np.append(starts, len(spawned)))
    wanted = [round(seconds / step_seconds) for seconds in MOMENTS]
    # The episode's own start is not a respawn, and comes last.
    order = [*range(1, len(starts)), 0]
    stay = next((stay for stay in order if lengths[stay] > wanted[-1]), int(lengths.argmax()))
    return [int(starts[stay]) + step for step in wanted if step < lengths[stay]]


class _Path:
    """One episode of a reading.

    Args:
        episode: one whose pictures were kept and that was read.
    """

    def __init__(self, recording: Recording, reading: Reading, episode: int) -> None:
        self.recording, self.reading, self.episode = recording, reading, episode
        self.maze = recording.task.mazes[recording.maze[episode]]
        self.belief = reading.probabilities[reading.episodes.tolist().index(episode)]
        self.bits = entropy(self.belief)
        self.spawned = recording.spawned[episode]

    def map(self, step: int, smoothing: int = 1) -> Pixels:
        """The posterior, the true place, the last two seconds of the way and the goal."""
        recording, maze = self.recording, self.maze
        canvas = TopDown(maze, 40 if maze.cols <= 12 else 28, things="none", smoothing=smoothing)
        # The root lets a doubt of a few percent be seen.
        canvas.heat(np.sqrt(self.belief[step]), "Blues", low=0, high=1, opacity=1.0)
        canvas.goal(divmod(int(recording.goal_cell[self.episode, step]), maze.cols))
        places = recording.position[self.episode]
        last = max(0, step - 30)
        last += int(np.flatnonzero(self.spawned[last : step + 1])[-1]) if self.spawned[last : step + 1].any() else 0
        canvas.path(places[last : step + 1], colour=(208, 128, 42), width=0.06)
        x, y = places[step].tolist()
        canvas.agent(x, y, float(recording.heading[self.episode, step]), colour=(208, 60, 42))
        return canvas.array()

    def film(self, section: str) -> Film:
        # A film of 60 seconds at half the agent's 15 steps a second; longer episodes show their first minute.
        steps = np.arange(0, min(self.recording.steps, 900), 2)
        return Film(
            section,
            "posterior along a path",
            "Left what the agent sees; right, in blue, where it believes it is (darker: surer), its true place (red arrow), the "
            "last two seconds of its way (orange) and the goal. Below, its doubt over the episode: it jumps at every respawn "
            "(grey lines), then falls.",
            _Frames(self, steps),
            FILM_RATE,
            steps,
            key=True,
        )

    def sharpening(self, section: str) -> Picture:
        """Views and posteriors side by side at moments after a respawn."""
        steps = moment_steps(self.spawned, self.recording.step_seconds)
        views = self.recording.pictures[self.episode]
        shape = self.maze.rows / self.maze.cols
        with figure(14.4, 2 * (4.8 * shape / (1 + shape) + 0.4), 2, 6, width_ratios=[shape, 1] * 3) as (made, axes):
            for place in axes.ravel():
                place.axis("off")
            panels = axes.reshape(-1, 2)
            for (eye, floor), step in zip(panels, steps, strict=False):
                eye.imshow(views[step], interpolation="nearest")
                floor.imshow(self.map(step, smoothing=2))
                after = (step - steps[0]) * self.recording.step_seconds
                eye.set_title(f"after {after:.1f} s", fontsize=12)
                floor.set_title(f"{self.bits[step]:.1f} bits of doubt", fontsize=12)
            return Picture(
                section,
                "posterior after a respawn",
                "What it sees and, in blue, where it believes it is, at moments after it was put down somewhere else (red arrow: "
                "where it truly is; orange: its way). One bit of doubt is hesitation between two cells.",
                pixels_of(made),
                key=True,
            )

    def doubt(self, section: str) -> Picture:
        """Entropy over the whole episode, respawns marked."""
        seconds = np.arange(self.recording.steps) * self.recording.step_seconds
        with figure(13, 3.4) as (made, axes):
            for number, at in enumerate(np.flatnonzero(self.spawned)[1:].tolist()):
                label = None if number else "respawn, after a goal"
                axes.axvline(seconds[at], color=QUIET, linewidth=1.4, label=label)
            axes.axhline(
                entropy(self.reading.shares), color=CHANCE, linestyle=":", label="chance: knows only where it usually is"
            )
            axes.plot(seconds, self.bits, color=AGENT, linewidth=1.4, label=self.reading.name)
            axes.set_xlim(0, seconds[-1])
            axes.set_ylim(0)
            axes.set_xlabel("seconds of the episode")
            axes.set_ylabel("entropy of the posterior, bits")
            axes.set_title("Doubt over an episode")
            made.legend(loc="outside lower center", ncols=3, fontsize=10)
            return Picture(
                section,
                "doubt over an episode",
                "Entropy of what it believes about its place, in the episode of the film: it jumps at every respawn (grey lines) "
                "and falls as the agent looks around.",
                pixels_of(made),
                key=True,
            )


class _Frames(Sequence[Pixels]):
    """The film's frames, each drawn when it is asked for: together they would take hundreds of megabytes."""

    def __init__(self, path: _Path, steps: npt.NDArray[np.int64]) -> None:
        self.path, self.steps = path, steps

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, index: int) -> Pixels:  # type: ignore[override]  (no slices)
        step, path = int(self.steps[index]), self.path
        view = path.recording.pictures[path.episode][step]
        return _beside(view, path.map(step), path.bits, path.spawned, step, path.recording.step_seconds)


def _beside(
    view: Pixels, place: Pixels, bits: npt.NDArray, spawned: npt.NDArray[np.bool_], step: int, step_seconds: float
) -> Pixels:
    """View and map side by side above the curve of doubt."""
    height = max(place.shape[0], 168)
    eye = Image.fromarray(view).resize((height, height), Image.Resampling.NEAREST)
    gap, strip, head = 12, 84, 26
    width = height + place.shape[1] + 3 * gap
    whole = Image.new("RGB", (width + width % 2, head + height + strip + 2 * gap + (head + height + strip) % 2), "white")
    whole.paste(eye, (gap, head))
    whole.paste(Image.fromarray(place), (height + 2 * gap, head + (height - place.shape[0]) // 2))
    draw = ImageDraw.Draw(whole)
    draw.text((gap, 5), "what it sees", fill=INK, font=text_font(13))
    draw.text((height + 2 * gap, 5), f"where it believes it is: {bits[step]:.1f} bits of doubt", fill=INK, font=text_font(13))
    top, bottom = head + height + gap + 12, whole.height - 8
    left, right = gap, width - gap

    def across(index: float) -> float:
        return left + (right - left) * index / max(1, len(bits) - 1)

    for index in np.flatnonzero(spawned).tolist():
        draw.line((across(index), top, across(index), bottom), fill="#c3c7d1", width=2)
    most = max(1.0, float(bits.max()))
    line = [(across(index), bottom - (bottom - top) * float(bits[index]) / most) for index in range(len(bits))]
    draw.line(line, fill="#c9d7f3", width=1)
    draw.line(line[: step + 1], fill=AGENT, width=2)
    draw.text((left, top - 16), f"doubt, 0 to {most:.1f} bits; {step * step_seconds:.1f} s", fill=QUIET, font=text_font(12))
    return np.asarray(whole)
