"""The figure of a comparison: interquartile means, performance profiles and probabilities of improvement."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from experiments.analysis.comparison import THRESHOLDS, Comparison
from experiments.analysis.items import AGENT, INK, QUIET, Pixels, figure, pixels_of
from experiments.analysis.statistics import Estimate

COLOURS = ("#2563c9", "#d0802a", "#2e9e6b", "#9a4fb0", "#c94040", "#5a6270")
"""One per agent, in order."""


def comparison_plot(found: Comparison) -> Pixels:
    """Three panels: interquartile means by task, performance profiles, and probabilities of improvement."""
    names = [agent.name for agent in found.agents]
    colours = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(names)}
    rows = max(1, len(found.improvement))
    with figure(16.5, max(4.4, 1.6 + 0.5 * rows), 1, 3) as (made, (left, centre, right)):
        _means(left, found, colours)
        _profiles(centre, found, colours)
        _improvements(right, found)
        return pixels_of(made)


def _means(axes: Any, found: Comparison, colours: dict[str, str]) -> None:
    tasks = [f"{runs[0].task},\n{runs[0].split}" for runs in found.agents[0].results] + ["all"]
    width = 0.8 / len(colours)
    for number, (name, colour) in enumerate(colours.items()):
        shown = [*found.by_task[name], found.middle[name]]
        x = np.arange(len(shown)) + (number - (len(colours) - 1) / 2) * width
        values = np.array([each.value for each in shown])
        axes.bar(x, values, width * 0.9, color=colour, label=name)
        axes.errorbar(x, values, error_bars(shown), fmt="none", ecolor=INK, elinewidth=1.4, capsize=3)
    axes.set_xticks(range(len(tasks)), tasks)
    axes.axhline(0, color=QUIET, linewidth=1)
    axes.set_ylim(top=max(1.0, axes.get_ylim()[1]))
    axes.set_ylabel("0 random policy … 1 oracle")
    axes.set_title("Interquartile mean of returns")
    axes.legend(fontsize=10)


def error_bars(shown: Sequence[Estimate]) -> npt.NDArray[np.float64]:
    """[2, K] lengths of Matplotlib's error bars, below and above the values; not negative."""
    return np.maximum(np.array([[found.value - found.low, found.high - found.value] for found in shown]).T, 0)


def _profiles(axes: Any, found: Comparison, colours: dict[str, str]) -> None:
    for name, colour in colours.items():
        middle, low, high = found.profiles[name]
        axes.plot(THRESHOLDS, 100 * middle, color=colour, label=name)
        axes.fill_between(THRESHOLDS, 100 * low, 100 * high, color=colour, alpha=0.2, linewidth=0)
    axes.set_xlabel("score")
    axes.set_ylabel("episodes above that score, %")
    axes.set_title("Performance profile")
    axes.legend(fontsize=10)


def _improvements(axes: Any, found: Comparison) -> None:
    for row, chance in enumerate(found.improvement.values()):
        axes.plot([100 * chance.low, 100 * chance.high], [row, row], color=AGENT, linewidth=9, alpha=0.35)
        axes.plot(100 * chance.value, row, "o", color=AGENT)
    axes.axvline(50, color=QUIET, linestyle=":")
    axes.set_xlim(0, 100)
    axes.set_yticks(range(len(found.improvement)), [f"{ours}\nbeats {theirs}" for ours, theirs in found.improvement])
    axes.set_ylim(-0.6, len(found.improvement) - 0.4)
    axes.set_xlabel("% of pairs of episodes")
    axes.set_title("Probability of improvement")
