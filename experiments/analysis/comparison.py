"""Compares agents as few runs should be compared (Agarwal and others 2021): on normalised scores, with intervals.

A score of 0 is the random policy's mean return on that task, 1 is the oracle's. An agent's runs are the checkpoints given for
it; the bootstrap draws runs, then episodes of each, task by task.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from experiments.analysis.items import QUIET, Pixels, figure, pixels_of
from experiments.analysis.metrics import Result, aligned
from experiments.analysis.statistics import (
    Array,
    Estimate,
    Strata,
    bootstrap,
    estimate,
    normalised,
    performance_profile,
    pooled_interquartile_mean,
    probability_of_improvement,
)

THRESHOLDS = np.linspace(0, 1.2, 61)
PROFILE_SAMPLES = 500
HEADING = "Interquartile means of returns on a scale from the random policy (0) to the oracle (1), with 95 % intervals\n\n"
COLOURS = ("#2563c9", "#d0802a", "#2e9e6b", "#9a4fb0", "#c94040", "#5a6270")


@dataclass(frozen=True)
class AgentRuns:
    """An agent's results.

    Attributes:
        name: what it is called in tables.
        checkpoints: the files, one a run.
        results: task number → the runs' results on it, in the order of the checkpoints.
    """

    name: str
    checkpoints: list[str]
    results: list[list[Result]]


@dataclass(frozen=True)
class Comparison:
    """What was found.

    Attributes:
        agents: what was compared.
        scores: agent → task → [runs, episodes] normalised scores.
        middle: agent → interquartile mean over all tasks.
        by_task: agent → task → interquartile mean.
        gap: agent → interquartile mean on the mazes of its training minus that on held-out ones; empty without both.
        profiles: agent → ([K], low [K], high [K]), share of episodes above each of `THRESHOLDS`.
        improvement: (agent, other) → probability that an episode of the agent beats one of the other.
        baselines: random and oracle → task → result.
    """

    agents: list[AgentRuns]
    scores: dict[str, list[Array]]
    middle: dict[str, Estimate]
    by_task: dict[str, list[Estimate]]
    gap: dict[str, Estimate]
    profiles: dict[str, tuple[Array, Array, Array]]
    improvement: dict[tuple[str, str], Estimate]
    baselines: Mapping[str, Sequence[Result]]

    def as_json(self) -> dict[str, Any]:
        """Everything as plain JSON."""

        def plain(found: Estimate) -> dict[str, float]:
            return {"value": found.value, "low": found.low, "high": found.high}

        return {
            "agents": [
                {
                    "agent": agent.name,
                    "checkpoints": agent.checkpoints,
                    "normalised_iqm": plain(self.middle[agent.name]),
                    "heldout_gap": plain(self.gap[agent.name]) if agent.name in self.gap else None,
                    "tasks": [
                        {"normalised_iqm": plain(found), "runs": [result.as_json() for result in runs]}
                        for found, runs in zip(self.by_task[agent.name], agent.results, strict=True)
                    ],
                }
                for agent in self.agents
            ],
            "probability_of_improvement": [
                {"agent": ours, "other": theirs, **plain(found)} for (ours, theirs), found in self.improvement.items()
            ],
            "performance_profile": {
                "thresholds": THRESHOLDS.tolist(),
                "agents": {name: profile[0].tolist() for name, profile in self.profiles.items()},
            },
            "baselines": {name: [result.as_json() for result in results] for name, results in self.baselines.items()},
        }

    def tables(self) -> str:
        """Scores per maze, over all of them, and who beats whom."""
        tasks = [results[0] for results in self.agents[0].results]
        head = ["agent", *(f"{task.task}, {task.split}" for task in tasks), "all", "held-out gap"]
        lines = [head]
        for agent in self.agents:
            found = [*self.by_task[agent.name], self.middle[agent.name]]
            gap = self.gap.get(agent.name)
            lines.append([agent.name, *map(_shown, found), _shown(gap) if gap else "–"])
        scores = aligned(lines, words=1)
        if not self.improvement:
            return HEADING + scores
        pairs = [["agent", "beats", "in % of pairs of episodes"]]
        pairs += [[ours, theirs, _shown(found, 100)] for (ours, theirs), found in self.improvement.items()]
        return HEADING + scores + "\n\n" + aligned(pairs, words=2)


def _shown(found: Estimate, scale: float = 1.0) -> str:
    digits = 2 if scale == 1.0 else 0
    return f"{scale * found.value:.{digits}f} [{scale * found.low:.{digits}f}, {scale * found.high:.{digits}f}]"


def compare(agents: list[AgentRuns], baselines: Mapping[str, Sequence[Result]]) -> Comparison:
    """Compares agents that played the same tasks.

    Args:
        baselines: `random` and `oracle` → their results on the same tasks, in the same order.
    """
    scores: dict[str, list[Array]] = {}
    for agent in agents:
        scores[agent.name] = [
            normalised(
                np.stack([run.returns for run in runs]),
                float(baselines["random"][task].returns.mean()),
                float(baselines["oracle"][task].returns.mean()),
            )
            for task, runs in enumerate(agent.results)
        ]
    splits = [runs[0].split for runs in agents[0].results]
    seen = [task for task, split in enumerate(splits) if split != "heldout"]
    unseen = [task for task, split in enumerate(splits) if split == "heldout"]
    gap = {}
    if seen and unseen:
        for name, strata in scores.items():
            gap[name] = _difference([strata[task] for task in seen], [strata[task] for task in unseen])
    profiles = {}
    for name, strata in scores.items():
        low, high = bootstrap([strata], lambda drawn: performance_profile(drawn, THRESHOLDS), PROFILE_SAMPLES)
        profiles[name] = (performance_profile(strata, THRESHOLDS), low, high)
    improvement = {}
    for ours, theirs in combinations(scores, 2):
        low, high = bootstrap([scores[ours], scores[theirs]], probability_of_improvement)
        value = probability_of_improvement(scores[ours], scores[theirs])
        improvement[ours, theirs] = Estimate(value, float(low), float(high))
    return Comparison(
        agents=agents,
        scores=scores,
        middle={name: estimate(strata, pooled_interquartile_mean) for name, strata in scores.items()},
        by_task={name: [estimate([stratum], pooled_interquartile_mean) for stratum in strata] for name, strata in scores.items()},
        gap=gap,
        profiles=profiles,
        improvement=improvement,
        baselines=baselines,
    )


def _difference(ours: Strata, theirs: Strata) -> Estimate:
    def gap(mine: Strata, other: Strata) -> float:
        return pooled_interquartile_mean(mine) - pooled_interquartile_mean(other)

    low, high = bootstrap([ours, theirs], gap)
    return Estimate(gap(ours, theirs), float(low), float(high))


def picture(found: Comparison) -> Pixels:
    """Three panels: interquartile means per maze, performance profiles, and who beats whom."""
    names = [agent.name for agent in found.agents]
    colours = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(names)}
    tasks = [f"{runs[0].task},\n{runs[0].split}" for runs in found.agents[0].results] + ["all"]
    rows = max(1, len(found.improvement))
    with figure(16.5, max(4.4, 1.6 + 0.5 * rows), 1, 3) as (made, (left, centre, right)):
        width = 0.8 / len(names)
        for number, name in enumerate(names):
            shown = [*found.by_task[name], found.middle[name]]
            x = np.arange(len(shown)) + (number - (len(names) - 1) / 2) * width
            _bars(left, x, shown, colours[name], name, width * 0.9)
        left.set_xticks(range(len(tasks)), tasks)
        left.axhline(0, color=QUIET, linewidth=1)
        left.set_ylim(top=max(1.0, left.get_ylim()[1]))
        left.set_ylabel("0 random policy … 1 oracle")
        left.set_title("Interquartile mean of returns")
        left.legend(fontsize=10)
        for name in names:
            middle, low, high = found.profiles[name]
            centre.plot(THRESHOLDS, 100 * middle, color=colours[name], label=name)
            centre.fill_between(THRESHOLDS, 100 * low, 100 * high, color=colours[name], alpha=0.2, linewidth=0)
        centre.set_xlabel("score")
        centre.set_ylabel("episodes above that score, %")
        centre.set_title("Performance profile")
        centre.legend(fontsize=10)
        pairs = list(found.improvement.items())
        for place, ((_, _), chance) in enumerate(pairs):
            right.plot([100 * chance.low, 100 * chance.high], [place, place], color="#2563c9", linewidth=9, alpha=0.35)
            right.plot(100 * chance.value, place, "o", color="#2563c9")
        right.axvline(50, color=QUIET, linestyle=":")
        right.set_xlim(0, 100)
        right.set_yticks(range(len(pairs)), [f"{ours}\nbeats {theirs}" for (ours, theirs), _ in pairs])
        right.set_ylim(-0.6, len(pairs) - 0.4)
        right.set_xlabel("% of pairs of episodes")
        right.set_title("Probability of improvement")
        return pixels_of(made)


def _bars(axes: Any, x: npt.NDArray, shown: Sequence[Estimate], colour: str, name: str, width: float) -> None:
    values = np.array([found.value for found in shown])
    spread = np.array([[found.value - found.low for found in shown], [found.high - found.value for found in shown]])
    axes.bar(x, values, width, color=colour, label=name)
    axes.errorbar(x, values, np.maximum(spread, 0), fmt="none", ecolor="#22252d", elinewidth=1.4, capsize=3)
