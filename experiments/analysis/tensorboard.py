"""Writes items into a TensorBoard log folder: scalars, images, PR curves, the projector, and tables as text."""

import logging
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[attr-defined]  (made at run time)
from torch.utils.tensorboard.summary import pr_curve
from torch.utils.tensorboard.writer import SummaryWriter

from experiments.analysis.intervals import value_of
from experiments.analysis.items import Curves, Detections, Film, Item, Number, Picture, Pixels, PointCloud, Table, png
from experiments.analysis.statistics import Estimate
from experiments.analysis.video import gif
from experiments.event_file import EventFile
from experiments.summaries import image, scalar, text
from experiments.tables import markdown_table
from maze_gen.errors import InputError
from maze_gen.files import write_whole
from maze_gen.raster import resize

FRAMES_IN_GIF = 240
SEQUENCE = 60
"""Frames of a film that are also written one by one, for TensorBoard's slider."""

ORDER = (
    "what is analysed here",
    "figures",
    "position accuracy",
    "position error in cells of path",
    "decoders compared",
    "posterior along a path",
    "posterior after a respawn",
    "entropy of the posterior over an episode",
    "entropy of the posterior after a spawn",
    "position accuracy after a spawn",
    "position accuracy by milliseconds since spawn",
    "position accuracy in a cell visited before",
    "position accuracy by visit to the cell",
    "decoding the",
    "map of position accuracy in percent",
    "map of the position error in cells of path",
    "confusion of cells over the maze",
    "confusion of cells as a matrix",
    "loop-closure F1",
    "loop-closure average precision",
    "loop-closure correlation",
    "precision and recall",
    "loop closures on a path",
    "accuracy of D1",
    "accuracy of D2",
    "predicted and true depth",
    "depth accuracy by pixel",
    "confusion of depth classes",
    "episode return",
    "worth of memory",
    "trip times by number",
    "seconds to the first goal",
    "seconds to later goals",
    "SPL of the first trip",
    "path efficiency of later trips",
    "paths of three episodes",
    "occupancy of each cell in percent",
    "value along a path",
    "value over an episode",
    "time to the goal",
    "path length to the goal",
    "after the goal moved",
    "fraction of units with spatial information",
    "place fields of the most informative units",
    "spatial information of single units",
    "t-SNE of the network's states",
)
"""Beginnings of names, in the order in which the pages are read. TensorBoard sorts a page by tag, so tags begin with the index in
this list: the same one for every agent, so that the same items of two analyses share a chart."""


ENDS = ("lower end of all intervals", "upper end of all intervals")
"""Runs beside the agent's and the references'."""


def tag(item: Item, suffix: str = "") -> str:
    """The tag under which TensorBoard sorts an item; its name is shown instead of the tag."""
    fitting = [start for start in ORDER if item.name.startswith(start)]
    index = ORDER.index(max(fitting, key=len)) + 1 if fitting else len(ORDER) + 1
    return f"{item.section}/{index:02d} {item.name}{suffix}"


class BoardWriter:
    """Writes a TensorBoard log folder.

    The agent's items go into the run `agent`. Its references go under the same tag into runs of their own, such as `chance`, so
    that TensorBoard draws both into one chart.

    Args:
        frames: that the agent was trained for, the step of all single figures: analyses of one training at several times are
            points of one curve.
    """

    def __init__(self, folder: Path, frames: int = 0) -> None:
        self.folder = folder
        self.frames = frames
        self._files: dict[str, EventFile] = {}
        try:
            self._run("agent")
        except OSError as error:
            raise InputError(f"cannot write {folder}: {error.strerror}") from error

    def _run(self, name: str) -> EventFile:
        if name not in self._files:
            # TensorBoard would show an earlier analysis in the same folder together with this one.
            for old in (self.folder / name).glob("events.out.tfevents.*"):
                old.unlink()
            (self.folder / name / "projector_config.pbtxt").unlink(missing_ok=True)
            shutil.rmtree(self.folder / name / "00000", ignore_errors=True)
            self._files[name] = EventFile(self.folder / name)
        return self._files[name]

    def write(self, items: Sequence[Item]) -> None:
        """Writes every item, with its caption where TensorBoard shows captions."""
        for item in items:
            match item:
                case Picture():
                    self._picture(item, item.pixels)
                case Film():
                    self._film(item)
                case Number():
                    for run, figure in {"agent": item.value, **item.beside, **ends_of(item)}.items():
                        self._scalar(item, value_of(figure), self.frames, run)
                case Curves():
                    self._curves(item)
                case Table():
                    shown = f"{item.caption}\n\n{markdown_table([item.header, *item.rows])}"
                    self._write(text(tag(item), shown, item.name, item.caption), 0)
                case Detections():
                    summary = pr_curve(tag(item), item.labels, _ranks(item.scores))
                    summary.value[0].metadata.display_name = item.name
                    summary.value[0].metadata.summary_description = item.caption
                    self._write(summary, 0)
                case PointCloud():
                    self._point_cloud(item)

    def close(self) -> None:
        for file in self._files.values():
            file.close()

    def _write(self, summary: Summary, step: int, run: str = "agent") -> None:
        self._run(run).add(summary, step)

    def _scalar(self, item: Number | Curves, value: float, step: int, run: str) -> None:
        self._write(scalar(tag(item), value, item.name, item.caption), step, run)

    def _picture(self, item: Item, pixels: Pixels, suffix: str = "", step: int = 0) -> None:
        self._encoded(item, png(pixels), pixels, suffix, step)

    def _encoded(self, item: Item, content: bytes, pixels: Pixels, suffix: str = "", step: int = 0) -> None:
        height, width = pixels.shape[:2]
        self._write(image(tag(item, suffix), content, (height, width), item.name + suffix, item.caption), step)

    def _film(self, film: Film) -> None:
        thin = max(1, -(-len(film.frames) // FRAMES_IN_GIF))
        self._encoded(film, gif(film.frames, film.rate, thin), film.frames[0], ", film")
        for index in np.unique(np.linspace(0, len(film.frames) - 1, min(SEQUENCE, len(film.frames))).astype(int)).tolist():
            self._picture(film, film.frames[index], ", step by step", int(film.steps[index]))
        write_whole(self.folder / f"{film.name}.webm", film.webm)

    def _curves(self, curves: Curves) -> None:
        for number, (label, (x, y)) in enumerate(curves.lines.items()):
            for at, value in zip(x.tolist(), y.tolist(), strict=True):
                if np.isfinite(value):
                    self._scalar(curves, value, at, "agent" if number == 0 else label)

    def _point_cloud(self, cloud: PointCloud) -> None:
        pictures = None
        if cloud.thumbnails is not None:
            # TensorBoard takes all thumbnails in one picture of at most 8192 x 8192 pixels.
            size = min(cloud.thumbnails.shape[1], 8192 // int(np.ceil(np.sqrt(len(cloud.points)))))
            small = [resize(picture, size, size) for picture in cloud.thumbnails]
            pictures = torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2).float() / 255
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            logging.getLogger("tensorboard").setLevel(logging.ERROR)
            with SummaryWriter(str(self.folder / "agent")) as writer:
                writer.add_embedding(
                    torch.from_numpy(cloud.points),
                    metadata=cloud.labels,
                    metadata_header=cloud.header,
                    label_img=pictures,
                    tag=cloud.name.replace(" ", "_"),
                )


def ends_of(number: Number) -> dict[str, float]:
    """The ends of the range that all intervals of a figure and its references span, under the names of `ENDS`.

    Of three points or more TensorBoard takes the highest and the lowest for outliers, and scales a chart without them: with these
    two every figure lies within its chart.
    """
    if not number.beside:
        return {}
    parts = [
        (part.low, part.high) if isinstance(part, Estimate) else (part, part) for part in (number.value, *number.beside.values())
    ]
    return dict(zip(ENDS, (min(low for low, _ in parts), max(high for _, high in parts)), strict=True))


def _ranks(scores: np.ndarray) -> np.ndarray:
    """Scores [K] → fraction of scores below each: the same curve, but TensorBoard's evenly spaced thresholds cover all of it."""
    ordered = np.sort(scores)
    return np.searchsorted(ordered, scores, side="left") / max(1, len(scores) - 1)
