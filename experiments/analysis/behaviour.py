"""What the agent does: where it goes, how fast it finds the goal, how straight, and what it expects on the way."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from env.task import Task
from experiments.analysis.activations import VALUE
from experiments.analysis.items import AGENT, CONTROL, QUIET, Exhibit, Number, Picture, figure, pixels_of
from experiments.analysis.metrics import latencies
from experiments.analysis.statistics import success_weighted_path_length
from experiments.analysis.trajectories import Recording, record
from experiments.policies import BASELINES
from maze_gen.maze import CELL_UNITS
from maze_gen.paths import all_distances
from maze_gen.topdown import TopDown

SECTION = "4 Behaviour"


@dataclass(frozen=True)
class Trips:
    """Every way from a spawn to the goal, or to the episode's end.

    Attributes:
        episode: [K] int64.
        start, end: [K] int64, first and last step.
        first: [K] bool, the first trip of its episode.
        reached: [K] bool, whether the goal was reached.
        shortest: [K] float64, cells of path from the spawn to the goal.
        taken: [K] float64, length of the way that was taken, in cells.
    """

    episode: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    first: npt.NDArray[np.bool_]
    reached: npt.NDArray[np.bool_]
    shortest: npt.NDArray[np.float64]
    taken: npt.NDArray[np.float64]


def trips_of(recording: Recording) -> Trips:
    """The trips of a recording, in order."""
    spawned = recording.spawned
    episode, start = np.nonzero(spawned)
    last_of_episode = np.append(episode[1:] != episode[:-1], True)
    end = np.where(last_of_episode, recording.steps, np.append(start[1:], 0)) - 1
    distance = {int(maze): all_distances(recording.task.mazes[maze]) for maze in np.unique(recording.maze)}
    steps = np.linalg.norm(np.diff(recording.position, axis=1), axis=2) / CELL_UNITS
    walked = np.concatenate([np.zeros((recording.episodes, 1)), np.cumsum(np.where(spawned[:, 1:], 0.0, steps), axis=1)], axis=1)
    scored = np.concatenate([np.zeros((recording.episodes, 1)), np.cumsum(recording.goals, axis=1)], axis=1)
    goal, cell = recording.goal_cell[episode, start], recording.cell[episode, start]
    mazes = recording.maze[episode].tolist()
    return Trips(
        episode=episode,
        start=start,
        end=end,
        first=start == 0,
        reached=scored[episode, end + 1] > scored[episode, start],
        shortest=np.array([distance[m][g, c] for m, g, c in zip(mazes, goal, cell, strict=True)], dtype=np.float64),
        taken=walked[episode, end] - walked[episode, start],
    )


def path_efficiency(trips: Trips) -> float:
    """Mean of shortest / taken over later trips that reached the goal: how straight it goes back to a goal that it knows."""
    chosen = trips.reached & ~trips.first
    return success_weighted_path_length(trips.reached[chosen], trips.shortest[chosen], trips.taken[chosen])


def first_trip_spl(trips: Trips) -> float:
    """SPL of the first trip of every episode, as embodied navigation defines it: one start, one goal, success or not."""
    first = trips.first
    return success_weighted_path_length(trips.reached[first], trips.shortest[first], trips.taken[first])


def play_baselines(task: Task, episodes: int, seed: int, backend: str, threads: int | None = None) -> dict[str, Recording]:
    """The same episodes as the random policy and the oracle play them, to hold an agent's behaviour against."""
    return {who: record(task, make, episodes, seed, backend=backend, threads=threads) for who, make in BASELINES.items()}


def behaviour_exhibits(recording: Recording, baselines: Mapping[str, Recording] | None = None) -> list[Exhibit]:
    """Everything about behaviour.

    Args:
        baselines: who else played, and what they did.
    """
    trips = trips_of(recording)
    exhibits: list[Exhibit] = [*_numbers(recording, trips, {who: (it, trips_of(it)) for who, it in (baselines or {}).items()})]
    exhibits += [_paths(recording), *_value(recording), *_latencies(recording, trips)]
    if len(recording.task.mazes) == 1:
        exhibits.append(_occupancy(recording))
    return exhibits


def _numbers(recording: Recording, trips: Trips, others: Mapping[str, tuple[Recording, Trips]]) -> list[Number]:
    """The agent's figures, and the others' beside them; none where there was no goal to measure them by."""

    def number(name: str, words: str, figure_of: Callable[[Recording, Trips], float]) -> list[Number]:
        value = figure_of(recording, trips)
        beside = {who: figure_of(*played) for who, played in others.items()}
        known = {who: other for who, other in beside.items() if np.isfinite(other)}
        return [Number(SECTION, name, words, value, known, key=True)] if np.isfinite(value) else []

    def seconds(part: int) -> Callable[[Recording, Trips], float]:
        def mean(played: Recording, _: Trips) -> float:
            found = latencies(played.goals, played.step_seconds)[part]
            return float(found.mean()) if len(found) else float("nan")

        return mean

    return [
        *number(
            "return of an episode",
            f"Mean sum of rewards over {recording.episodes} episodes of {recording.task.episode_seconds} seconds. Beside it, in "
            "the same episodes, a policy that presses keys at random and an oracle that walks the shortest paths.",
            lambda played, _: float(played.returns.mean()),
        ),
        *number(
            "seconds to the first goal",
            "Mean over the episodes in which a goal was found at all.",
            seconds(0),
        ),
        *number(
            "seconds to later goals",
            "Mean time from a goal to the next one. Where that is less than to the first goal, it remembers the goal.",
            seconds(1),
        ),
        *number(
            "SPL of the first trip",
            "Success weighted by path length: over episodes, shortest way divided by the way taken to the first goal, and 0 "
            "where none was found. 1 is perfect.",
            lambda _, walked: first_trip_spl(walked),
        ),
        *number(
            "shortest by taken path on later trips",
            "How straight it goes back to a goal that it has found before in the episode, over trips that reached it. 1 is "
            "perfect.",
            lambda _, walked: path_efficiency(walked),
        ),
    ]


def _paths(recording: Recording) -> Picture:
    order = np.argsort(recording.returns, kind="stable")
    chosen = [int(order[-1]), int(order[len(order) // 2]), int(order[0])]
    names = ["the best episode", "the middle one", "the worst"]
    with figure(5.2 * 3, 5.2 * max(0.5, recording.task.mazes[0].rows / recording.task.mazes[0].cols) + 0.5, 1, 3) as (made, axes):
        for place, episode, name in zip(axes, chosen, names, strict=True):
            maze = recording.task.mazes[recording.maze[episode]]
            canvas = TopDown(maze, 56 if maze.cols <= 12 else 36, things="none")
            canvas.path(recording.position[episode], width=0.06)
            canvas.goal(divmod(int(recording.goal_cell[episode, 0]), maze.cols))
            place.imshow(canvas.array())
            place.set_title(
                f"{name}: return {recording.returns[episode]:.0f}, {recording.goals[episode].sum()} goals", fontsize=12
            )
            place.axis("off")
        return Picture(
            SECTION,
            "paths of three episodes",
            "From dark (the episode's start) to yellow (its end); the red rings are the goal. The line breaks at respawns.",
            pixels_of(made),
            key=True,
        )


def _occupancy(recording: Recording) -> Picture:
    maze = recording.task.mazes[0]
    share = 100 * np.bincount(recording.cell.ravel(), minlength=recording.task.cells) / recording.cell.size
    share[~maze.open.ravel()] = np.nan
    return Picture(
        SECTION,
        "time spent in each cell in percent",
        "Where it spends its time, over all episodes. Bright dead ends that hold nothing are places where it gets lost.",
        TopDown(maze, 56 if maze.cols <= 12 else 36).heat(share, low=0, colour_bar=True).array(),
    )


def _value(recording: Recording) -> list[Exhibit]:
    order = np.argsort(recording.returns, kind="stable")
    episode = int(order[len(order) // 2])
    maze = recording.task.mazes[recording.maze[episode]]
    value = recording.readings[VALUE][episode]
    seconds = np.arange(recording.steps) * recording.step_seconds
    canvas = TopDown(maze, 56 if maze.cols <= 12 else 36, things="none")
    canvas.path(recording.position[episode], values=value, width=0.08)
    canvas.goal(divmod(int(recording.goal_cell[episode, 0]), maze.cols))
    with figure(7.5, 3.8) as (made, axes):
        for index, at in enumerate(np.flatnonzero(recording.goals[episode])):
            axes.axvline(seconds[at], color=CONTROL, linewidth=1.2, label="goal" if index == 0 else None)
        axes.plot(seconds, value, color=AGENT, linewidth=1.4, label="value")
        axes.set_xlabel("seconds of the episode")
        axes.set_ylabel("value: reward that it expects")
        axes.set_title("What it expects")
        axes.legend(fontsize=10, loc="upper left")
        over_time = pixels_of(made)
    return [
        Picture(
            SECTION,
            "value over an episode",
            "The discounted reward that the agent expects, in an episode of middling return. An agent that "
            "knows where the goal is "
            "expects more the nearer it comes; at each goal (vertical lines) it is put elsewhere, and the value falls.",
            over_time,
            key=True,
        ),
        Picture(
            SECTION,
            "value along its path",
            "The same episode from above: yellow where it expects much, dark where little.",
            canvas.array(),
            key=True,
        ),
    ]


def _latencies(recording: Recording, trips: Trips) -> list[Exhibit]:
    first, later = latencies(recording.goals, recording.step_seconds)
    with figure(6.5, 3.8) as (made, axes):
        edges = np.linspace(0, recording.task.episode_seconds, 31)
        for values, colour, name in ((first, QUIET, "the first goal"), (later, AGENT, "later goals")):
            if len(values):
                label = f"{name}: {values.mean():.1f} s (mean of {len(values)})"
                axes.hist(values, edges, color=colour, alpha=0.65, label=label, density=True)
        axes.set_xlabel("seconds, from the episode's start or from the last goal")
        axes.set_ylabel("share a second")
        axes.set_title("How long it takes to find the goal")
        if len(first):
            axes.legend(fontsize=10)
        times = pixels_of(made)
    with figure(6.5, 3.8) as (made, axes):
        for chosen, colour, name in ((trips.first, QUIET, "first trip"), (~trips.first, AGENT, "later trips")):
            done = chosen & trips.reached
            axes.plot(trips.shortest[done], trips.taken[done], ".", color=colour, alpha=0.6, label=name)
        most = max(1.0, float(trips.shortest.max()))
        axes.plot([0, most], [0, most], color=CONTROL, linestyle="--", label="as short as can be")
        axes.set_xlabel("shortest path, cells")
        axes.set_ylabel("path taken, cells")
        axes.set_title("How straight it goes there")
        axes.set_ylim(0, 4 * most)
        axes.legend(fontsize=10)
        ways = pixels_of(made)
    return [
        Picture(
            SECTION,
            "time to the goal",
            "If later goals come sooner than the first, it remembers where the goal is.",
            times,
            key=True,
        ),
        Picture(
            SECTION,
            "way to the goal",
            "One point a trip that reached the goal. Points near the dashed line took the shortest path.",
            ways,
            key=True,
        ),
    ]
