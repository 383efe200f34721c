"""How far does the agent think everything is? Its depth heads' classes against the true ones."""

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

from auxiliary.depth import CLASSES, COLS, ROWS, distance_edges
from experiments.analysis.activations import DEPTH_HEADS, TRUE_DEPTH
from experiments.analysis.decoders import confusion, other_episodes, split_episodes
from experiments.analysis.items import Exhibit, Number, Picture, figure, pixels_of
from experiments.analysis.trajectories import Recording

SECTION = "3 Depth"
SAMPLES = 4


def class_names() -> list[str]:
    """What each class means, in cells of distance."""
    edges = [f"{edge / 100:.2g}" for edge in distance_edges()]
    between = [f"{low}–{high}" for low, high in itertools.pairwise(edges)]
    return [f"< {edges[0]}", *between, f"> {edges[-1]}"]


def commonest(known: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """[K, 64] classes → [64], the commonest class of every pixel."""
    counts = np.stack([(known == number).sum(axis=0) for number in range(CLASSES)])
    return counts.argmax(axis=0).astype(np.uint8)


def depth_exhibits(recording: Recording) -> list[Exhibit]:
    """Everything about depth, D1 beside D2; nothing for an agent without depth heads."""
    heads = {name: recording.readings[name] for name in DEPTH_HEADS.values() if name in recording.readings}
    if not heads:
        return []
    fitting, reading = split_episodes(recording.episodes)
    truth = recording.readings[TRUE_DEPTH]
    usual = commonest(truth[fitting].reshape(-1, ROWS * COLS))
    chance = float((truth[reading] == usual).mean())
    exhibits: list[Exhibit] = [
        Number(
            SECTION,
            f"accuracy of {name}",
            "Share of the 4 x 16 pixels of the middle of the view whose class, of eight, is named rightly. Chance names the "
            "commonest class of each pixel; the shuffled control is what the head said in another episode at the same time.",
            float((said[reading] == truth[reading]).mean()),
            {
                "chance": chance,
                "shuffled control": float((other_episodes(said[reading]) == truth[reading]).mean()),
            },
            key=True,
            percent=True,
        )
        for name, said in heads.items()
    ]
    exhibits += [_samples(recording, heads, truth), _by_pixel(heads, truth, reading, usual), _confusions(heads, truth, reading)]
    return exhibits


def _samples(recording: Recording, heads: dict[str, npt.NDArray], truth: npt.NDArray) -> Picture:
    kept = sorted(recording.pictures)
    places = (
        [(kept[index % len(kept)], (index + 1) * recording.steps // (SAMPLES + 1)) for index in range(SAMPLES)] if kept else []
    )
    columns = ["what it sees", "true depth", *heads]
    rows, widths = max(1, len(places)), [0.55] + [1.0] * (len(columns) - 1)
    with figure(4.2 * sum(widths), 1.9 * rows + 0.5, rows, len(columns), squeeze=False, width_ratios=widths) as (made, axes):
        drawn: Any = None
        for row, (episode, step) in enumerate(places):
            axes[row][0].imshow(recording.pictures[episode][step], interpolation="nearest")
            shown = [truth[episode, step], *(said[episode, step] for said in heads.values())]
            for column, classes in enumerate(shown, start=1):
                drawn = axes[row][column].imshow(
                    classes.reshape(ROWS, COLS), cmap="viridis_r", vmin=-0.5, vmax=CLASSES - 0.5, aspect="auto"
                )
                if column > 1:
                    right = (shown[column - 1] == shown[0]).mean()
                    axes[row][column].set_xlabel(f"{100 * right:.0f} % of the pixels right", fontsize=10)
        for place in axes.ravel():
            place.set_xticks([])
            place.set_yticks([])
            place.grid(False)
        for column, name in enumerate(columns):
            axes[0][column].set_title(name)
        if drawn is not None:
            bar = made.colorbar(drawn, ax=axes, ticks=range(CLASSES), shrink=0.85, label="distance in cells")
            bar.ax.set_yticklabels(class_names(), fontsize=9)
        picture = pixels_of(made)
    return Picture(
        SECTION,
        "predicted beside true depth",
        "A few moments: the view, the true classes of its middle (4 x 16 pixels), and what the agent's heads say. D1 reads one "
        "picture's features; D2 reads the memory.",
        picture,
        key=True,
    )


def _by_pixel(heads: dict[str, npt.NDArray], truth: npt.NDArray, reading: npt.NDArray, usual: npt.NDArray) -> Picture:
    maps = {name: (said[reading] == truth[reading]).mean(axis=(0, 1)) for name, said in heads.items()}
    maps["chance: the commonest class"] = (truth[reading] == usual).mean(axis=(0, 1))
    with figure(5.2 * len(maps), 2.6, 1, len(maps), squeeze=False) as (made, axes):
        drawn: Any = None
        for place, (name, values) in zip(axes[0], maps.items(), strict=True):
            drawn = place.imshow(100 * values.reshape(ROWS, COLS), vmin=0, vmax=100, cmap="viridis", aspect="auto")
            place.set_title(f"{name}: {100 * values.mean():.0f} %")
            place.set_xticks([])
            place.set_yticks([])
            place.grid(False)
        made.colorbar(drawn, ax=axes, label="% right")
        return Picture(
            SECTION,
            "accuracy of each pixel",
            "The middle of the view, 4 rows of 16 pixels: where is depth seen rightly? The far ones, in the "
            "middle, are the hardest.",
            pixels_of(made),
        )


def _confusions(heads: dict[str, npt.NDArray], truth: npt.NDArray, reading: npt.NDArray) -> Picture:
    with figure(5.6 * len(heads) + 0.6, 5.0, 1, len(heads), squeeze=False) as (made, axes):
        drawn: Any = None
        names = class_names()
        for place, (name, said) in zip(axes[0], heads.items(), strict=True):
            shares = 100 * confusion(said[reading].astype(np.int64), truth[reading], CLASSES)
            drawn = place.imshow(shares, cmap="Blues", vmin=0, vmax=100)
            for row in range(CLASSES):
                for column in range(CLASSES):
                    if shares[row, column] >= 0.5:
                        dark = shares[row, column] > 55
                        text = f"{shares[row, column]:.0f}"
                        place.text(column, row, text, ha="center", va="center", fontsize=9, color="white" if dark else "black")
            place.set_xticks(range(CLASSES), names, rotation=45, fontsize=9)
            place.set_yticks(range(CLASSES), names, fontsize=9)
            place.set_xlabel("predicted distance, cells")
            place.set_ylabel("true distance, cells")
            place.set_title(name)
            place.grid(False)
        made.colorbar(drawn, ax=axes, label="% of the true class", shrink=0.8)
        return Picture(
            SECTION,
            "confusion of depth classes",
            "Each row is a true class of distance; a perfect head fills the diagonal.",
            pixels_of(made),
        )
