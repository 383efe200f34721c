"""A grid's figures: learning curves in frames and in minutes, and returns by the number of training mazes."""

from collections.abc import Sequence

from experiments.analysis.comparison_plot import COLOURS, error_bars
from experiments.analysis.items import INK, QUIET, Pixels, figure, pixels_of
from experiments.analysis.statistics import Estimate
from experiments.reproduction.learning_curves import together
from experiments.reproduction.markdown import title_of
from experiments.reproduction.summary import ORACLE, RANDOM, Score, TaskSummary

PANEL_WIDTH, PANEL_HEIGHT = 7.0, 4.4
DASHES = ("-", "--", ":")
"""Distinguish agents beyond the number of colours."""


def _look(number: int) -> dict[str, str]:
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": DASHES[number // len(COLOURS) % len(DASHES)]}


def learning_curves(tasks: Sequence[TaskSummary], agents: Sequence[str]) -> Pixels:
    """Two panels per task: mean return of the last 100 training episodes, by frames and by minutes."""
    size = 2 * PANEL_WIDTH, PANEL_HEIGHT * len(tasks) + 0.5
    with figure(*size, len(tasks), 2, squeeze=False) as (made, panels):
        made.suptitle("Mean return of the last 100 training episodes: mean and range over seeds", x=0.01, ha="left", fontsize=14)
        made.set_layout_engine("constrained", h_pad=0.15)
        for task, (by_frames, by_minutes) in zip(tasks, panels, strict=True):
            for axes, unit in ((by_frames, "frames"), (by_minutes, "minutes")):
                for row in task.agents:
                    scale = [curve.frames / 1e6 if unit == "frames" else curve.seconds / 60 for curve in row.curves]
                    found = together(scale, [curve.returns for curve in row.curves])
                    if found is None:
                        continue
                    x, middle, low, high = found
                    look = _look(agents.index(row.agent))
                    seeds = f"{len(row.seeds)} seed{'' if len(row.seeds) == 1 else 's'}"
                    axes.plot(x, middle, **look, label=f"{row.agent}, {seeds}")
                    axes.fill_between(x, low, high, color=look["color"], alpha=0.18, linewidth=0)
                _levels(axes, task)
                axes.set_xlabel("environment frames, millions" if unit == "frames" else "minutes of training")
                axes.set_ylabel("return of an episode")
                axes.set_title(f"{title_of(task)}, by {unit}")
                axes.set_xlim(left=0)
                axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
            # One legend per row, beside the panels, covers no curve.
            by_minutes.legend(fontsize=11, loc="center left", bbox_to_anchor=(1.02, 0.5))
        return pixels_of(made)


def _levels(axes, task: TaskSummary) -> None:
    if task.human is not None:
        axes.axhline(task.human, color=INK, linestyle="--", linewidth=1.4, label=f"the paper's human: {task.human:.0f}")
    oracle, random = (task.baselines[who][0].mean for who in (ORACLE, RANDOM))
    axes.axhline(oracle, color=QUIET, linestyle="-.", linewidth=1.2, label=f"oracle: {oracle:.0f}")
    axes.axhline(random, color=QUIET, linestyle=":", linewidth=1.2, label=f"random policy: {random:.1f}")


def generalisation(name: str, group: Sequence[TaskSummary], agents: Sequence[str]) -> Pixels:
    """Two panels: returns by number of training mazes, on those and on held-out ones; and the same as fractions of the oracle's.

    Args:
        group: the task's summaries, fewest training mazes first.
    """
    with figure(2 * PANEL_WIDTH + 1, 5.0, 1, 2) as (made, (points, fractions)):
        for axes, scaled in ((points, False), (fractions, True)):
            for agent in dict.fromkeys(row.agent for task in group for row in task.agents):
                look = _look(agents.index(agent))
                for kind, mark, line, mazes in ((0, "o", "-", "training mazes"), (1, "s", "--", "held-out mazes")):
                    x, shown = [], []
                    for index, task in enumerate(group):
                        for row in task.agents:
                            if row.agent == agent:
                                best = task.baselines[ORACLE][kind].mean if scaled else 1.0
                                x.append(index)
                                shown.append(_scaled(row.scores[kind], best))
                    axes.errorbar(
                        x,
                        [found.value for found in shown],
                        error_bars(shown),
                        color=look["color"],
                        linestyle=line,
                        marker=mark,
                        markersize=7,
                        markerfacecolor=look["color"] if kind == 0 else "white",
                        capsize=4,
                        label=f"{agent}, {mazes}",
                    )
            heldout = [task.baselines[RANDOM][1].mean / (task.baselines[ORACLE][1].mean if scaled else 1.0) for task in group]
            axes.plot(range(len(group)), heldout, color=QUIET, linestyle=":", label="random policy, held-out mazes")
            axes.set_xticks(range(len(group)), [task.row["pool"] for task in group])
            axes.set_xlabel("training mazes")
            axes.set_ylim(bottom=0)
        points.set_ylabel("return: interquartile mean, 95 %")
        points.set_title(f"{name}: returns")
        fractions.set_ylabel("fraction of the oracle's mean return")
        fractions.set_title(f"{name}: on the oracle's scale")
        fractions.legend(fontsize=11, loc="center left", bbox_to_anchor=(1.02, 0.5))
        return pixels_of(made)


def _scaled(score: Score, best: float) -> Estimate:
    return Estimate(score.iqm.value / best, score.iqm.low / best, score.iqm.high / best)
