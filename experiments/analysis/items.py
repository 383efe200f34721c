"""Results of an analysis: pictures, films, numbers, curves and tables, each with a name and a caption.

An analysis makes a list of items; `tensorboard` writes them into a log folder and `report` into an HTML page.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.analysis.intervals import Measured, value_of
from experiments.analysis.statistics import Estimate
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

    def as_json(self) -> dict[str, Any]:
        """Points where there is a value; JSON has no NaN."""
        lines = {
            label: [[at, value] for at, value in zip(x.tolist(), y.tolist(), strict=True) if np.isfinite(value)]
            for label, (x, y) in self.lines.items()
        }
        return {"section": self.section, "name": self.name, "caption": self.caption, "lines": lines}


@dataclass(frozen=True)
class Number(Item):
    """One figure and its references.

    Attributes:
        value: the agent's figure, with its interval over episodes where there is one.
        beside: label → the same figure of a reference, e.g. `chance`, a control, or another policy.
        percent: whether the figures are fractions, to be shown in percent.
    """

    value: Measured
    beside: Mapping[str, Measured] = field(default_factory=dict)
    percent: bool = field(default=False, kw_only=True)

    def text(self, figure: Measured) -> str:
        """One of the figures as text, without its interval."""
        value = value_of(figure)
        if self.percent:
            return f"{100 * value:.1f} %"
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"

    @property
    def value_text(self) -> str:
        """The agent's figure as text."""
        return self.text(self.value)

    @property
    def interval_text(self) -> str:
        """The interval of the agent's figure, e.g. `85.0 to 88.9 %`; empty where there is none."""
        if not isinstance(self.value, Estimate):
            return ""
        low, high = self.text(self.value.low), self.text(self.value.high)
        return f"{low.removesuffix(' %')} to {high}"

    def beside_text(self, separator: str = " ", delimiter: str = ", ") -> str:
        """The references as text, e.g. `chance 10 %, oracle 100 %`."""
        return delimiter.join(f"{label}{separator}{self.text(figure)}" for label, figure in self.beside.items())

    def as_json(self) -> dict[str, Any]:
        """The figures as plain numbers, fractions from 0 to 1; `low` and `high` bound the 95 % interval over episodes."""
        return {
            "section": self.section,
            "name": self.name,
            "caption": self.caption,
            **figure_json(self.value),
            "beside": {label: figure_json(figure) for label, figure in self.beside.items()},
        }


def figure_json(figure: Measured) -> dict[str, float | None]:
    """`value`, `low` and `high`; null where there is none."""
    parts = (figure.value, figure.low, figure.high) if isinstance(figure, Estimate) else (figure, np.nan, np.nan)
    return {name: float(part) if np.isfinite(part) else None for name, part in zip(("value", "low", "high"), parts, strict=True)}


@dataclass(frozen=True)
class Table(Item):
    """Rows of text.

    Attributes:
        header: [C] texts.
        rows: [R][C] texts.
        records: the same as numbers for JSON, an entry for each row; empty where the texts say all.
    """

    header: list[str]
    rows: list[list[str]]
    records: list[dict[str, Any]] = field(default_factory=list, kw_only=True)

    def as_json(self) -> dict[str, Any]:
        """The records, or else the rows under their header."""
        rows = self.records or [dict(zip(self.header, row, strict=True)) for row in self.rows]
        return {"section": self.section, "name": self.name, "caption": self.caption, "rows": rows}


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
