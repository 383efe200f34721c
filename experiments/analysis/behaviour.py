"""Behaviour: return, time and path length to the goal, paths, occupancy, value estimates, and the worth of memory."""

from collections.abc import Callable, Mapping

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from experiments.analysis.activations import VALUE
from experiments.analysis.intervals import Measured, mean, ratio
from experiments.analysis.items import AGENT, CONTROL, QUIET, Item, Number, Picture, Pixels, Table, figure, pixels_of
from experiments.analysis.maps import heat_map, occupancy_percent, path_map
from experiments.analysis.memory import MemoryWorth
from experiments.analysis.playback import Playback
from experiments.analysis.recorder import record
from experiments.analysis.trajectories import Trajectories
from experiments.analysis.trips import Trips, cap_of, first_trip_spl, latencies, path_efficiency, trip_times, trips_of
from experiments.policies import SCALE
from experiments.tables import MISSING, interval

SECTION = "4 Behaviour"

Played = tuple[Trajectories, Trips]


def play_baselines(playback: Playback) -> dict[str, Trajectories]:
    """The same episodes played by the random policy and the oracle, on the CPU."""
    return {name: record(playback.on_cpu, make_policy) for name, make_policy in SCALE.items()}


def behaviour_items(
    trajectories: Trajectories, baselines: Mapping[str, Trajectories] | None = None, worth: MemoryWorth | None = None
) -> list[Item]:
    """Everything about behaviour.

    Args:
        baselines: the same episodes played by others.
        worth: of the agent's memory, where it was measured.
    """
    trips = trips_of(trajectories)
    others = {name: (played, trips_of(played)) for name, played in (baselines or {}).items()}
    items = [
        *_numbers((trajectories, trips), others),
        *_memory(trajectories, worth),
        _paths(trajectories),
        *_value(trajectories),
        *_trips(trajectories, trips),
    ]
    if len(trajectories.task.mazes) == 1:
        items.append(
            Picture(
                SECTION,
                "occupancy of each cell in percent",
                "Percentage of all steps spent in each cell; hatched cells were never visited. Bright dead ends that hold "
                "nothing are places where the agent gets stuck.",
                heat_map(trajectories.task.mazes[0], occupancy_percent(trajectories)),
            )
        )
    return items


def _mean_latency(part: int) -> Callable[[Trajectories, Trips], Measured | None]:
    """Mean seconds to the first goal (part 0), or to later ones (1); None where there is none."""

    def mean_latency(played: Trajectories, _: Trips) -> Measured | None:
        # Episode by episode: those with many later goals count with each of them.
        found = [latencies(goals[None], played.step_seconds)[part] for goals in played.goals]
        if not any(len(seconds) for seconds in found):
            return None
        return ratio([seconds.sum() for seconds in found], [len(seconds) for seconds in found])

    return mean_latency


def _numbers(agent: Played, others: Mapping[str, Played]) -> list[Item]:
    """The agent's figures beside those of the others; figures that don't exist are left out."""
    task = agent[0].task
    figures: list[tuple[str, str, Callable[[Trajectories, Trips], Measured | None]]] = [
        (
            "episode return",
            f"Mean sum of rewards over {agent[0].episodes} episodes of {task.episode_seconds} seconds. Beside it, in the same "
            "episodes, a policy of random actions and an oracle that walks the shortest paths.",
            lambda played, _: mean(played.returns),
        ),
        ("seconds to the first goal", "Mean over the episodes in which a goal was reached.", _mean_latency(0)),
        (
            "seconds to later goals",
            "Mean time from a goal to the next one. It can't be compared with the first goal's: episodes with many later goals "
            "are easy ones, and unfinished trips aren't counted.",
            _mean_latency(1),
        ),
        (
            "SPL of the first trip",
            "Success weighted by path length: mean over episodes of the shortest way divided by the way taken to the first goal, "
            "0 where none was reached. 1 is perfect.",
            lambda _, trips: first_trip_spl(trips),
        ),
        (
            "path efficiency of later trips",
            "Mean of the shortest way divided by the way taken, over trips after the first that reached the goal. 1 is perfect.",
            lambda _, trips: path_efficiency(trips),
        ),
    ]
    items: list[Item] = []
    for name, caption, figure_of in figures:
        value = figure_of(*agent)
        beside = {who: other for who, played in others.items() if (other := figure_of(*played)) is not None}
        if value is not None:
            items.append(Number(SECTION, name, caption, value, beside, key=True))
    return items


def _memory(trajectories: Trajectories, worth: MemoryWorth | None) -> list[Item]:
    items: list[Item] = []
    if worth:
        found = worth.returns
        items.append(
            Number(
                SECTION,
                "worth of memory",
                "Mean return as it is less that in the same episodes with the network's state erased at every respawn, with the "
                "95 % bootstrap interval over pairs of episodes. An interval that covers 0 shows no memory across trips.",
                found,
                key=True,
            )
        )
    times = trip_times(trajectories)
    if len(times) > 1:
        items.append(
            Table(
                SECTION,
                "trip times by number",
                f"Mean seconds of trips 1, 2, 3, …, at most {cap_of(trajectories):.0f} s each, unfinished trips included, with "
                "95 % intervals. Saved: the first trip's duration less this one's, in the same episodes.",
                ["trip", "episodes", "seconds", "saved against trip 1"],
                [
                    [
                        str(time.number),
                        str(time.episodes),
                        interval(time.seconds),
                        MISSING if time.number == 1 else interval(time.saved),
                    ]
                    for time in times
                ],
                key=True,
            )
        )
    return items


def _paths(trajectories: Trajectories) -> Picture:
    order = np.argsort(trajectories.returns, kind="stable")
    chosen = {"best": int(order[-1]), "median": int(order[len(order) // 2]), "worst": int(order[0])}
    maze = trajectories.task.mazes[0]
    with figure(5.2 * 3, 5.2 * max(0.5, maze.rows / maze.cols) + 0.5, 1, 3) as (made, axes):
        for panel, (name, episode) in zip(axes, chosen.items(), strict=True):
            panel.imshow(path_map(trajectories, episode, width=0.06))
            score = f"return {trajectories.returns[episode]:.0f}, {trajectories.goals[episode].sum()} goals"
            panel.set_title(f"{name} episode: {score}", fontsize=12)
            panel.axis("off")
        return Picture(
            SECTION,
            "paths of three episodes",
            "From dark (the episode's start) to yellow (its end); the red rings are the goal. The line breaks at respawns.",
            pixels_of(made),
            key=True,
        )


def _value(trajectories: Trajectories) -> list[Item]:
    order = np.argsort(trajectories.returns, kind="stable")
    episode = int(order[len(order) // 2])
    value = trajectories.signals[VALUE][episode]
    seconds = np.arange(trajectories.steps) * trajectories.step_seconds
    with figure(7.5, 3.8) as (made, axes):
        for index, step in enumerate(np.flatnonzero(trajectories.goals[episode])):
            axes.axvline(seconds[step], color=CONTROL, linewidth=1.2, label="goal" if index == 0 else None)
        axes.plot(seconds, value, color=AGENT, linewidth=1.4, label="value")
        axes.set_xlabel("seconds of the episode")
        axes.set_ylabel("value: expected discounted reward")
        axes.set_title("Value over an episode")
        axes.legend(fontsize=10, loc="upper left")
        over_time = pixels_of(made)
    return [
        Picture(
            SECTION,
            "value over an episode",
            "The agent's value estimate in the episode with the median return. If the agent knows where the goal is, the value "
            "rises as it approaches; at each goal (vertical lines) it is placed elsewhere, and the value falls.",
            over_time,
            key=True,
        ),
        Picture(
            SECTION,
            "value along a path",
            "The same episode from above: yellow where the value is high, dark where it is low.",
            path_map(trajectories, episode, value),
            key=True,
        ),
    ]


def _trips(trajectories: Trajectories, trips: Trips) -> list[Item]:
    return [
        Picture(
            SECTION,
            "time to the goal",
            "Distribution of the time to the first goal and from each goal to the next; unfinished trips aren't included.",
            _latency_plot(trajectories),
            key=True,
        ),
        Picture(
            SECTION,
            "path length to the goal",
            "One point per trip that reached the goal. Points near the dashed line took the shortest path.",
            _length_plot(trips),
            key=True,
        ),
    ]


def _latency_plot(trajectories: Trajectories) -> Pixels:
    first, later = latencies(trajectories.goals, trajectories.step_seconds)
    longest = max([1.0, *(values.max() for values in (first, later) if len(values))])
    with figure(6.5, 3.8) as (made, axes):
        edges = np.linspace(0, longest, 31)
        for values, colour, name in ((first, QUIET, "first goal"), (later, AGENT, "later goals")):
            if len(values):
                label = f"{name}: {values.mean():.1f} s (mean of {len(values)})"
                axes.hist(values, edges, color=colour, alpha=0.65, label=label, density=True)
        axes.set_xlabel("seconds, from the episode's start or from the last goal")
        axes.set_ylabel("density, 1/s")
        axes.set_title("Time to the goal")
        if len(first):
            axes.legend(fontsize=10)
        return pixels_of(made)


def _length_plot(trips: Trips) -> Pixels:
    """On logarithmic axes: a few ways are many times as long as the shortest path, and all of them are shown."""
    with figure(6.5, 4.4) as (made, axes):
        shown = trips.reached & (trips.shortest > 0) & (trips.taken > 0)
        for chosen, colour, name in ((trips.first, QUIET, "first trip"), (~trips.first, AGENT, "later trips")):
            done = chosen & shown
            axes.plot(trips.shortest[done], trips.taken[done], ".", color=colour, alpha=0.6, label=name)
        least = float(trips.shortest[shown].min()) if shown.any() else 1.0
        most = float(trips.shortest[shown].max()) if shown.any() else 10.0
        axes.plot([least, most], [least, most], color=CONTROL, linestyle="--", label="shortest path")
        for axis in (axes.xaxis, axes.yaxis):
            axis.axes.set(**{f"{axis.axis_name}scale": "log"})
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("shortest path, cells")
        axes.set_ylabel("path taken, cells")
        axes.set_title("Path length to the goal")
        axes.legend(fontsize=10)
        return pixels_of(made)
