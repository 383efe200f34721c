"""What an analysis has to show: pictures, films, numbers, curves and tables, each with its name and the words to read it.

An analysis makes a list of exhibits; `board` hangs them in TensorBoard and `report` prints them on a page.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from PIL import Image

Pixels = npt.NDArray[np.uint8]
"""[height, width, 3]."""


@dataclass(frozen=True)
class Exhibit:
    """Something to see.

    Attributes:
        section: the page it belongs to, e.g. `1 Position`; pages are in alphabetical order.
        name: what it shows, understood by a stranger.
        words: how to read it, one to three sentences.
        key: whether it belongs into the short report.
    """

    section: str
    name: str
    words: str
    key: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class Picture(Exhibit):
    """A still picture."""

    pixels: Pixels


@dataclass(frozen=True)
class Film(Exhibit):
    """Moving pictures.

    Attributes:
        frames: T pictures of one size, height and width even; they may be drawn when they are asked for.
        rate: frames a second.
        steps: [T] the agent step of each frame.
    """

    frames: Sequence[Pixels] | npt.NDArray[np.uint8]
    rate: float
    steps: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Curves(Exhibit):
    """Lines over a common axis of whole numbers, for TensorBoard's scalars.

    Attributes:
        lines: label → ([K] whole numbers, [K] values); the first is the agent's.
    """

    lines: dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]


@dataclass(frozen=True)
class Number(Exhibit):
    """One figure, with what to hold it against.

    Attributes:
        value: the figure.
        beside: label → another agent's, decoder's, or no one's figure, e.g. `chance`.
        percent: whether the figures are shares, to be read in percent.
    """

    value: float
    beside: dict[str, float] = field(default_factory=dict)
    percent: bool = field(default=False, kw_only=True)

    def shown(self, value: float) -> str:
        """One of the figures as text."""
        if self.percent:
            return f"{100 * value:.1f} %"
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


@dataclass(frozen=True)
class Table(Exhibit):
    """Rows of text.

    Attributes:
        header: [C] texts.
        rows: [R][C] texts.
    """

    header: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Detector(Exhibit):
    """A yes-or-no detector's answers, for a precision-recall curve.

    Attributes:
        labels: [K] bool, the truth.
        scores: [K] in [0, 1].
    """

    labels: npt.NDArray[np.bool_]
    scores: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Cloud(Exhibit):
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
"""Colours of text, of what is not the point, of the agent, of a control, and of chance."""

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
    """A figure of `rows` x `cols` axes in this project's style, without any window system; sizes in inches of 100 pixels."""
    with matplotlib.rc_context(_STYLE):
        made = Figure(figsize=(width, height), dpi=100, layout="constrained")
        yield made, made.subplots(rows, cols, **options)


def pixels_of(made: Figure) -> Pixels:
    """The figure's picture."""
    buffer = io.BytesIO()
    made.savefig(buffer, format="png")
    return np.asarray(Image.open(buffer).convert("RGB"))


def png(pixels: Pixels) -> bytes:
    """The picture as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
