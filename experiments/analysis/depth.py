"""Depth classes predicted by the agent's depth heads, against the true ones."""

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

from auxiliary.depth import CLASSES, COLS, ROWS, distance_edges
from experiments.analysis.activations import DEPTH_HEADS, TRUE_DEPTH
from experiments.analysis.decoders import split_episodes, swap_episodes
from experiments.analysis.intervals import mean
from experiments.analysis.items import Item, Number, Picture, figure, pixels_of
from experiments.analysis.measures import confusion
from experiments.analysis.trajectories import Trajectories

SECTION = "3 Depth"
SAMPLES = 4
DARK = 55
"""Percent above which a cell of the confusion matrix is so dark that its number is written in white."""


def class_names() -> list[str]:
    """The range of each class, in cells of distance."""
    edges = [f"{edge / 100:.2g}" for edge in distance_edges()]
    between = [f"{low}–{high}" for low, high in itertools.pairwise(edges)]
    return [f"< {edges[0]}", *between, f"> {edges[-1]}"]


def most_common_class(known: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """[K, 64] classes → [64], the most common class of every pixel."""
    counts = np.stack([(known == number).sum(axis=0) for number in range(CLASSES)])
    return counts.argmax(axis=0).astype(np.uint8)


def depth_items(trajectories: Trajectories) -> list[Item]:
    """Everything about depth, D1 beside D2; nothing for an agent without depth heads."""
    heads = {name: trajectories.signals[name] for name in DEPTH_HEADS.values() if name in trajectories.signals}
    if not heads:
        return []
    fitting, testing = split_episodes(trajectories.episodes)
    truth = trajectories.signals[TRUE_DEPTH]
    usual = most_common_class(truth[fitting].reshape(-1, ROWS * COLS))
    chance = mean(truth[testing] == usual)
    items: list[Item] = [
        Number(
            SECTION,
            f"accuracy of {name}",
            "Fraction of the 4 x 16 pixels of the middle of the view whose depth class, of eight, is predicted correctly. Chance "
            "predicts the most common class of each pixel; the shuffled control is the head's output in another episode at the "
            "same time.",
            mean(predicted[testing] == truth[testing]),
            {"chance": chance, "shuffled control": mean(swap_episodes(predicted[testing]) == truth[testing])},
            key=True,
            percent=True,
        )
        for name, predicted in heads.items()
    ]
    tested = {name: predicted[testing] for name, predicted in heads.items()}
    return [
        *items,
        _samples(trajectories, heads, truth),
        _by_pixel(tested, truth[testing], usual),
        _confusions(tested, truth[testing]),
    ]


def _without_ticks(panels: npt.NDArray) -> None:
    for panel in panels.ravel():
        panel.set_xticks([])
        panel.set_yticks([])
        panel.grid(False)


def _samples(trajectories: Trajectories, heads: dict[str, npt.NDArray], truth: npt.NDArray) -> Picture:
    kept = sorted(trajectories.pictures)
    moments = [(kept[k % len(kept)], (k + 1) * trajectories.steps // (SAMPLES + 1)) for k in range(SAMPLES)] if kept else []
    columns = ["view", "true depth", *heads]
    rows, widths = max(1, len(moments)), [0.55] + [1.0] * (len(columns) - 1)
    with figure(4.2 * sum(widths), 1.9 * rows + 0.5, rows, len(columns), squeeze=False, width_ratios=widths) as (made, axes):
        drawn: Any = None
        for row, (episode, step) in enumerate(moments):
            axes[row][0].imshow(trajectories.pictures[episode][step], interpolation="nearest")
            shown = [truth[episode, step], *(predicted[episode, step] for predicted in heads.values())]
            for column, classes in enumerate(shown, start=1):
                drawn = axes[row][column].imshow(
                    classes.reshape(ROWS, COLS), cmap="viridis_r", vmin=-0.5, vmax=CLASSES - 0.5, aspect="auto"
                )
                if column > 1:
                    correct = (shown[column - 1] == shown[0]).mean()
                    axes[row][column].set_xlabel(f"{100 * correct:.0f} % of the pixels correct", fontsize=10)
        _without_ticks(axes)
        for column, name in enumerate(columns):
            axes[0][column].set_title(name)
        if drawn is not None:
            bar = made.colorbar(drawn, ax=axes, ticks=range(CLASSES), shrink=0.85, label="distance in cells")
            bar.ax.set_yticklabels(class_names(), fontsize=9)
        return Picture(
            SECTION,
            "predicted and true depth",
            "Four moments: the view, the true classes of its middle (4 x 16 pixels), and the predictions of the agent's heads. "
            "D1 reads the features of one picture; D2 reads the last LSTM.",
            pixels_of(made),
            key=True,
        )


def _by_pixel(heads: dict[str, npt.NDArray], truth: npt.NDArray, usual: npt.NDArray) -> Picture:
    maps = {name: (predicted == truth).mean(axis=(0, 1)) for name, predicted in heads.items()}
    maps["chance: the most common class"] = (truth == usual).mean(axis=(0, 1))
    with figure(5.2 * len(maps), 2.6, 1, len(maps), squeeze=False) as (made, axes):
        drawn: Any = None
        for panel, (name, values) in zip(axes[0], maps.items(), strict=True):
            drawn = panel.imshow(100 * values.reshape(ROWS, COLS), vmin=0, vmax=100, cmap="viridis", aspect="auto")
            panel.set_title(f"{name}: {100 * values.mean():.0f} %")
        _without_ticks(axes)
        made.colorbar(drawn, ax=axes, label="% correct")
        return Picture(
            SECTION,
            "depth accuracy by pixel",
            "Accuracy in each pixel of the middle of the view, 4 rows of 16 pixels. Distant pixels, in the middle, are the "
            "hardest.",
            pixels_of(made),
        )


def _confusions(heads: dict[str, npt.NDArray], truth: npt.NDArray) -> Picture:
    names = class_names()
    with figure(5.6 * len(heads) + 0.6, 5.0, 1, len(heads), squeeze=False) as (made, axes):
        drawn: Any = None
        for panel, (name, predicted) in zip(axes[0], heads.items(), strict=True):
            rates = 100 * confusion(predicted.astype(np.int64), truth, CLASSES)
            drawn = panel.imshow(rates, cmap="Blues", vmin=0, vmax=100)
            for row, column in np.argwhere(rates >= 0.5).tolist():
                colour = "white" if rates[row, column] > DARK else "black"
                panel.text(column, row, f"{rates[row, column]:.0f}", ha="center", va="center", fontsize=9, color=colour)
            panel.set_xticks(range(CLASSES), names, rotation=45, fontsize=9)
            panel.set_yticks(range(CLASSES), names, fontsize=9)
            panel.set_xlabel("predicted distance, cells")
            panel.set_ylabel("true distance, cells")
            panel.set_title(name)
            panel.grid(False)
        made.colorbar(drawn, ax=axes, label="% of the true class", shrink=0.8)
        return Picture(
            SECTION,
            "confusion of depth classes",
            "Each row is a true class of distance; a perfect head fills the diagonal.",
            pixels_of(made),
        )
