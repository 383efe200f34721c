"""The figures of the paper's table, of a recording of whole episodes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from experiments.analysis.statistics import estimate, pooled_interquartile_mean
from experiments.analysis.trajectories import Recording

POSITION = "position"
"""Reading of a recording: the class that the agent's own position decoder thinks likeliest, [E, T] int32."""


@dataclass(frozen=True)
class Result:
    """How one agent did on one task.

    Attributes:
        task, split: what was played.
        returns: [E] sum of rewards of each episode.
        goals: mean goals an episode.
        goal_episodes: share of episodes with at least one goal, 0 to 1.
        latency_first_s: mean seconds from an episode's start to its first goal, over episodes with one; None without any.
        latency_later_s: mean seconds from a goal to the next one; None without any.
        position_accuracy: share of steps at which the agent's own decoder names its cell; None without a decoder.
        loop_closure_f1: of the agent's own head, on the episodes that its threshold wasn't chosen on
            (`reading.loop_closure.judge`); None without a head, or where no loop closes.
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

    def as_json(self) -> dict[str, Any]:
        """The form that `evaluate --json` writes; `low` and `high` bound the 95 % bootstrap interval of `iqm`."""
        middle = estimate([self.returns], pooled_interquartile_mean)
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
            "returns": self.returns.tolist(),
        }

    @classmethod
    def from_json(cls, form: dict[str, Any]) -> "Result":
        """What `as_json` made a form of.

        Raises:
            KeyError: something is missing.
        """
        plain = {name: form[name] for name in cls.__dataclass_fields__ if name != "returns"}
        return cls(returns=np.asarray(form["returns"], dtype=np.float64), **plain)


Seconds = npt.NDArray[np.floating]


def latencies(goals: npt.NDArray[np.uint8], step_seconds: float) -> tuple[Seconds, Seconds]:
    """Seconds to the first goal of each episode that has one, and seconds from each goal to the next.

    Args:
        goals: [E, T], goals rewarded during each step; a goal counts at its step's end.
        step_seconds: duration of a step.
    """
    episodes, steps = np.nonzero(goals)
    first = np.ones(len(episodes), dtype=bool)
    first[1:] = episodes[1:] != episodes[:-1]
    between = np.diff(steps, prepend=0)
    return (steps[first] + 1) * step_seconds, between[~first] * step_seconds


def result_of(recording: Recording) -> Result:
    """The figures of a recording; with a reading `POSITION` the accuracy of the agent's own decoder too."""
    first, later = latencies(recording.goals, recording.step_seconds)
    said = recording.readings.get(POSITION)
    return Result(
        task=recording.task.name,
        split=recording.task.split,
        returns=recording.returns,
        goals=float(recording.goals.sum() / recording.episodes),
        goal_episodes=float(recording.goals.any(axis=1).mean()),
        latency_first_s=float(first.mean()) if len(first) else None,
        latency_later_s=float(later.mean()) if len(later) else None,
        position_accuracy=None if said is None else float((said == recording.cell).mean()),
    )


COLUMNS: tuple[str, ...] = (
    "",
    "task",
    "mazes",
    "return",
    "95 % of IQM",
    "goals",
    "with a goal",
    "first : later goal",
    "position",
)


def table(rows: list[tuple[str, Result]]) -> str:
    """A legible table, a line for each (who, result)."""
    lines: list[list[str]] = [list(COLUMNS)]
    for who, result in rows:
        form = result.as_json()
        spread = form["return"]
        first, later = ("–" if value is None else f"{value:.1f}" for value in (result.latency_first_s, result.latency_later_s))
        place = result.position_accuracy
        lines.append(
            [
                who,
                result.task,
                result.split,
                f"{spread['mean']:.1f}",
                f"{spread['low']:.1f} to {spread['high']:.1f}",
                f"{result.goals:.2f}",
                f"{100 * result.goal_episodes:.0f} %",
                f"{first} : {later} s",
                "–" if place is None else f"{100 * place:.1f} %",
            ]
        )
    return aligned(lines)


def aligned(lines: Sequence[Sequence[str]], words: int = 3) -> str:
    """Columns of equal width under a rule: the first `words` to the left, numbers after them to the right."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    left_side = [column < words for column in range(len(widths))]
    made = [
        "  ".join(
            text.ljust(width) if left else text.rjust(width) for text, width, left in zip(line, widths, left_side, strict=True)
        )
        for line in lines
    ]
    return "\n".join([made[0].rstrip(), "-" * len(made[0]), *(line.rstrip() for line in made[1:])])
