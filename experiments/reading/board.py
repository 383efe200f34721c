"""Hangs exhibits in TensorBoard: scalars, images, PR curves, the projector and an overview in words."""

import logging
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path

import imageio.v2 as imageio
import numpy as np
import torch
from PIL import Image
from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[attr-defined]  (made at run time)
from torch.utils.tensorboard.summary import pr_curve, scalar
from torch.utils.tensorboard.writer import SummaryWriter

from experiments.reading.exhibits import Cloud, Curves, Detector, Exhibit, Film, Number, Picture, Pixels, Table, gif, png
from maze_gen.errors import InputError

FRAMES_IN_GIF = 240
SEQUENCE = 24
"""Frames of a film that also hang one by one, to be gone through with TensorBoard's slider."""


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
                    self._picture(exhibit.tag, exhibit.pixels, exhibit.words)
                case Film():
                    self._film(exhibit)
                case Number():
                    for who, value in {"agent": exhibit.value, **exhibit.beside}.items():
                        self._add(scalar(exhibit.tag, value), exhibit.words, 0, who)
                case Curves():
                    self._curves(exhibit)
                case Table():
                    self.writer.add_text(exhibit.tag, markdown(exhibit))
                case Detector():
                    self._add(pr_curve(exhibit.tag, exhibit.labels, _ranks(exhibit.scores)), exhibit.words, 0)
                case Cloud():
                    self._cloud(exhibit)

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()

    def _add(self, summary: Summary, words: str, step: int, run: str = "agent") -> None:
        summary.value[0].metadata.summary_description = words
        file_writer = self._run(run)._get_file_writer()
        assert file_writer is not None
        file_writer.add_summary(summary, step)

    def _picture(self, tag: str, pixels: Pixels, words: str, step: int = 0) -> None:
        self._encoded(tag, png(pixels), pixels.shape, words, step)

    def _encoded(self, tag: str, content: bytes, shape: Sequence[int], words: str, step: int) -> None:
        image = Summary.Image(height=shape[0], width=shape[1], colorspace=3, encoded_image_string=content)
        self._add(Summary(value=[Summary.Value(tag=tag, image=image)]), words, step)

    def _film(self, film: Film) -> None:
        thin = max(1, -(-len(film.frames) // FRAMES_IN_GIF))
        self._encoded(f"{film.tag}, film", gif(film.frames[::thin], film.rate / thin), film.frames.shape[1:], film.words, 0)
        for index in np.unique(np.linspace(0, len(film.frames) - 1, min(SEQUENCE, len(film.frames))).astype(int)):
            self._picture(f"{film.tag}, step by step", film.frames[index], film.words, int(film.steps[index]))
        write_film(self.folder / f"{film.name}.mp4", film)

    def _curves(self, curves: Curves) -> None:
        for number, (label, (x, y)) in enumerate(curves.lines.items()):
            for at, value in zip(x.tolist(), y.tolist(), strict=True):
                if np.isfinite(value):
                    self._add(scalar(curves.tag, value), curves.words, at, "agent" if number == 0 else label)

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


def write_film(path: Path, film: Film) -> None:
    """The film as an mp4 file, written whole or not at all.

    Raises:
        InputError: the place can't be written.
    """
    part = path.with_name(f".{path.stem}.part.mp4")
    try:
        imageio.mimwrite(part, list(film.frames), fps=film.rate, macro_block_size=2, codec="libx264", quality=7)  # type: ignore[arg-type]
        part.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def markdown(table: Table) -> str:
    """A table, with its words above it, in Markdown."""
    lines = [table.header, ["---"] * len(table.header), *table.rows]
    return "\n".join([table.words, "", *("| " + " | ".join(line) + " |" for line in lines)])
