"""Names of painting tasks. A new one is a row of `PAINTING_TASKS`."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypedDict

from env.painting.action import PAPER_FORM, ActionForm
from env.painting.pictures import load_pictures
from env.painting.task import SIDES, SPLITS, PaintingTask
from maze_gen.errors import InputError

PAPER_SIDE = 64
FAST_FORM = ActionForm()


@dataclass(frozen=True)
class PaintingRow:
    """What a name stands for; see `PaintingTask`.

    Attributes:
        pictures: the set.
        side: pixels of a canvas.
    """

    pictures: str
    goal: Literal["doodle", "redraw", "parse"]
    side: int = 32
    steps: int = 8
    action: ActionForm = FAST_FORM
    stroke_penalty: float = 0.0
    length_penalty: float = 0.0


_COLOURED = ActionForm(radii=(0.02, 0.05, 0.12), colours=8)

PAINTING_TASKS: dict[str, PaintingRow] = {
    "doodle-digits": PaintingRow("digits", "doodle"),
    "redraw-digits": PaintingRow("digits", "redraw"),
    "parse-digits": PaintingRow(
        "digits", "parse", steps=16, action=ActionForm(compound=True), stroke_penalty=0.2, length_penalty=0.1
    ),
    "doodle-characters": PaintingRow("characters", "doodle", steps=16),
    "parse-characters": PaintingRow(
        "characters", "parse", steps=20, action=ActionForm(compound=True), stroke_penalty=0.2, length_penalty=0.1
    ),
    "doodle-views": PaintingRow("views", "doodle", side=64, steps=20, action=_COLOURED),
    "redraw-views": PaintingRow("views", "redraw", side=64, steps=20, action=_COLOURED),
}


class PaintingSettings(TypedDict, total=False):
    """Settings of a painting task, beside its name; also keyword arguments of `gymnasium.make`.

    Attributes:
        split: of the pictures, `train` (default) or `heldout`.
        pictures: a set, or a folder of pictures, instead of the task's own.
        side: pixels of a canvas.
        steps: of an episode.
        action: which strokes an action can name, see `ActionForm`; or single fields of it by their names:
        grid, radii, pressures, colours, compound.
        brush: `stamp` (default), or `mypaint:` and a brush of libmypaint.
        hardness, scale, stroke_penalty, length_penalty: see `PaintingTask`.
        preset: `paper` for the canvas and the actions of arXiv 1910.01007.
    """

    split: Literal["train", "heldout"]
    pictures: str | Path
    side: int
    steps: int
    action: ActionForm
    grid: int
    radii: tuple[float, ...]
    pressures: tuple[float, ...]
    colours: int
    compound: bool
    brush: str
    hardness: float
    scale: int
    stroke_penalty: float
    length_penalty: float
    preset: Literal["fast", "paper"]


FORM_FIELDS = ("grid", "radii", "pressures", "colours", "compound")
RULES = ("steps", "brush", "hardness", "scale", "stroke_penalty", "length_penalty")


def make_painting(name: str, settings: PaintingSettings | None = None) -> PaintingTask:
    """The painting task of a name.

    Raises:
        InputError: an unknown name, or a setting that makes no sense.
    """
    given: dict[str, Any] = {key: value for key, value in (settings or {}).items() if value is not None}
    if name not in PAINTING_TASKS:
        raise InputError(f"task {name!r}: expected one of {', '.join(PAINTING_TASKS)}")
    row, preset = PAINTING_TASKS[name], given.get("preset", "fast")
    if preset not in ("fast", "paper"):
        raise InputError(f"preset {preset!r}: expected fast or paper")
    form, side = row.action, row.side
    if preset == "paper":
        form, side = replace(PAPER_FORM, compound=form.compound, colours=PAPER_FORM.colours if form.colours else 0), PAPER_SIDE
    form = given.get("action", form)
    if not isinstance(form, ActionForm):
        raise InputError(f"action is {type(form).__name__}: expected an ActionForm")
    changed = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items() if key in FORM_FIELDS}
    form = replace(form, **changed)
    side, split = given.get("side", side), given.get("split", "train")
    if isinstance(side, bool) or not isinstance(side, int) or not SIDES[0] <= side <= SIDES[1]:
        raise InputError(f"side {side!r}: expected a whole number of pixels from {SIDES[0]} to {SIDES[1]}")
    if split not in SPLITS:
        raise InputError(f"split {split!r}: expected one of {', '.join(SPLITS)}")
    pictures = load_pictures(str(given.get("pictures", row.pictures)), split, side, form.colours > 0)
    rules = {key: getattr(row, key) for key in RULES if hasattr(row, key)} | {key: given[key] for key in RULES if key in given}
    return PaintingTask(name=name, pictures=pictures, goal=row.goal, split=split, action=form, **rules)
