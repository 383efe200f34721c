"""What a step of painting takes: paint or move, where to, and with what; as numbers, and what the numbers stand for.

All lengths are fractions of the canvas's side: x to the right and y downwards, (0, 0) its upper left corner, (1, 1) its lower
right one. So a stroke means the same on a canvas of any size.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from env.batch import ActionPart, ActionSpec
from maze_gen.errors import InputError

MOVE, PAINT = 0, 1
"""Choices of the part `flag` of simple strokes."""
GO_ON, END = 0, 1
"""Choices of the part `flag` of compound strokes."""
FLAG, PLACE, CONTROL = 0, 1, 2
"""Entries of an action that every simple form has; compound ones lack the control point."""
MOST_GRID, MOST_CHOICES = 64, 64


@dataclass(frozen=True)
class ActionForm:
    """Which strokes an action can name (arXiv 1910.01007, appendix A).

    A *simple* action has the parts flag, end, control, size, pressure and, with colours, red, green and blue. Painting lays a
    quadratic Bézier curve from the pen's place to `end`, drawn towards `control`; moving only places the pen.

    A *compound* action lacks the control point. Each adds a point to the present stroke; where its flag says so, the stroke ends
    there and is laid as a cubic spline through all of its points, with the size, pressure and colour of the first one.

    Attributes:
        grid: places are the centres of grid x grid cells.
        radii: of the brush at full pressure, fractions of the canvas's side.
        pressures: from above 0 to 1.
        colours: levels of each of red, green and blue; 0 paints in black.
        compound: whether strokes are compound.
    """

    grid: int = 16
    radii: tuple[float, ...] = (0.03, 0.05, 0.08)
    pressures: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
    colours: int = 0
    compound: bool = False

    def __post_init__(self) -> None:
        """Raises InputError where a choice makes no sense."""
        for name, least, most in (("grid", 2, MOST_GRID), ("colours", 0, MOST_CHOICES)):
            value = getattr(self, name)
            if (
                isinstance(value, bool)
                or not isinstance(value, int)
                or not least <= value <= most
                or (name, value) == ("colours", 1)
            ):
                but = ", but not 1" if name == "colours" else ""
                raise InputError(f"{name} {value!r}: expected a whole number from {least} to {most}{but}")
        for name, most in (("radii", 0.5), ("pressures", 1.0)):
            values = getattr(self, name)
            fits = isinstance(values, tuple) and 1 <= len(values) <= MOST_CHOICES
            # Written so that NaN is out of range.
            if not fits or not all(isinstance(value, int | float) and 0 < value <= most for value in values):
                raise InputError(f"{name} {values!r}: expected 1 to {MOST_CHOICES} numbers above 0 and up to {most:g}")
        if not isinstance(self.compound, bool):
            raise InputError(f"compound {self.compound!r}: expected True or False")

    @property
    def channels(self) -> int:
        """Of the canvas: 3 with colours, else 1."""
        return 3 if self.colours else 1

    @cached_property
    def spec(self) -> ActionSpec:
        """The parts of an action, to be chosen one after the other."""
        places = self.grid * self.grid
        flags = ("go on", "end") if self.compound else ("move", "paint")
        grid, painted = (self.grid, self.grid), None if self.compound else (FLAG, PAINT)
        parts = [ActionPart("flag", 2, flags), ActionPart("end", places, grid=grid)]
        if not self.compound:
            parts.append(ActionPart("control", places, grid=grid, only_if=painted))
        looks = {"size": len(self.radii), "pressure": len(self.pressures)}
        looks |= {name: self.colours for name in ("red", "green", "blue") if self.colours}
        parts += [ActionPart(name, size, only_if=painted) for name, size in looks.items()]
        return ActionSpec(tuple(parts), autoregressive=True)

    @property
    def places(self) -> tuple[int, ...]:
        """The entries of an action that are places on the grid."""
        return (PLACE,) if self.compound else (PLACE, CONTROL)

    def decode(self, actions: npt.NDArray[np.int64]) -> "Chosen":
        """What actions [N, K] stand for."""
        first = PLACE + len(self.places)
        colours = np.zeros((len(actions), 3), np.float32)
        if self.colours:
            colours[:] = actions[:, first + 2 :].astype(np.float32) / np.float32(self.colours - 1)
        return Chosen(
            flag=actions[:, FLAG],
            end=self.place_of(actions[:, PLACE]),
            control=None if self.compound else self.place_of(actions[:, CONTROL]),
            radius=np.array(self.radii, np.float32)[actions[:, first]],
            pressure=np.array(self.pressures, np.float32)[actions[:, first + 1]],
            colour=colours,
        )

    def place_of(self, cells: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """The centres [..., 2], x and y, of cells [...] of the grid, which are numbered row after row."""
        centres = (np.stack((cells % self.grid, cells // self.grid), -1).astype(np.float32) + np.float32(0.5)) / np.float32(
            self.grid
        )
        return centres.astype(np.float32)


@dataclass(frozen=True)
class Chosen:
    """Actions of N rows in the units of the canvas.

    Attributes:
        flag: [N] int64.
        end, control: [N, 2] float32; compound strokes have no control point.
        radius, pressure: [N] float32.
        colour: [N, 3] float32, red, green and blue from 0 to 1; 0 in black.
    """

    flag: npt.NDArray[np.int64]
    end: npt.NDArray[np.float32]
    control: npt.NDArray[np.float32] | None
    radius: npt.NDArray[np.float32]
    pressure: npt.NDArray[np.float32]
    colour: npt.NDArray[np.float32]


PAPER_FORM = ActionForm(
    grid=32,
    radii=tuple(pixels / 256 for pixels in (1, 2, 4, 8, 12, 24)),
    pressures=tuple((1 + index) / 10 for index in range(10)),
    colours=20,
)
"""The action of arXiv 1910.01007 with libmypaint: [2, 1024, 1024, 6, 10, 20, 20, 20]; its sizes are pixels of 256."""
