"""A grid's page in Markdown, and the same figures as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from experiments.analysis.statistics import Estimate
from experiments.reproduction.grid import UNLIMITED, UNLIMITED_MAZES
from experiments.reproduction.learning_curves import Reached
from experiments.reproduction.summary import FIRST_POINTS, ORACLE, RANDOM, AgentRow, Score, TaskSummary, over_tasks
from experiments.tables import MISSING, interval, markdown_table, number, percent

KINDS = {"fixed": "training", "train": "training", "heldout": "held-out"}
"""Split → whether its mazes are the agent's training mazes."""
CURVES = "curves.png"

PAPER_NOTE = (
    "**The paper's scores were measured on the paper's own mazes** and are the mean of the best 5 of 64 settings after 1e8 "
    "frames (arXiv 1611.03673, its figure of learning curves; goals, latency and position accuracy: the table of its first "
    "version). Layouts differ from ours, except where a task is one of DeepMind Lab's released levels, so compare orders and "
    "the fraction of the oracle's score rather than points."
)


@dataclass(frozen=True)
class Trainings:
    """The grid's trainings.

    Attributes:
        machines: on which they were done.
        left: how many aren't finished yet.
        diverged: those that ended early, with numbers that aren't finite.
    """

    machines: Sequence[str]
    left: int
    diverged: Sequence[str] = ()


def markdown(tasks: Sequence[TaskSummary], conditions: dict[str, Any], commands: Sequence[str], trainings: Trainings) -> str:
    """The whole page."""
    left, diverged = trainings.left, trainings.diverged
    parts = ["# Reproduction", _made_by(conditions, commands, trainings.machines)]
    if left:
        parts.append(f"**{left} of the grid's trainings {'is' if left == 1 else 'are'} not done yet.**")
    if diverged:
        parts.append(f"**Diverged**, so that their figures are of the last finite checkpoint: {', '.join(diverged)}.")
    parts += [PAPER_NOTE, f"![Learning curves]({CURVES})"]
    for task in tasks:
        parts += _task(task, conditions.get("best", 0))
    pools = pool_groups(tasks)
    for name, group in pools.items():
        parts += [*_pools(name, group), f"![Returns by number of training mazes]({generalisation_file(name, list(pools))})"]
    plain = [task for task in tasks if task.row["pool"] is None]
    if len(plain) > 1 and (found := over_tasks(plain)):
        parts += _over_tasks(plain, found)
    return "\n\n".join(parts) + "\n"


def as_json(
    tasks: Sequence[TaskSummary], conditions: dict[str, Any], commands: Sequence[str], trainings: Trainings
) -> dict[str, Any]:
    """The same figures, and more, as JSON; times are in seconds or minutes as named, fractions from 0 to 1."""
    plain = [task for task in tasks if task.row["pool"] is None]
    return {
        "commands": list(commands),
        "conditions": conditions,
        "machines": list(trainings.machines),
        "trainings_left": trainings.left,
        "diverged": list(trainings.diverged),
        "paper": PAPER_NOTE.replace("**", ""),
        "tasks": [task.as_json() for task in tasks],
        "over_tasks": {agent: asdict(found) for agent, found in over_tasks(plain).items()} if len(plain) > 1 else None,
    }


def _made_by(conditions: dict[str, Any], commands: Sequence[str], machines: Sequence[str]) -> str:
    each = f"{budget_text(conditions['budget'])}, {_plural(conditions['workers'], 'worker')}, preset `{conditions['preset']}`"
    drawn = ""
    if conditions.get("sampled"):
        drawn = (
            " Each training has settings of its own: learning rate, entropy cost, length of rollouts and loss weights are drawn "
            "for its seed from the paper's ranges, and written into its `evaluation.json`."
        )
    return (
        "```sh\n" + "\n".join(commands) + "\n```\n\n"
        f"Each training: {each}; each evaluation: {conditions['episodes']} episodes of the final agent. "
        f"Machine: {'; '.join(machines) or MISSING}.\n\n"
        # A preset's numbers may change in a later version: written out, they stay true.
        f"Settings: {', '.join(f'`--{_option(name, value)}`' for name, value in conditions['settings'].items())}."
        f"{drawn}"
    )


def _option(name: str, value: Any) -> str:
    """A setting as an option of the command line, without the leading dashes."""
    spelled = name.replace("_", "-")
    if isinstance(value, bool):
        return spelled if value else f"no-{spelled}"
    if isinstance(value, dict):
        value = ",".join(f"{key}={number_of}" for key, number_of in value.items())
    if isinstance(value, list | tuple):
        return " ".join((spelled, *map(str, value)))
    return f"{spelled} {value}"


def budget_text(budget: dict[str, Any]) -> str:
    """A budget, given as JSON, as text."""
    return f"{budget['frames']:,} frames" if budget["frames"] is not None else f"{budget['minutes']:.4g} minutes"


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def title_of(task: TaskSummary) -> str:
    """A task's name in headings and figures."""
    row = task.row
    if row["pool"] is None:
        return row["label"]
    return f"{row['task']}, {row['pool']} training maze{'' if row['mazes'] == 1 else 's'}"


def _task(task: TaskSummary, best: int) -> list[str]:
    parts = [f"## {title_of(task)}", _scores(task, best), _behaviour(task), _how_soon(task)]
    if task.improvements:
        parts.append(_order(task))
    return parts


def _kinds(task: TaskSummary) -> list[int]:
    return list(range(len(task.baselines[ORACLE])))


def _lines(task: TaskSummary) -> list[tuple[str, AgentRow | None, Score]]:
    """(name, its row if it is an agent, score): all on the training mazes, then all on held-out mazes."""
    lines: list[tuple[str, AgentRow | None, Score]] = []
    for kind in _kinds(task):
        lines += [(row.agent, row, row.scores[kind]) for row in task.agents]
        lines += [(who, None, task.baselines[who][kind]) for who in (RANDOM, ORACLE)]
    return lines


def _scores(task: TaskSummary, best: int) -> str:
    chosen = [f"of the best {best}"] if best else []
    head = ["agent", "mazes", "seeds", "frames", "minutes", "return: IQM [95 %]", "mean", *chosen]
    head += ["of the oracle's", "paper's score"]
    lines = [head]
    for who, row, score in _lines(task):
        printed = task.paper_score(who) if row and score.split != "heldout" else None
        lines.append(
            [
                who,
                KINDS[score.split],
                str(len(row.seeds)) if row else MISSING,
                f"{row.frames / 1e6:.2f} M" if row else MISSING,
                f"{row.minutes:.1f}" if row else MISSING,
                interval(score.iqm),
                f"{score.mean:.1f}",
                *([number(score.best)] if best else []),
                percent(score.of_oracle),
                f"{printed:.0f}" if printed is not None else MISSING,
            ]
        )
    if task.human is not None:
        lines.append(["human", "the paper's", *[MISSING] * (len(head) - 3), f"{task.human:.0f}"])
    return markdown_table(lines, left=2)


def _behaviour(task: TaskSummary) -> str:
    head = ["agent", "mazes", "goals", "with a goal", "first : later goal, s", "position", "loop closure F1", "worth of memory"]
    compared = any(task.paper_details(row.agent) for row in task.agents)
    lines = [head]
    for who, row, score in _lines(task):
        lines.append(
            [
                who,
                KINDS[score.split],
                f"{score.goals:.2f}",
                percent(score.goal_episodes),
                f"{number(score.latency_first_s)} : {number(score.latency_later_s)}",
                percent(score.position_accuracy, 1),
                number(score.loop_closure_f1, 2),
                number(score.memory_worth),
            ]
        )
        details = task.paper_details(who) if row and score.split != "heldout" else None
        if compared and details:
            lines.append(
                [
                    f"{who} in the paper",
                    "the paper's",
                    MISSING,
                    percent(details.goal_episodes),
                    f"{details.latency_first_s:.1f} : {details.latency_later_s:.1f}",
                    percent(details.position_accuracy, 1),
                    MISSING,
                    MISSING,
                ]
            )
    return markdown_table(lines, left=2)


def _how_soon(task: TaskSummary) -> str:
    head = ["agent", f"first {FIRST_POINTS:.0f} points: frames", "minutes", "seeds"]
    if task.human is not None:
        head += [f"the human's {task.human:.0f}: frames", "minutes", "seeds"]
    lines = [head]
    for row in task.agents:
        lines.append([row.agent, *_when(row.first_points), *(_when(row.human) if row.human else [])])
    caption = "When the mean return of the last 100 training episodes first reached a score; median of the seeds that reached it."
    return f"{caption}\n\n{markdown_table(lines)}"


def _when(found: Reached) -> list[str]:
    if not found.frames:
        return [MISSING, MISSING, f"0 of {found.runs}"]
    frames, minutes = median(found.frames), median(found.minutes)
    return [f"{frames / 1e6:.2f} M", f"{minutes:.1f}", f"{len(found.frames)} of {found.runs}"]


def _order(task: TaskSummary) -> str:
    lines = [["agent", "over", "mazes", "in % of pairs of episodes [95 %]", "paper's scores", "paper's order"]]
    for found in task.improvements:
        printed = f"{found.paper[0]:.0f} to {found.paper[1]:.0f}" if found.paper else MISSING
        lines.append(
            [found.agent, found.other, KINDS[found.split], interval(found.chance, 100, 0), printed, found.verdict or MISSING]
        )
    caption = "How often the return of an episode of one agent exceeds that of the agent before it:"
    return f"{caption}\n\n{markdown_table(lines, left=3)}"


def generalisation_file(name: str, names: Sequence[str]) -> str:
    """The figure of a task among those whose number of training mazes varies."""
    return "generalisation.png" if len(names) == 1 else f"generalisation-{name}.png"


def pool_groups(tasks: Sequence[TaskSummary]) -> dict[str, list[TaskSummary]]:
    """Task → its summaries by number of training mazes, fewest first; of tasks where the grid varies that."""
    groups: dict[str, list[TaskSummary]] = {}
    for task in tasks:
        if task.row["pool"] is not None:
            groups.setdefault(task.row["task"], []).append(task)
    return {name: sorted(group, key=lambda task: task.row["mazes"]) for name, group in groups.items()}


def _pools(name: str, group: Sequence[TaskSummary]) -> list[str]:
    head = [
        "agent",
        "training mazes",
        "seeds",
        "return on them: IQM [95 %]",
        "of the oracle's",
        "on held-out ones",
        "of the oracle's",
    ]
    lines = [head]
    for agent in dict.fromkeys(row.agent for task in group for row in task.agents):
        for task in group:
            for row in task.agents:
                if row.agent == agent:
                    own, other = row.scores
                    lines.append(
                        [
                            agent,
                            task.row["pool"],
                            str(len(row.seeds)),
                            interval(own.iqm),
                            percent(own.of_oracle),
                            interval(other.iqm),
                            percent(other.of_oracle),
                        ]
                    )
    note = f"`{UNLIMITED}` draws from {UNLIMITED_MAZES:,} mazes." if any(task.row["pool"] == UNLIMITED for task in group) else ""
    return [f"## Generalisation: {name}", markdown_table(lines), *filter(None, [note])]


def _over_tasks(tasks: Sequence[TaskSummary], found: dict[str, Estimate]) -> list[str]:
    lines = [["agent", "IQM [95 %]"], *([agent, interval(value, 1, 2)] for agent, value in found.items())]
    names = ", ".join(task.label for task in tasks)
    caption = f"Returns on the training mazes, from the random policy's mean (0) to the oracle's (1), over {names}:"
    return ["## All tasks together", caption, markdown_table(lines)]
