"""Plays the informed baselines beside the oracle, and shows each as a fraction of the remembering searcher.

python -m experiments.informed --task procedural-small --split heldout --episodes 100
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tyro

from agents.config import MOST_COUNT, check_range
from env.task import Task
from experiments.options import ProgressLine, TaskOptions, check_writable, command, write_json
from maze_gen.console import say


@dataclass(frozen=True)
class InformedOptions:
    """Plays a wall follower, a searcher that forgets at every respawn, one that remembers, a random policy and the oracle.

    Attributes:
        world: the task.
        episodes: whole episodes of each policy; episode k is (seed, k).
        seed: of the episodes.
        json: where to write the figures.
    """

    world: tyro.conf.OmitArgPrefixes[TaskOptions] = field(default_factory=TaskOptions)
    episodes: int = 100
    seed: int = 0
    json: Path | None = None


@dataclass(frozen=True)
class Played:
    """Episodes of one policy: returns, goals, and the seconds at which each goal was rewarded, by episode."""

    returns: npt.NDArray[np.float64]
    goals: npt.NDArray[np.int64]
    times: list[list[float]]

    @property
    def first(self) -> float:
        """Mean seconds to the first goal, of the episodes that have one."""
        return float(np.mean([times[0] for times in self.times if times] or [np.nan]))

    @property
    def later(self) -> float:
        """Mean seconds from one goal to the next."""
        return float(np.mean([gap for times in self.times for gap in np.diff(times)] or [np.nan]))

    def as_json(self) -> dict[str, Any]:
        """The means, and the returns of all episodes in one line."""
        numbers = {"first_goal_seconds": self.first, "later_goal_seconds": self.later}
        known = {name: None if np.isnan(value) else round(value, 3) for name, value in numbers.items()}
        goals, error = float(self.goals.mean()), self.returns.std(ddof=1) / len(self.returns) ** 0.5
        returns = " ".join(f"{value:g}" for value in self.returns)
        mean = {"mean_return": float(self.returns.mean()), "standard_error": float(error), "goals_per_episode": goals}
        return {**mean, **known, "returns": returns}


def play(task: Task, make_policy: Callable[[int], Any], episodes: int, seed: int) -> Played:
    """Plays whole episodes (seed, k, 0), all at once; a random policy draws its actions from the seed.

    Args:
        make_policy: makes a policy for a number of rows.
    """
    from env.backends import make_batch

    random, times = np.random.default_rng(seed), [[] for _ in range(episodes)]
    returns, goals = np.zeros(episodes), np.zeros(episodes, np.int64)
    with make_batch(task, episodes, observe=("velocity",)) as env:
        env.reset(seed)
        policy = make_policy(episodes)
        policy.reset_rows(np.ones(episodes, np.bool_))
        for _ in range(task.episode_steps):
            env.step(policy.act(env, random.random(episodes)))
            returns += env.outcome.reward
            goals += env.outcome.statistics["goals"]
            for row in np.flatnonzero(env.outcome.statistics["goals"]).tolist():
                times[row].append(float(env.privileged["seconds"][row]))
    return Played(returns, goals, times)


def table(found: dict[str, Played]) -> str:
    """A line for each policy, in Markdown."""
    lines = [
        "| policy | return (standard error) | of the remembering searcher | goals | episodes without | first : later goal |",
        "|---|---|---|---|---|---|",
    ]
    from experiments.analysis.metrics import SEARCHER

    whole = found[SEARCHER].returns.mean()
    for name, played in found.items():
        mean, error = played.returns.mean(), played.returns.std(ddof=1) / len(played.returns) ** 0.5
        lines.append(
            f"| {name} | {mean:.1f} ({error:.1f}) | {mean / whole:.0%} | {played.goals.mean():.1f} | "
            f"{np.mean(played.goals == 0):.0%} | {played.first:.1f} : {played.later:.1f} s |"
        )
    return "\n".join(lines)


def run(options: InformedOptions) -> None:
    check_writable(options.json)
    check_range("--episodes", options.episodes, 2, MOST_COUNT, whole=True)
    check_range("--seed", options.seed, 0, 2**63 - 1, whole=True)
    # Imported after the options: it brings torch, which --help and mistakes need not wait for.
    from experiments.policies import BASELINES

    task = options.world.make(42)
    found: dict[str, Played] = {}
    with ProgressLine() as progress:
        for name, factory in BASELINES.items():
            progress(f"{name} on {task.name}, {task.split} mazes")
            found[name] = play(task, factory, options.episodes, options.seed)
    # Files first: nothing that a terminal does can lose them.
    if options.json is not None:
        content = {name: played.as_json() for name, played in found.items()}
        write_json(options.json, {"task": task.name, "split": task.split, "seed": options.seed, "policies": content})
    say(f"{task.name}, {task.split} mazes, {options.episodes} episodes\n\n{table(found)}")
    if options.json is not None:
        say(f"\nfigures: {options.json}")


main = command(InformedOptions, run)

if __name__ == "__main__":
    sys.exit(main())
