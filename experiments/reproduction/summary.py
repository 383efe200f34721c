"""The figures of a grid's table: each agent on each task, over seeds and episodes, beside the paper's figures."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from experiments.analysis.metrics import Result
from experiments.analysis.statistics import (
    Estimate,
    difference,
    estimate,
    normalised,
    pooled_interquartile_mean,
    probability_of_improvement,
)
from experiments.reproduction import paper
from experiments.reproduction.learning_curves import Curve, Reached, reached, read_curve
from experiments.reproduction.run import FinishedRun

FIRST_POINTS = 10.0
"""A return above that of a random policy: learning has begun."""

RANDOM, ORACLE = "random", "oracle"


@dataclass(frozen=True)
class Score:
    """Figures of one agent, or of a baseline, on training or on held-out mazes.

    Attributes:
        split: `fixed` or `train` for the mazes it trained on, `heldout` for others.
        returns: [seeds, episodes].
        iqm: interquartile mean of the returns, with its interval over seeds and episodes.
        mean: of the returns.
        of_oracle: mean divided by the oracle's.
        goals, goal_episodes, latency_first_s, latency_later_s, position_accuracy, loop_closure_f1: as in `Result`, mean over
            the seeds that have the figure; None where none has.
        memory_worth: points of return, mean over the seeds where it was measured; None where it wasn't.
        best: mean over the best trainings alone, chosen by their return on the training mazes; None where the grid doesn't ask.
    """

    split: str
    returns: npt.NDArray[np.float64]
    iqm: Estimate
    mean: float
    of_oracle: float | None
    goals: float
    goal_episodes: float
    latency_first_s: float | None
    latency_later_s: float | None
    position_accuracy: float | None
    loop_closure_f1: float | None
    memory_worth: float | None = None
    best: float | None = None

    def as_json(self) -> dict[str, Any]:
        """All figures except the returns of single episodes."""
        plain = asdict(self)
        del plain["returns"]
        return plain


@dataclass(frozen=True)
class AgentRow:
    """One agent on one task.

    Attributes:
        seeds: of its finished trainings.
        frames, minutes: mean length of a training.
        scores: on the training mazes and, where the grid has them, on held-out mazes.
        curves: one per seed.
        first_points: when its trainings reached `FIRST_POINTS`.
        human: when they reached the paper's human score; None where the paper has none for the task.
    """

    agent: str
    seeds: list[int]
    frames: float
    minutes: float
    scores: list[Score]
    curves: list[Curve]
    first_points: Reached
    human: Reached | None


@dataclass(frozen=True)
class Improvement:
    """How often the return of an episode of one agent exceeds that of another agent.

    Attributes:
        chance: probability that an episode of `agent` has a higher return than one of `other`, ties counted half.
        paper: the paper's scores of agent and other on this task, where it has both.
    """

    split: str
    agent: str
    other: str
    chance: Estimate
    paper: tuple[float, float] | None

    @property
    def verdict(self) -> str | None:
        """Whether the paper's order of the two holds here: `holds`, `reversed`, or `open` where the interval covers a half."""
        if self.paper is None or self.paper[0] == self.paper[1]:
            return None
        if self.chance.low <= 0.5 <= self.chance.high:
            return "open"
        return "holds" if (self.chance.value > 0.5) == (self.paper[0] > self.paper[1]) else "reversed"


@dataclass(frozen=True)
class TaskSummary:
    """Everything about one task.

    Attributes:
        row: the grid's row, `GridTask.as_json`.
        baselines: random and oracle → their scores on the same mazes as `AgentRow.scores`.
        improvements: of each agent over the one before it in the grid.
    """

    row: dict[str, Any]
    baselines: dict[str, list[Score]]
    agents: list[AgentRow]
    improvements: list[Improvement]

    @property
    def label(self) -> str:
        return self.row["label"]

    @property
    def human(self) -> float | None:
        return paper.HUMAN.get(self.row["paper_task"])

    def paper_score(self, agent: str) -> float | None:
        return paper.SCORES.get((self.row["paper_task"], agent))

    def paper_details(self, agent: str) -> paper.Details | None:
        return paper.DETAILS.get((self.row["paper_task"], agent))

    def as_json(self) -> dict[str, Any]:
        details = {row.agent: self.paper_details(row.agent) for row in self.agents}
        return {
            **{name: self.row[name] for name in ("label", "task", "mazes", "pool", "paper_task")},
            "paper_human": self.human,
            "baselines": {who: [score.as_json() for score in scores] for who, scores in self.baselines.items()},
            "agents": [
                {
                    "agent": row.agent,
                    "seeds": row.seeds,
                    "frames": row.frames,
                    "minutes": row.minutes,
                    "scores": [score.as_json() for score in row.scores],
                    "first_points": asdict(row.first_points),
                    "human_score": asdict(row.human) if row.human else None,
                    "paper": {
                        "name": paper.NAMES.get(row.agent),
                        "score": self.paper_score(row.agent),
                        "first_version": asdict(found) if (found := details[row.agent]) else None,
                    },
                }
                for row in self.agents
            ],
            "improvements": [{**asdict(found), "verdict": found.verdict} for found in self.improvements],
        }


def score_of(runs: Sequence[Result], oracle: Result | None) -> Score:
    """The figures of several runs on the same mazes."""

    def mean_of(values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return float(np.mean(known)) if known else None

    returns = np.stack([run.returns for run in runs]).astype(np.float64)
    best = float(oracle.returns.mean()) if oracle is not None else 0.0
    return Score(
        split=runs[0].split,
        returns=returns,
        iqm=estimate([returns], pooled_interquartile_mean),
        mean=float(returns.mean()),
        of_oracle=float(returns.mean()) / best if best else None,
        goals=float(np.mean([run.goals for run in runs])),
        goal_episodes=float(np.mean([run.goal_episodes for run in runs])),
        latency_first_s=mean_of([run.latency_first_s for run in runs]),
        latency_later_s=mean_of([run.latency_later_s for run in runs]),
        position_accuracy=mean_of([run.position_accuracy for run in runs]),
        loop_closure_f1=mean_of([run.loop_closure_f1 for run in runs]),
        memory_worth=mean_of([run.memory_worth.returns.value if run.memory_worth else None for run in runs]),
    )


def summarise(
    row: dict[str, Any],
    agents: Sequence[str],
    finished: Sequence[FinishedRun],
    baselines: dict[str, list[Result]],
    best: int = 0,
) -> TaskSummary:
    """The figures of one task.

    Args:
        row: the grid's row of the task.
        agents: in the order in which they are compared.
        finished: the task's runs that are evaluated.
        baselines: random and oracle → results on the training mazes and, where the grid has them, on held-out mazes.
        best: of how many trainings the best mean is taken; 0 for none.
    """
    human = paper.HUMAN.get(row["paper_task"])
    rows = []
    for agent in agents:
        runs = sorted((done for done in finished if done.run.agent == agent), key=lambda done: done.run.seed)
        if not runs:
            continue
        curves = [read_curve(run.folder) for run in runs]
        chosen = sorted(runs, key=lambda done: done.results[0].returns.mean(), reverse=True)[:best]
        rows.append(
            AgentRow(
                agent=agent,
                seeds=[done.run.seed for done in runs],
                frames=float(np.mean([run.frames for run in runs])),
                minutes=float(np.mean([run.seconds for run in runs])) / 60,
                scores=[
                    replace(
                        score_of([run.results[index] for run in runs], oracle),
                        best=float(np.mean([run.results[index].returns.mean() for run in chosen])) if chosen else None,
                    )
                    for index, oracle in enumerate(baselines[ORACLE])
                ],
                curves=curves,
                first_points=reached(curves, FIRST_POINTS),
                human=reached(curves, human) if human is not None else None,
            )
        )
    scores = {
        who: [score_of([result], oracle) for result, oracle in zip(results, baselines[ORACLE], strict=True)]
        for who, results in baselines.items()
    }
    return TaskSummary(row, scores, rows, _improvements(row, rows))


def _improvements(row: dict[str, Any], rows: Sequence[AgentRow]) -> list[Improvement]:
    found = []
    for before, after in pairwise(rows):
        printed = tuple(paper.SCORES.get((row["paper_task"], one.agent)) for one in (after, before))
        known = (printed[0], printed[1]) if printed[0] is not None and printed[1] is not None else None
        for ours, theirs in zip(after.scores, before.scores, strict=True):
            chance = difference(probability_of_improvement, [ours.returns], [theirs.returns])
            found.append(Improvement(ours.split, after.agent, before.agent, chance, known if ours.split != "heldout" else None))
    return found


def over_tasks(tasks: Sequence[TaskSummary]) -> dict[str, Estimate]:
    """Agent → interquartile mean over all tasks, on each task's scale from the random policy (0) to the oracle (1).

    On the training mazes; of agents that have a finished run on every task.
    """
    tasks = [task for task in tasks if task.baselines[ORACLE][0].mean > task.baselines[RANDOM][0].mean]
    if not tasks:
        return {}
    common = [row.agent for row in tasks[0].agents if all(row.agent in [one.agent for one in task.agents] for task in tasks)]
    found = {}
    for agent in common:
        strata = []
        for task in tasks:
            row = next(row for row in task.agents if row.agent == agent)
            strata.append(normalised(row.scores[0].returns, task.baselines[RANDOM][0].mean, task.baselines[ORACLE][0].mean))
        found[agent] = estimate(strata, pooled_interquartile_mean)
    return found
