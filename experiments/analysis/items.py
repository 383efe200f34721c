"""Results of an analysis: pictures, films, numbers, curves and tables, each with a name and a caption.

An analysis makes a list of items; `tensorboard` writes them into a log folder and `report` into an HTML page.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.analysis.video import webm
from maze_gen.raster import Pixels, encode_png


@dataclass(frozen=True)
class Item:
    """A result.

    Attributes:
        section: the page it belongs to, e.g. `1 Position`; pages are in alphabetical order.
        name: what it shows.
        caption: how to read it, one to three sentences.
        key: whether it belongs into the short report.
    """

    section: str
    name: str
    caption: str
    key: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class Picture(Item):
    """A still picture."""

    pixels: Pixels


@dataclass(frozen=True)
class Film(Item):
    """A film.

    Attributes:
        frames: T pictures of one size; a sequence may draw each frame when it is indexed.
        rate: frames per second.
        steps: [T] the agent step of each frame.
    """

    frames: Sequence[Pixels] | npt.NDArray[np.uint8]
    rate: float
    steps: npt.NDArray[np.int64]

    @cached_property
    def webm(self) -> bytes:
        """The content of the film as a .webm file, encoded at its first use."""
        return webm(self.frames, self.rate)


@dataclass(frozen=True)
class Curves(Item):
    """Curves over a common axis of integers, for TensorBoard's scalars.

    Attributes:
        lines: label → ([K] integers, [K] values); the first is the agent's.
    """

    lines: dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]


@dataclass(frozen=True)
class Number(Item):
    """One figure and its references.

    Attributes:
        value: the agent's figure.
        beside: label → the same figure of a reference, e.g. `chance`, a control, or another policy.
        percent: whether the figures are fractions, to be shown in percent.
    """

    value: float
    beside: dict[str, float] = field(default_factory=dict)
    percent: bool = field(default=False, kw_only=True)

    def text(self, value: float) -> str:
        """One of the figures as text."""
        if self.percent:
            return f"{100 * value:.1f} %"
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"

    @property
    def value_text(self) -> str:
        """The agent's figure as text."""
        return self.text(self.value)

    def beside_text(self, separator: str = " ", delimiter: str = ", ") -> str:
        """The references as text, e.g. `chance 10 %, oracle 100 %`."""
        return delimiter.join(f"{label}{separator}{self.text(value)}" for label, value in self.beside.items())


@dataclass(frozen=True)
class Table(Item):
    """Rows of text.

    Attributes:
        header: [C] texts.
        rows: [R][C] texts.
    """

    header: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Detections(Item):
    """Scores of a binary detector, for a precision-recall curve.

    Attributes:
        labels: [K] bool, the true labels.
        scores: [K] in [0, 1].
    """

    labels: npt.NDArray[np.bool_]
    scores: npt.NDArray[np.float32]


@dataclass(frozen=True)
class PointCloud(Item):
    """Points with labels and pictures, for TensorBoard's projector.

    Attributes:
        points: [K, D] float32.
        header: names of the labels.
        labels: [K][len(header)] texts.
        thumbnails: [K, size, size, 3] uint8.
    """

    points: npt.NDArray[np.float32]
    header: list[str]
    labels: list[list[str]]
    thumbnails: npt.NDArray[np.uint8] | None


INK, QUIET, AGENT, CONTROL, CHANCE = "#22252d", "#8a8f9c", "#2563c9", "#d0802a", "#8a8f9c"
"""Colours of text, of secondary marks, of the agent, of a control, and of chance."""

_STYLE: Any = {
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.titlelocation": "left",
    "axes.labelcolor": INK,
    "axes.edgecolor": QUIET,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e8ee",
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "lines.linewidth": 2.0,
}


@contextmanager
def figure(width: float, height: float, rows: int = 1, cols: int = 1, **options: Any) -> Iterator[tuple[Figure, Any]]:
    """A Matplotlib figure of `rows` x `cols` axes in this project's style, without a window system.

    Args:
        width, height: inches of 100 pixels.
        options: of `Figure.subplots`.
    """
    with matplotlib.rc_context(_STYLE):
        made = Figure(figsize=(width, height), dpi=100, layout="constrained")
        yield made, made.subplots(rows, cols, **options)


def pixels_of(made: Figure) -> Pixels:
    """The figure's picture."""
    canvas = FigureCanvasAgg(made)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])


def png(pixels: Pixels) -> bytes:
    """The picture as a PNG file."""
    return encode_png(pixels)
