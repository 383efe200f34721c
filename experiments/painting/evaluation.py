"""What an evaluation of a painter says: its figures beside a random painter, blank canvases and real pictures."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.checkpoint import Checkpoint
from env.painting.pictures import load_pictures
from env.painting.task import PaintingTask
from experiments.painting.gallery import Gallery, paint, painter, painting_task, random_painter
from experiments.painting.measures import Measured, Ruler
from experiments.tables import MISSING, number, percent, text_table


@dataclass(frozen=True)
class PaintingEvaluation:
    """Figures by who painted.

    Attributes:
        agent, task: names.
        split: of the pictures that targets are of, and that paintings are compared with.
        count: paintings of each row.
        rows: label → figures; the agent's is the first.
        gallery: what the agent painted.
    """

    agent: str
    task: str
    split: str
    count: int
    rows: dict[str, Measured]
    gallery: Gallery

    def table(self) -> str:
        """As text."""
        header = ["painted by", "Fréchet distance", "distance", "strokes", "classes", "spread"]
        return text_table([header, *(self._line(label, found) for label, found in self.rows.items())], left=1)

    @staticmethod
    def _line(label: str, found: Measured) -> list[str]:
        covered = MISSING if found.covered is None else str(found.covered)
        figures = [number(found.frechet, 2), number(found.distance, 2), number(found.strokes, 1), covered, percent(found.spread)]
        return [label, *figures]

    def as_json(self) -> dict[str, Any]:
        """The same, in full."""
        rows = {
            label: dataclasses.asdict(found)
            | {"covered": found.covered, "classes": {str(k): v for k, v in found.classes.items()}}
            for label, found in self.rows.items()
        }
        return {"agent": self.agent, "task": self.task, "split": self.split, "paintings": self.count, "figures": rows}


def evaluate_painter(checkpoint: Checkpoint, count: int, seed: int) -> PaintingEvaluation:
    """Paints `count` canvases of held-out targets, and measures them beside others.

    Raises:
        InputError: the agent doesn't paint, or there are too few pictures.
    """
    task = heldout(painting_task(checkpoint))
    ruler = Ruler(task.pictures)
    mine = paint(task, painter(checkpoint, count, seed), count, seed)
    random = paint(task, random_painter(count, seed), count, seed)
    rows = {checkpoint.agent_name: _measured(ruler, mine), "random": _measured(ruler, random)}
    if mine.target is not None:
        for label, canvas in (("blank", np.full_like(mine.canvas, 255)), ("mean picture", _mean_picture(mine))):
            rows[label] = ruler.measure(canvas, _distance(canvas, mine.target))
    real = checkpoint.task.pictures
    chosen = np.random.default_rng(seed).permutation(len(real))[:count]
    rows["real pictures"] = ruler.measure(real.images[chosen])
    return PaintingEvaluation(checkpoint.agent_name, task.name, task.split, count, rows, mine)


def heldout(task: PaintingTask) -> PaintingTask:
    """The same rules with held-out pictures; those of a folder are what the checkpoint has."""
    if not task.pictures.source or task.split == "heldout":
        return task
    pictures = load_pictures(task.pictures.source, "heldout", task.side, task.action.colours > 0)
    return dataclasses.replace(task, pictures=pictures, split="heldout")


def _measured(ruler: Ruler, gallery: Gallery) -> Measured:
    distance = float(gallery.distance.mean()) if gallery.target is not None else None
    return ruler.measure(gallery.canvas, distance, float(gallery.strokes.mean()))


def _mean_picture(gallery: Gallery) -> np.ndarray:
    mean = np.rint(gallery.task.pictures.images.mean(0)).astype(np.uint8)
    return np.broadcast_to(mean, gallery.canvas.shape)


def _distance(canvas: np.ndarray, target: np.ndarray) -> float:
    return float(100 * np.square((canvas.astype(np.float64) - target) / 255).mean())
