"""Hangs exhibits in TensorBoard: scalars, images, PR curves, the projector and an overview in words."""

import logging
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata  # type: ignore[attr-defined]  (made at run time)
from tensorboard.plugins.image.metadata import create_summary_metadata as image_metadata
from tensorboard.plugins.scalar.metadata import create_summary_metadata as scalar_metadata
from tensorboard.plugins.text.metadata import create_summary_metadata as text_metadata
from tensorboard.util.tensor_util import make_tensor_proto
from torch.utils.tensorboard.summary import pr_curve
from torch.utils.tensorboard.writer import SummaryWriter

from experiments.analysis.items import Cloud, Curves, Detector, Exhibit, Film, Number, Picture, Pixels, Table, png
from experiments.analysis.video import gif, write_film
from maze_gen.errors import InputError

FRAMES_IN_GIF = 240
SEQUENCE = 60
"""Frames of a film that also hang one by one, to be gone through with TensorBoard's slider."""

ORDER = (
    "what is read here",
    "figures",
    "accuracy of naming the cell",
    "error in cells of path",
    "decoders compared",
    "posterior along a path",
    "posterior after a respawn",
    "doubt over an episode",
    "doubt after a spawn",
    "accuracy after a spawn",
    "accuracy by milliseconds since spawn",
    "accuracy in a cell seen before",
    "accuracy by visit to the cell",
    "what each layer knows",
    "map of accuracy in percent",
    "map of the error in cells of path",
    "confusion of cells over the maze",
    "confusion of cells as a matrix",
    "F1 of recognising a place",
    "area under the precision-recall curve",
    "precision and recall",
    "loop closures on a path",
    "accuracy of D1",
    "accuracy of D2",
    "predicted beside true depth",
    "accuracy of each pixel",
    "confusion of depth classes",
    "return of an episode",
    "seconds to the first goal",
    "seconds to later goals",
    "SPL of the first trip",
    "shortest by taken path on later trips",
    "paths of three episodes",
    "time spent in each cell in percent",
    "value along its path",
    "value over an episode",
    "time to the goal",
    "way to the goal",
    "after the goal moved",
    "share of units that know the place",
    "place fields of the best units",
    "spatial information of single units",
    "map of the agent's states",
)
"""How names begin, in the order of a walk through the pages. TensorBoard sorts a page by tag, so tags carry the place in this
list: the same one for every agent, so that the same exhibits of two readings still share a chart."""


def tag(exhibit: Exhibit, suffix: str = "") -> str:
    """The tag under which TensorBoard keeps and sorts an exhibit; it shows the name above it."""
    place = next((place for place, start in enumerate(ORDER, 1) if exhibit.name.startswith(start)), len(ORDER) + 1)
    return f"{exhibit.section}/{place:02d} {exhibit.name}{suffix}"


class Board:
    """A TensorBoard log folder.

    Exhibits go into the run `agent`. What an agent is held against goes under the same tag into runs of its own, such as
    `chance`, so that TensorBoard draws both into one chart.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writers: dict[str, SummaryWriter] = {}
        try:
            self.writer = self._run("agent")
        except OSError as error:
            raise InputError(f"cannot write {folder}: {error.strerror}") from error

    def _run(self, name: str) -> SummaryWriter:
        if name not in self._writers:
            # An earlier reading in the same place would be shown on top of this one.
            for old in (self.folder / name).glob("events.out.tfevents.*"):
                old.unlink()
            (self.folder / name / "projector_config.pbtxt").unlink(missing_ok=True)
            shutil.rmtree(self.folder / name / "00000", ignore_errors=True)
            self._writers[name] = SummaryWriter(str(self.folder / name))
        return self._writers[name]

    def hang(self, exhibits: Sequence[Exhibit]) -> None:
        """Writes every exhibit, with its words where TensorBoard shows them."""
        for exhibit in exhibits:
            match exhibit:
                case Picture():
                    self._picture(exhibit, exhibit.pixels)
                case Film():
                    self._film(exhibit)
                case Number():
                    for who, value in {"agent": exhibit.value, **exhibit.beside}.items():
                        # Of three points TensorBoard takes the highest and the lowest for outliers, and scales a chart
                        # without them. Twice each, all are in sight, as lines.
                        for step in (0, 1):
                            self._scalar(exhibit, value, step, who)
                case Curves():
                    self._curves(exhibit)
                case Table():
                    self._add(tag(exhibit), text_metadata(exhibit.name, exhibit.words), [markdown(exhibit).encode()])
                case Detector():
                    summary = pr_curve(tag(exhibit), exhibit.labels, _ranks(exhibit.scores))
                    summary.value[0].metadata.display_name = exhibit.name
                    summary.value[0].metadata.summary_description = exhibit.words
                    self._write(summary, 0)
                case Cloud():
                    self._cloud(exhibit)

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()

    def _add(self, name: str, metadata: SummaryMetadata, content: float | list[bytes], step: int = 0, run: str = "agent") -> None:
        # In the present form of summaries: of the older form TensorBoard's fast loader drops the words.
        tensor = make_tensor_proto(content, dtype=np.float32 if isinstance(content, float) else None)
        self._write(Summary(value=[Summary.Value(tag=name, metadata=metadata, tensor=tensor)]), step, run)

    def _write(self, summary: Summary, step: int, run: str = "agent") -> None:
        file_writer = self._run(run)._get_file_writer()
        assert file_writer is not None
        file_writer.add_summary(summary, step)

    def _scalar(self, exhibit: Number | Curves, value: float, step: int, run: str) -> None:
        self._add(tag(exhibit), scalar_metadata(exhibit.name, exhibit.words), float(value), step, run)

    def _picture(self, exhibit: Exhibit, pixels: Pixels, suffix: str = "", step: int = 0) -> None:
        self._encoded(exhibit, png(pixels), pixels, suffix, step)

    def _encoded(self, exhibit: Exhibit, content: bytes, pixels: Pixels, suffix: str = "", step: int = 0) -> None:
        height, width = pixels.shape[:2]
        metadata = image_metadata(exhibit.name + suffix, exhibit.words)
        self._add(tag(exhibit, suffix), metadata, [str(width).encode(), str(height).encode(), content], step)

    def _film(self, film: Film) -> None:
        thin = max(1, -(-len(film.frames) // FRAMES_IN_GIF))
        self._encoded(film, gif(film.frames, film.rate, thin), film.frames[0], ", film")
        for index in np.unique(np.linspace(0, len(film.frames) - 1, min(SEQUENCE, len(film.frames))).astype(int)).tolist():
            self._picture(film, film.frames[index], ", step by step", int(film.steps[index]))
        write_film(self.folder / f"{film.name}.mp4", film)

    def _curves(self, curves: Curves) -> None:
        for number, (label, (x, y)) in enumerate(curves.lines.items()):
            for at, value in zip(x.tolist(), y.tolist(), strict=True):
                if np.isfinite(value):
                    self._scalar(curves, value, at, "agent" if number == 0 else label)

    def _cloud(self, cloud: Cloud) -> None:
        pictures = None
        if cloud.thumbnails is not None:
            # TensorBoard takes one sheet of at most 8192 x 8192 pixels with all thumbnails.
            size = min(cloud.thumbnails.shape[1], 8192 // int(np.ceil(np.sqrt(len(cloud.points)))))
            small = [np.asarray(Image.fromarray(picture).resize((size, size))) for picture in cloud.thumbnails]
            pictures = torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2).float() / 255
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            logging.getLogger("tensorboard").setLevel(logging.ERROR)
            self.writer.add_embedding(
                torch.from_numpy(cloud.points),
                metadata=cloud.labels,
                metadata_header=cloud.header,
                label_img=pictures,
                tag=cloud.name.replace(" ", "_"),
            )


def _ranks(scores: np.ndarray) -> np.ndarray:
    """Scores [K] as shares of scores below them: the same curve, but its evenly spaced thresholds reach all of it."""
    ordered = np.sort(scores)
    return np.searchsorted(ordered, scores, side="left") / max(1, len(scores) - 1)


def markdown(table: Table) -> str:
    """A table, with its words above it, in Markdown."""
    lines = [table.header, ["---"] * len(table.header), *table.rows]
    return "\n".join([table.words, "", *("| " + " | ".join(line) + " |" for line in lines)])
