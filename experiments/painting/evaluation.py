"""What an evaluation of a painter says: its figures beside others' who paint the same, and beside real pictures."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.checkpoint import Checkpoint
from env.painting.pictures import Pictures, load_pictures
from env.painting.task import PaintingTask
from experiments.painting.gallery import Gallery, paint, painter, painting_task, random_painter
from experiments.painting.measures import Images, Measured, Painted, Ruler
from experiments.painting.parses import parsed
from experiments.painting.search import GreedySearch
from experiments.tables import number, percent, text_table

COLUMNS: dict[str, Callable[[Measured], str | None]] = {
    "features": lambda found: _given(found.features, 1),
    "components": lambda found: _given(found.components, 2),
    "distance": lambda found: _given(found.distance, 2),
    "to others": lambda found: _given(found.others, 2),
    "read": lambda found: None if found.read is None else percent(found.read),
    "strokes": lambda found: _given(found.strokes, 1),
    "found": lambda found: None if found.found is None else percent(found.found),
    "strokes a true one": lambda found: None if found.parse is None else number(found.parse.strokes, 2),
    "classes": lambda found: None if found.covered is None else str(found.covered),
    "coverage": lambda found: None if found.coverage is None else percent(found.coverage),
    "spread": lambda found: percent(found.spread) + (" collapsed" if found.collapsed else ""),
}
"""Of the table, by header; what no row has is left out. See `Measured`."""


def _given(value: float | None, digits: int) -> str | None:
    return None if value is None else number(value, digits)


@dataclass(frozen=True)
class PaintingEvaluation:
    """Figures by who painted.

    Attributes:
        agent, task: names.
        split: of the pictures that targets are of, and that paintings are compared with.
        count: paintings of each row.
        rows: label → figures; the agent's is the first.
        gallery: what the agent painted.
        members: what each member of its population painted; empty without one.
    """

    agent: str
    task: str
    split: str
    count: int
    rows: dict[str, Measured]
    gallery: Gallery
    members: tuple[Gallery, ...] = ()

    def table(self) -> str:
        """As text."""
        columns = [name for name, show in COLUMNS.items() if any(show(found) is not None for found in self.rows.values())]
        lines = [[label, *(COLUMNS[name](found) or number(None) for name in columns)] for label, found in self.rows.items()]
        return text_table([["painted by", *columns], *lines], left=1)

    def as_json(self) -> dict[str, Any]:
        """The same, in full."""
        rows = {
            label: dataclasses.asdict(found)
            | {"covered": found.covered, "collapsed": found.collapsed}
            | {"classes": {str(key): share for key, share in (found.classes or {}).items()}}
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
    others = baselines(ruler, task, checkpoint.task.pictures, count, seed)
    members = tuple(paint(task, painter(member, count, seed), count, seed) for member in checkpoint.members)
    each = {f"member {index + 1}": ruler.measure(painted(found)) for index, found in enumerate(members)}
    rows = {checkpoint.agent_name: ruler.measure(painted(mine)), **each, **others}
    return PaintingEvaluation(checkpoint.agent_name, task.name, task.split, count, rows, mine, members)


def baselines(ruler: Ruler, task: PaintingTask, real: Pictures, count: int, seed: int) -> dict[str, Measured]:
    """Figures of a random painter, a greedy search, blank canvases, the mean picture and real pictures.

    Doodles, too, are measured beside a search that has targets: the pictures that doodles are compared with.

    Args:
        real: other pictures of the kind.
    """
    rows = {"random": ruler.measure(painted(paint(task, random_painter(count, seed), count, seed)))}
    search = dataclasses.replace(task, goal="redraw") if not task.has_target else task
    found = paint(search, GreedySearch(search, count, seed), count, seed)
    rows["greedy search"] = ruler.measure(painted(found))
    target, label = (found.target, painted(found).label) if task.has_target else (None, None)
    mean = np.rint(task.pictures.images.mean(0)).astype(np.uint8)
    for name, image in (("blank", np.full_like(mean, 255)), ("mean picture", mean)):
        rows[name] = ruler.measure(Painted(_repeated(image, count), target, label))
    chosen = np.random.default_rng(seed).permutation(len(real))[:count]
    rows["real pictures"] = ruler.measure(Painted(real.images[chosen]))
    return rows


def painted(gallery: Gallery) -> Painted:
    """A gallery, to be measured."""
    if gallery.target is None:
        return Painted(gallery.canvas, strokes=gallery.strokes)
    pictures = gallery.task.pictures
    label, parse = pictures.labels[gallery.picture], None
    if pictures.strokes and gallery.task.action.compound:
        parse = parsed(gallery.programs, [pictures.strokes[index] for index in gallery.picture])
    return Painted(gallery.canvas, gallery.target, label if (label >= 0).all() else None, gallery.strokes, parse)


def heldout(task: PaintingTask) -> PaintingTask:
    """The same rules with held-out pictures; those of a folder are what the checkpoint has."""
    if not task.pictures.source or task.split == "heldout":
        return task
    pictures = load_pictures(task.pictures.source, "heldout", task.side, task.action.colours > 0)
    return dataclasses.replace(task, pictures=pictures, split="heldout")


def _repeated(image: Images, count: int) -> Images:
    return np.ascontiguousarray(np.broadcast_to(image, (count, *image.shape)))
