"""The figures of an evaluation: of whole episodes of one agent on one task."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from experiments.analysis.head_outputs import POSITION
from experiments.analysis.loop_closure import loop_closure_f1
from experiments.analysis.memory import MemoryWorth
from experiments.analysis.statistics import Estimate, estimate, pooled_interquartile_mean
from experiments.analysis.trajectories import Trajectories
from experiments.analysis.trips import TripTime, latencies, trip_times
from experiments.tables import MISSING, number, percent, text_table


@dataclass(frozen=True)
class Result:
    """Figures of one agent, or of a baseline, on one task.

    Attributes:
        task, split: what was played.
        returns: [E] sum of rewards of each episode.
        goals: mean number of goals per episode.
        goal_episodes: fraction of episodes with at least one goal, 0 to 1.
        latency_first_s: mean seconds from an episode's start to its first goal, over episodes with one; None without any.
        latency_later_s: mean seconds from a goal to the next one; None without any.
        position_accuracy: fraction of steps at which the agent's own decoder predicts the true cell; None without a decoder.
        loop_closure_f1: of the agent's own head, in the episodes on which its threshold wasn't chosen
            (`analysis.loop_closure.judge`); None without a head, or where no loop is closed.
        memory_worth: what the agent loses where its state is erased at respawns; None where that wasn't measured.
        trips: capped durations of trips 1, 2, 3, …; empty where they weren't measured.
    """

    task: str
    split: str
    returns: npt.NDArray[np.floating]
    goals: float
    goal_episodes: float
    latency_first_s: float | None
    latency_later_s: float | None
    position_accuracy: float | None
    loop_closure_f1: float | None = None
    memory_worth: MemoryWorth | None = None
    trips: tuple[TripTime, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The form that `evaluate --json` writes; `low` and `high` bound the 95 % bootstrap interval of `iqm` or `mean`."""
        middle = estimate([self.returns], pooled_interquartile_mean)
        worth = self.memory_worth
        return {
            "task": self.task,
            "split": self.split,
            "episodes": len(self.returns),
            "return": {"mean": float(self.returns.mean()), "iqm": middle.value, "low": middle.low, "high": middle.high},
            "goals": self.goals,
            "goal_episodes": self.goal_episodes,
            "latency_first_s": self.latency_first_s,
            "latency_later_s": self.latency_later_s,
            "position_accuracy": self.position_accuracy,
            "loop_closure_f1": self.loop_closure_f1,
            "memory_worth": _mean_form(worth.returns) if worth else None,
            "memory_worth_goals": _mean_form(worth.goals) if worth else None,
            "memory_worth_trip_s": _mean_form(worth.trip_seconds) if worth else None,
            "trips": [asdict(trip) for trip in self.trips],
            "returns": self.returns.tolist(),
        }

    @classmethod
    def from_json(cls, form: dict[str, Any]) -> "Result":
        """Reads the output of `as_json`, also that of versions before memory and trips were measured.

        Raises:
            KeyError: something is missing.
        """
        plain = {name: form[name] for name in cls.__dataclass_fields__ if name not in ("returns", "memory_worth", "trips")}
        returns, goals = _mean_of(form.get("memory_worth")), _mean_of(form.get("memory_worth_goals"))
        trips = [
            TripTime(trip["number"], trip["episodes"], Estimate(**trip["seconds"]), Estimate(**trip["saved"]))
            for trip in form.get("trips", [])
        ]
        return cls(
            returns=np.asarray(form["returns"], dtype=np.float64),
            memory_worth=MemoryWorth(returns, goals, _mean_of(form["memory_worth_trip_s"])) if returns and goals else None,
            trips=tuple(trips),
            **plain,
        )


def _mean_form(found: Estimate | None) -> dict[str, float] | None:
    return {"mean": found.value, "low": found.low, "high": found.high} if found else None


def _mean_of(form: dict[str, float] | None) -> Estimate | None:
    return Estimate(form["mean"], form["low"], form["high"]) if form else None


def result_of(trajectories: Trajectories, worth: MemoryWorth | None = None) -> Result:
    """The figures of whole episodes; those of the agent's heads where their signals were recorded."""
    first, later = latencies(trajectories.goals, trajectories.step_seconds)
    predicted = trajectories.signals.get(POSITION)
    return Result(
        task=trajectories.task.name,
        split=trajectories.task.split,
        returns=trajectories.returns,
        goals=float(trajectories.goals.sum() / trajectories.episodes),
        goal_episodes=float(trajectories.goals.any(axis=1).mean()),
        latency_first_s=float(first.mean()) if len(first) else None,
        latency_later_s=float(later.mean()) if len(later) else None,
        position_accuracy=None if predicted is None else float((predicted == trajectories.cell).mean()),
        loop_closure_f1=loop_closure_f1(trajectories),
        memory_worth=worth,
        trips=tuple(trip_times(trajectories)),
    )


SEARCHER = "remembering searcher"
"""The baseline that an agent's return is shown as a fraction of: it explores and remembers as well as it sees."""

COLUMNS: tuple[str, ...] = (
    "",
    "task",
    "mazes",
    "return",
    "of searcher",
    "95 % of IQM",
    "goals",
    "with a goal",
    "first : later goal",
    "position",
    "worth of memory",
)


def table(rows: list[tuple[str, Result]]) -> str:
    """A text table with one line per (name, result); returns also as fractions of the remembering searcher's."""
    lines: list[list[str]] = [list(COLUMNS)]
    whole = {(result.task, result.split): float(result.returns.mean()) for name, result in rows if name == SEARCHER}
    for name, result in rows:
        spread = result.as_json()["return"]
        worth = result.memory_worth
        lines.append(
            [
                name,
                result.task,
                result.split,
                f"{spread['mean']:.1f}",
                _fraction(spread["mean"], whole.get((result.task, result.split))),
                f"{spread['low']:.1f} to {spread['high']:.1f}",
                f"{result.goals:.2f}",
                percent(result.goal_episodes),
                f"{number(result.latency_first_s)} : {number(result.latency_later_s)} s",
                percent(result.position_accuracy, 1),
                worth_text(worth) if worth else MISSING,
            ]
        )
    return text_table(lines)


def _fraction(mean: float, whole: float | None) -> str:
    return percent(mean / whole) if whole is not None and whole > 0 else MISSING


def worth_text(worth: MemoryWorth) -> str:
    """The worth of memory in points of return, with its interval."""
    found = worth.returns
    return f"{found.value:+.1f} [{found.low:+.1f}, {found.high:+.1f}]"


def trip_table(results: list[tuple[str, Result]]) -> str:
    """A text table of the durations of trips 1, 2, 3, …; empty without trips."""
    lines = [["", "task", "mazes", "trip", "episodes", "seconds", "95 %", "saved against trip 1", "95 %"]]
    for name, result in results:
        for trip in result.trips:
            seconds, saved = trip.seconds, trip.saved
            lines.append(
                [
                    name,
                    result.task,
                    result.split,
                    str(trip.number),
                    str(trip.episodes),
                    f"{seconds.value:.1f}",
                    f"{seconds.low:.1f} to {seconds.high:.1f}",
                    MISSING if trip.number == 1 else f"{saved.value:+.1f}",
                    MISSING if trip.number == 1 else f"{saved.low:+.1f} to {saved.high:+.1f}",
                ]
            )
    return text_table(lines) if len(lines) > 1 else ""
