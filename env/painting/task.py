"""What is painted: the pictures, the rules of an episode, and what is observed."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from env.batch import ArraySpec, WorldSpec
from env.painting.action import ActionForm
from env.painting.pictures import Pictures
from maze_gen.errors import InputError

GOALS = ("doodle", "redraw", "parse")
SPLITS = ("train", "heldout")
MOST_STEPS = 10_000
SIDES = (8, 512)
NOISE = 10
"""Entries of the noise that an episode draws (arXiv 1910.01007, appendix I)."""


@dataclass(frozen=True)
class PaintingTask:
    """Canvases on which strokes are laid, one a step.

    Attributes:
        name: of the registry.
        pictures: what targets are drawn from, and what painters are to learn from.
        goal: `doodle` has no target, and rewards nothing by itself; `redraw` draws a target for every episode, and rewards the
            fall of the canvas's squared distance to it; `parse` is `redraw` with penalties.
        split: of `pictures`.
        steps: of an episode, which terminates then.
        action: which strokes an action can name.
        brush: `stamp` (the embedded one), or `mypaint:` and a brush of libmypaint, e.g. `mypaint:classic/pen`.
        hardness: of the embedded brush, from 0 (soft) to 1.
        scale: pixels that libmypaint paints for one of the canvas, each way.
        stroke_penalty: taken from the reward for each stroke that is begun.
        length_penalty: for each canvas's side of painted curve.
    """

    name: str
    pictures: Pictures = field(repr=False)
    goal: Literal["doodle", "redraw", "parse"] = "doodle"
    split: Literal["train", "heldout"] = "train"
    steps: int = 8
    action: ActionForm = field(default_factory=ActionForm)
    brush: str = "stamp"
    hardness: float = 1.0
    scale: int = 1
    stroke_penalty: float = 0.0
    length_penalty: float = 0.0

    def __post_init__(self) -> None:
        """Raises InputError where a rule makes no sense."""
        for name, allowed in (("goal", GOALS), ("split", SPLITS)):
            if getattr(self, name) not in allowed:
                raise InputError(f"task {self.name!r}: {name} {getattr(self, name)!r}: expected one of {', '.join(allowed)}")
        for name, least, most in (("steps", 2, MOST_STEPS), ("scale", 1, 16)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise InputError(f"task {self.name!r}: {name} {value!r}: expected a whole number from {least} to {most}")
        for name, most in (("hardness", 1.0), ("stroke_penalty", 1000.0), ("length_penalty", 1000.0)):
            value = getattr(self, name)
            # Written so that NaN is out of range.
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
                raise InputError(f"task {self.name!r}: {name} {value!r}: expected a number from 0 to {most:g}")
        if not SIDES[0] <= self.side <= SIDES[1] or self.side * self.scale > 4096:
            raise InputError(f"task {self.name!r}: canvases of {self.side} pixels: expected {SIDES[0]} to {SIDES[1]}")
        if self.pictures.channels != self.action.channels:
            raise InputError(
                f"task {self.name!r}: pictures {self.pictures.name!r} have {self.pictures.channels} channels and the brush "
                f"{self.action.channels}: grey pictures take colours=0, coloured ones 2 levels or more"
            )
        if self.brush != "stamp" and not self.brush.startswith("mypaint:"):
            raise InputError(f"task {self.name!r}: brush {self.brush!r}: expected 'stamp', or e.g. 'mypaint:classic/pen'")

    @property
    def side(self) -> int:
        """Pixels of a canvas, each way."""
        return self.pictures.side

    @property
    def has_target(self) -> bool:
        return self.goal != "doodle"

    @property
    def episode_steps(self) -> int:
        return self.steps

    def spec(self) -> WorldSpec:
        """What its canvases show and take."""
        return self._spec

    @cached_property
    def _spec(self) -> WorldSpec:
        picture = (self.side, self.side, self.action.channels)
        parts = len(self.action.spec.parts)
        seen = {"canvas": ArraySpec(picture, "uint8", "what has been painted, 255 where it is white", 0, 255, role="perceived")}
        if self.has_target:
            seen["target"] = ArraySpec(picture, "uint8", "what is to be painted", 0, 255, role="perceived")
        points = 1 + 3 * self.most_pieces
        # Strokes stay inside of the canvas, the control points of splines up to a third of it outside.
        privileged = {
            "picture": ArraySpec((), "int32", "index of the target into the task's pictures, -1 without one", -1),
            "label": ArraySpec((), "int32", "class of the target, -1 without one", -1),
            "distance": ArraySpec((), "float32", "mean squared distance of canvas and target, per cent of the largest", 0, 100),
            "result": ArraySpec(picture, "uint8", "the canvas after the last step, also where a new episode has begun", 0, 255),
            "pieces": ArraySpec(
                (), "int32", "Bezier pieces that the last step laid; 0 where it laid nothing", 0, self.most_pieces
            ),
            "points": ArraySpec((points, 2), "float32", "their control points, x and y in canvas sides", -1, 2),
            "stroke_radius": ArraySpec((), "float32", "of that stroke at full pressure, in canvas sides", 0, 1),
            "stroke_pressure": ArraySpec((2,), "float32", "at that stroke's start and end", 0, 1),
            "stroke_colour": ArraySpec((3,), "float32", "of that stroke: red, green and blue", 0, 1),
        }
        return WorldSpec(
            observations=seen
            | {
                "pen": ArraySpec(
                    (3,), "float32", "x and y in canvas sides; 1 where the next stroke goes on from there", 0, 1, role="perceived"
                ),
                "time": ArraySpec(
                    (2,),
                    "float32",
                    "fraction of the episode that is over; steps of an episode / 100",
                    0,
                    (1, MOST_STEPS / 100),
                    role="perceived",
                ),
                "effect": ArraySpec(
                    (parts,), "float32", "1 for each part of the last action that had an effect", 0, 1, role="perceived"
                ),
                "noise": ArraySpec((NOISE,), "float32", "drawn for the episode, about normal", -6, 6, role="perceived"),
            },
            privileged=privileged,
            statistics={"strokes": "strokes begun", "moves": "steps that laid no ink"},
            action=self.action.spec,
            episode_steps=self.steps,
            terminates=True,
        )

    @property
    def most_pieces(self) -> int:
        """Bezier pieces of the longest stroke."""
        return self.steps if self.action.compound else 1
