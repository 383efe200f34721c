"""Trips: the ways from each spawn to the goal, how long they took, and how straight they were."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from experiments.analysis.intervals import Measured, ratio
from experiments.analysis.statistics import Estimate, estimate_mean, path_length_ratios
from experiments.analysis.trajectories import Trajectories
from maze_gen.maze import CELL_UNITS
from maze_gen.paths import all_distances

CAP_SECONDS = 20.0
"""Trips that take longer, or that never end, count as this long."""
TRIP_NUMBERS = 5
"""Trips of an episode that are compared with its first."""

FEWEST = 5
"""Means over fewer episodes are not shown."""

Seconds = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Trips:
    """Every way from a spawn to the goal, or to the episode's end.

    Attributes:
        episode: [K] int64.
        start, end: [K] int64, first and last step.
        number: [K] int64, 1 for the first trip of an episode.
        reached: [K] bool, whether the goal was reached.
        shortest: [K] float64, cells of path from the spawn to the goal.
        taken: [K] float64, length of the way that was taken, in cells.
    """

    episode: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    number: npt.NDArray[np.int64]
    reached: npt.NDArray[np.bool_]
    shortest: npt.NDArray[np.float64]
    taken: npt.NDArray[np.float64]

    @property
    def first(self) -> npt.NDArray[np.bool_]:
        """[K] whether this is the first trip of its episode."""
        return self.number == 1


def trips_of(trajectories: Trajectories) -> Trips:
    """All trips, in the order of episodes and time."""
    spawned = trajectories.spawned
    episode, start = np.nonzero(spawned)
    last_of_episode = np.append(episode[1:] != episode[:-1], True)
    end = np.where(last_of_episode, trajectories.steps, np.append(start[1:], 0)) - 1
    distance = {int(maze): all_distances(trajectories.task.mazes[maze]) for maze in np.unique(trajectories.maze)}
    steps = np.linalg.norm(np.diff(trajectories.position, axis=1), axis=2) / CELL_UNITS
    before = np.zeros((trajectories.episodes, 1))
    walked = np.concatenate([before, np.cumsum(np.where(spawned[:, 1:], 0.0, steps), axis=1)], axis=1)
    goals_before = np.concatenate([before, np.cumsum(trajectories.goals, axis=1)], axis=1)
    goal, cell = trajectories.goal_cell[episode, start], trajectories.cell[episode, start]
    mazes = trajectories.maze[episode].tolist()
    return Trips(
        episode=episode,
        start=start,
        end=end,
        number=np.cumsum(spawned, axis=1, dtype=np.int64)[episode, start],
        reached=goals_before[episode, end + 1] > goals_before[episode, start],
        shortest=np.array([distance[m][g, c] for m, g, c in zip(mazes, goal, cell, strict=True)], dtype=np.float64),
        taken=walked[episode, end] - walked[episode, start],
    )


def path_efficiency(trips: Trips) -> Measured | None:
    """Mean of shortest / taken over the later trips of episodes that reached the goal; None without any."""
    return _over_trips(trips, trips.reached & ~trips.first)


def first_trip_spl(trips: Trips) -> Measured | None:
    """SPL of the first trip of every episode, as embodied navigation defines it: one start, one goal, success or not."""
    return _over_trips(trips, trips.first)


def _over_trips(trips: Trips, chosen: npt.NDArray[np.bool_]) -> Measured | None:
    """SPL of some trips with its interval over episodes, each of which has at least one trip; None where none is chosen."""
    if not chosen.any():
        return None
    ratios = path_length_ratios(trips.reached, trips.shortest, trips.taken)
    episodes = int(trips.episode.max()) + 1
    sums, count = (np.bincount(trips.episode[chosen], weights, episodes) for weights in (ratios[chosen], None))
    return ratio(sums, count)


def latencies(goals: npt.NDArray[np.uint8], step_seconds: float) -> tuple[Seconds, Seconds]:
    """(seconds to the first goal of each episode that has one, seconds from each goal to the next).

    Args:
        goals: [E, T], goals reached during each step; a goal counts at its step's end.
        step_seconds: duration of a step.
    """
    episodes, steps = np.nonzero(goals)
    first = np.ones(len(episodes), dtype=bool)
    first[1:] = episodes[1:] != episodes[:-1]
    between = np.diff(steps, prepend=0)
    return (steps[first] + 1) * step_seconds, between[~first] * step_seconds


def cap_of(trajectories: Trajectories) -> float:
    """`CAP_SECONDS`, or a third of a shorter playback."""
    return min(CAP_SECONDS, trajectories.steps * trajectories.step_seconds / 3)


def capped_seconds(trajectories: Trajectories) -> npt.NDArray[np.float64]:
    """[E, N] duration of trip 1 to N of each episode, at most the cap; NaN where the episode has no such trip.

    Unfinished trips count as the cap. Trips that begin less than the cap before the episode's end are left out whether they
    reached the goal or not: of those only the short ones could be finished.
    """
    trips, cap = trips_of(trajectories), cap_of(trajectories)
    seconds = (trips.end - trips.start + 1) * trajectories.step_seconds
    duration = np.where(trips.reached, np.minimum(seconds, cap), cap)
    counted = (trajectories.steps - trips.start) * trajectories.step_seconds >= cap - 1e-9
    found = np.full((trajectories.episodes, int(trips.number.max())), np.nan)
    found[trips.episode[counted], trips.number[counted] - 1] = duration[counted]
    return found


@dataclass(frozen=True)
class TripTime:
    """Capped durations of the trips of one number.

    Attributes:
        number: 1 for the first trip.
        episodes: how many episodes have it.
        seconds: mean duration.
        saved: mean over the same episodes of the first trip's duration less this one's.
    """

    number: int
    episodes: int
    seconds: Estimate
    saved: Estimate


def trip_times(trajectories: Trajectories) -> list[TripTime]:
    """Durations of trips 1, 2, 3, …, each compared with the first trip of the same episodes.

    Means over different episodes aren't comparable: an episode with many trips is an easy one.
    """
    seconds = capped_seconds(trajectories)
    found = []
    for number in range(1, min(TRIP_NUMBERS, seconds.shape[1]) + 1):
        here = ~np.isnan(seconds[:, number - 1])
        if here.sum() >= FEWEST:
            mine, first = seconds[here, number - 1], seconds[here, 0]
            found.append(TripTime(number, int(here.sum()), estimate_mean(mine), estimate_mean(first - mine)))
    return found
