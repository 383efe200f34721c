"""Learning curves of trainings, read from `progress.jsonl`: when a score was reached, and mean and range over seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from experiments.run_log import EPISODES
from maze_gen.config_io import parse_json, read_as

Array = npt.NDArray[np.float64]

POINTS = 200
"""Evenly spaced points at which curves are interpolated, beside their own."""


@dataclass(frozen=True)
class Curve:
    """Mean return of the last 100 training episodes, in the course of a training.

    Attributes:
        frames, seconds, returns: [K], in order.
        episodes: [K] how many episodes had ended in the session; below 100 the mean is over that many.
    """

    frames: Array
    seconds: Array
    returns: Array
    episodes: Array


@dataclass(frozen=True)
class Reached:
    """When each of several trainings first reached a score.

    Attributes:
        level: the score.
        runs: number of trainings.
        frames, minutes: [R] of each training that reached it.
    """

    level: float
    runs: int
    frames: list[float]
    minutes: list[float]


def read_curve(folder: Path) -> Curve:
    """The curve of a run's folder; empty where no episode ended. Lines that a killed session left half written are left out."""
    path = folder / "progress.jsonl"
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    rows = [row for row in map(_row, lines) if row is not None]
    return Curve(*np.array(rows, dtype=np.float64).reshape(len(rows), len(_COLUMNS)).T)


_COLUMNS = ("frames", "seconds", "episode/return", "episodes")


def _row(line: str) -> list[float] | None:
    try:
        entry = parse_json(line, "an entry")
        return [read_as(float, entry[name], name) for name in _COLUMNS]
    except (ValueError, KeyError, TypeError):
        return None


def reached(curves: Sequence[Curve], level: float) -> Reached:
    """When each training's mean over 100 episodes was first at least `level`."""
    frames, minutes = [], []
    for curve in curves:
        above = np.flatnonzero((curve.returns >= level) & (curve.episodes >= EPISODES))
        if len(above):
            frames.append(float(curve.frames[above[0]]))
            minutes.append(float(curve.seconds[above[0]]) / 60)
    return Reached(level, len(curves), frames, minutes)


def together(xs: Sequence[Array], ys: Sequence[Array]) -> tuple[Array, Array, Array, Array] | None:
    """Mean and range of several curves where all of them are defined.

    Args:
        xs: [K_s] ascending, of each curve s.
        ys: [K_s].

    Returns:
        (x [P], mean [P], lowest [P], highest [P]), or None where no x lies within all curves.
    """
    if not xs or any(len(x) == 0 for x in xs):
        return None
    first, last = max(x[0] for x in xs), min(x[-1] for x in xs)
    if first > last:
        return None
    # The curves' own points are kept, so that a single curve is drawn as it is.
    points = np.unique(np.concatenate([*xs, np.linspace(first, last, POINTS)]))
    points = points[(points >= first) & (points <= last)]
    values = np.stack([np.interp(points, x, y) for x, y in zip(xs, ys, strict=True)])
    return points, values.mean(axis=0), values.min(axis=0), values.max(axis=0)
