"""Position accuracy and entropy by time since the spawn, by visit and by layer, as plots with intervals over episodes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from experiments.analysis.decoders import DecoderResult
from experiments.analysis.intervals import value_of
from experiments.analysis.items import AGENT, CHANCE, CONTROL, INK, Pixels, figure, pixels_of
from experiments.analysis.measures import Curve, entropy
from experiments.analysis.statistics import Estimate

PANEL = (6.0, 4.2)


def entropy_plot(best: DecoderResult, bits: Curve, x_label: str) -> Pixels:
    """The posterior's entropy in bins of time, and that of the cells' frequencies."""
    with figure(*PANEL) as (made, axes):
        _curve(axes, (bits.edges[:-1] + bits.edges[1:]) / 2, bits, 1, {"color": AGENT, "label": best.name, "marker": "o"})
        axes.axhline(entropy(best.frequencies), color=CHANCE, linestyle=":", label="chance: frequencies of the cells")
        axes.set_ylim(0)
        axes.set_title("Entropy of the posterior after a spawn")
        axes.set_xlabel(x_label)
        axes.set_ylabel("entropy, bits")
        axes.legend(fontsize=10)
        return pixels_of(made)


def accuracy_plot(x: npt.NDArray, curves: dict[str, Curve], title: str, x_label: str) -> Pixels:
    """Curves of the decoder, its control and chance, in this order."""
    looks = ({"color": AGENT, "marker": "o"}, {"color": CONTROL, "linestyle": "--"}, {"color": CHANCE, "linestyle": ":"})
    with figure(*PANEL) as (made, axes):
        for (name, curve), look in zip(curves.items(), looks, strict=True):
            _curve(axes, x, curve, 100, {"label": name, **look})
        axes.set_ylim(0, 102)
        axes.set_ylabel("steps with the correct cell, %")
        axes.set_title(title)
        axes.set_xlabel(x_label)
        axes.legend(fontsize=10)
        return pixels_of(made)


def _curve(axes: Any, x: npt.NDArray, curve: Curve, scale: float, look: dict[str, Any]) -> None:
    """A curve with its interval as a band."""
    axes.fill_between(x, scale * curve.low, scale * curve.high, color=look["color"], alpha=0.18, linewidth=0)
    axes.plot(x, scale * curve.mean, **look)


def layer_plot(target: str, found: list[DecoderResult], kinds: Sequence[str]) -> Pixels:
    """Bars of both kinds of decoders on each layer; `found` alternates between the kinds."""
    with figure(*PANEL) as (made, axes):
        names = [result.name.split(" from ")[1].rsplit(", ", 1)[0] for result in found[::2]]
        x = np.arange(len(names))
        for offset, first, colour, label in ((-0.2, 0, AGENT, kinds[0]), (0.2, 1, "#8fb2ec", kinds[1])):
            accuracies = [result.figures()["accuracy"] for result in found[first::2]]
            heights = [100 * value_of(accuracy) for accuracy in accuracies]
            axes.bar(x + offset, heights, 0.36, color=colour, label=label)
            for at, accuracy in zip(x + offset, accuracies, strict=True):
                if isinstance(accuracy, Estimate):
                    axes.plot([at, at], [100 * accuracy.low, 100 * accuracy.high], color=INK, linewidth=1.6)
            controls = [100 * (result.control_accuracy or 0.0) for result in found[first::2]]
            mark = {"color": CONTROL, "markersize": 26, "markeredgewidth": 2.5, "linestyle": "none"}
            axes.plot(x + offset, controls, marker="_", label=None if first else "shuffled control", **mark)
        axes.axhline(100 * found[0].chance, color=CHANCE, linestyle=":", label="chance")
        axes.set_xticks(x, names)
        axes.set_ylim(0, 102)
        axes.set_ylabel("accuracy, %")
        axes.set_title(f"Decoding the {target}")
        made.legend(loc="outside lower center", ncols=4, fontsize=9)
        return pixels_of(made)
