"""Paintings in the course of a training, as pictures in TensorBoard, and the page that a training leaves behind."""

import contextlib
import time
import warnings
from pathlib import Path

from agents.checkpoint import Checkpoint
from agents.checkpoint_saver import is_finite
from agents.trainer import Callback, Trainer
from experiments.analysis.items import Item, Number, Picture, png
from experiments.analysis.report import write_report
from experiments.event_file import EventFile
from experiments.painting import sheets
from experiments.painting.evaluation import PaintingEvaluation, evaluate_painter
from experiments.painting.gallery import Gallery, paint, painter, painting_task
from experiments.provenance import provenance
from experiments.summaries import image, scalar
from maze_gen.errors import Note

MINUTES = 1.0
"""Between two looks at the paintings; one takes about half a second."""
SHOWN = 64
FOLDER = "live"


def pictures_of(gallery: Gallery) -> dict[str, sheets.Pixels]:
    """Name → picture."""
    found = {"paintings": sheets.samples(gallery), "canvases step by step": sheets.sequences(gallery)}
    if gallery.target is not None:
        found["targets over paintings"] = sheets.targets_over_reconstructions(gallery)
    return found


MEMBERS_PICTURE = "members side by side"


class GalleryCallback(Callback):
    """Paints with the agent as it is now and then, and writes the pictures to TensorBoard's run `live`."""

    def __init__(self, folder: Path, minutes: float = MINUTES) -> None:
        self.folder = folder / FOLDER
        self._minutes = minutes
        self._next = time.monotonic() + 60 * minutes

    def tick(self, trainer: Trainer) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + 60 * self._minutes
            checkpoint = trainer.checkpoint()
            # An agent that has diverged can't be played; the next save says so.
            if is_finite(checkpoint):
                try:
                    self.show(checkpoint)
                except OSError as error:
                    where = f"cannot write {self.folder}: {error.strerror or error}"
                    warnings.warn(f"{where}; the next pictures will try again", Note, stacklevel=2)

    def show(self, checkpoint: Checkpoint) -> None:
        """Writes the pictures of a checkpoint.

        Raises:
            OSError: they can't be written.
        """
        gallery = paint(painting_task(checkpoint), painter(checkpoint, SHOWN, 1), SHOWN, 1)
        with contextlib.closing(EventFile(self.folder)) as file:
            for name, picture in pictures_of(gallery).items():
                tag, (height, width) = f"Paintings/{name}", picture.shape[:2]
                file.add(image(tag, png(picture), (height, width), name, _CAPTIONS[name]), checkpoint.frames)
            if gallery.target is not None:
                title = f"distance after {checkpoint.frames} steps of training"
                for step, distance in enumerate(sheets.distance_along(gallery)):
                    file.add(scalar(f"Paintings/{title}", float(distance), title, _NUMBERS["distance"][1]), step)


def write_gallery(checkpoint: Checkpoint, path: Path, count: int, seed: int) -> PaintingEvaluation:
    """Evaluates a painter, and writes the page about it.

    Raises:
        InputError: the agent doesn't paint, or the file can't be written.
    """
    found = evaluate_painter(checkpoint, count, seed)
    mine, others = next(iter(found.rows.values())), dict(list(found.rows.items())[1:])
    section = "1 Paintings"
    items: list[Item] = []
    for value, (name, caption) in _NUMBERS.items():
        if getattr(mine, value) is not None:
            beside = {label: getattr(other, value) for label, other in others.items() if getattr(other, value) is not None}
            items.append(Number(section, name, caption, getattr(mine, value), beside, key=True))
    members = {MEMBERS_PICTURE: sheets.side_by_side(found.members)} if found.members else {}
    for name, picture in (pictures_of(found.gallery) | members).items():
        items.append(Picture(section, name, _CAPTIONS[name], picture, key=True))
    write_report(path, items, f"{checkpoint.agent_name} in {found.task}", provenance())
    return found


_NUMBERS = {
    "features": ("Fréchet distance", "Squared Fréchet distance to real pictures, in the features of a classifier of digits."),
    "components": ("distance in components", "The same in the first 32 principal components of real pictures."),
    "distance": ("distance to the target", "Mean squared difference of canvas and target, in per cent of the largest possible."),
    "others": ("distance to others' targets", "The same to the target of another painting."),
    "read": ("read as the target's class", "Share of the paintings in which the classifier reads what the target shows."),
    "found": ("true strokes found", "Share of the targets' strokes that were painted as strokes; the painter sees none of them."),
    "coverage": ("coverage", "Share of the real pictures that have a painting among their nearest neighbours."),
    "spread": ("spread", "How much paintings differ from each other, as a fraction of what real pictures do."),
}
"""Figure → name and caption."""

_CAPTIONS = {
    "paintings": "Strokes of whole episodes, painted again at 64 x 64 by the embedded brush.",
    "canvases step by step": "A row for each painting: the canvas after each step.",
    MEMBERS_PICTURE: "A row for each member of the population: its paintings, of the same noise in each column.",
    "targets over paintings": "Above the targets, below what was painted.",
}
