"""Comparison of agents with few runs each (Agarwal and others 2021): normalised scores with bootstrap intervals.

A score of 0 is the random policy's mean return on a task, 1 is the oracle's. An agent's runs are the checkpoints given for it;
the bootstrap resamples runs, then the episodes of each, task by task.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from experiments.analysis.metrics import Result
from experiments.analysis.statistics import (
    Array,
    Estimate,
    Strata,
    bootstrap,
    difference,
    estimate,
    normalised,
    performance_profile,
    pooled_interquartile_mean,
    probability_of_improvement,
)
from experiments.tables import MISSING, interval, text_table

THRESHOLDS = np.linspace(0, 1.2, 61)
PROFILE_SAMPLES = 500
HEADING = "Interquartile means of returns on a scale from the random policy (0) to the oracle (1), with 95 % intervals\n\n"


@dataclass(frozen=True)
class AgentRuns:
    """An agent's results.

    Attributes:
        name: its name in tables.
        checkpoints: the files, one per run.
        results: task number → the results of the runs, in the order of the checkpoints.
    """

    name: str
    checkpoints: list[str]
    results: list[list[Result]]


@dataclass(frozen=True)
class Comparison:
    """The figures of a comparison.

    Attributes:
        agents: which were compared.
        scores: agent → task → [runs, episodes] normalised scores.
        middle: agent → interquartile mean over all tasks.
        by_task: agent → task → interquartile mean.
        gap: agent → interquartile mean on the mazes of its training minus that on held-out ones; empty without both.
        profiles: agent → ([K], low [K], high [K]), fraction of episodes above each of `THRESHOLDS`.
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
        """Text tables: scores by task and over all tasks, and probabilities of improvement."""
        tasks = [results[0] for results in self.agents[0].results]
        head = ["agent", *(f"{task.task}, {task.split}" for task in tasks), "all", "held-out gap"]
        lines = [head]
        for agent in self.agents:
            found = [*self.by_task[agent.name], self.middle[agent.name]]
            gap = self.gap.get(agent.name)
            lines.append([agent.name, *(interval(each, digits=2) for each in found), interval(gap, digits=2) if gap else MISSING])
        scores = text_table(lines, left=1)
        if not self.improvement:
            return HEADING + scores
        pairs = [["agent", "beats", "in % of pairs of episodes"]]
        pairs += [[ours, theirs, interval(found, 100, 0)] for (ours, theirs), found in self.improvement.items()]
        return HEADING + scores + "\n\n" + text_table(pairs, left=2)


def compare(agents: list[AgentRuns], baselines: Mapping[str, Sequence[Result]]) -> Comparison:
    """Compares agents on the tasks that all of them played.

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
            gap[name] = difference(_gap, [strata[task] for task in seen], [strata[task] for task in unseen])
    profiles = {}
    for name, strata in scores.items():
        low, high = bootstrap([strata], lambda drawn: performance_profile(drawn, THRESHOLDS), PROFILE_SAMPLES)
        profiles[name] = (performance_profile(strata, THRESHOLDS), low, high)
    improvement = {
        (ours, theirs): difference(probability_of_improvement, scores[ours], scores[theirs])
        for ours, theirs in combinations(scores, 2)
    }
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


def _gap(ours: Strata, theirs: Strata) -> float:
    return pooled_interquartile_mean(ours) - pooled_interquartile_mean(theirs)
