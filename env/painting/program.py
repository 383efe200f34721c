"""Paintings as programs: the strokes of an episode as data, written as JSON or SVG, painted again by any brush at any size."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from env.memory import check_memory
from env.painting.brush import Brush
from env.painting.stamp import StampBrush
from env.painting.strokes import Strokes
from maze_gen.config_io import parse_json, read_as
from maze_gen.errors import InputError

FORMAT, VERSION = "knossos painting", 1
SIDES = (8, 4096)
MOST_STROKES, MOST_PIECES = 1_000_000, 10_000


@dataclass(frozen=True)
class Stroke:
    """One stroke; lengths in canvas sides, see `env.painting.strokes.Strokes`.

    Attributes:
        points: control points of its Bézier pieces, 1 + 3 M of (x, y).
        radius: at full pressure.
        pressure: at its start and at its end.
        colour: red, green and blue, 0 to 1.
    """

    points: tuple[tuple[float, float], ...]
    radius: float
    pressure: tuple[float, float]
    colour: tuple[float, float, float]

    def __post_init__(self) -> None:
        """Raises InputError where it can't be laid."""
        points = self.points
        if not 4 <= len(points) <= 1 + 3 * MOST_PIECES or len(points) % 3 != 1 or any(len(point) != 2 for point in points):
            raise InputError(f"a stroke has {len(points)} points: expected 1 + 3 M pairs, M Bezier pieces of 1 to {MOST_PIECES}")
        limits = (
            ("points", [number for point in points for number in point], -10, 10, 2 * len(points)),
            ("radius", [self.radius], 1e-6, 1, 1),
            ("pressure", self.pressure, 0, 1, 2),
            ("colour", self.colour, 0, 1, 3),
        )
        for name, values, low, high, count in limits:
            # Written so that NaN is out of range.
            if len(values) != count or not all(low <= value <= high for value in values):
                raise InputError(
                    f"a stroke's {name}: expected {count} numbers from {low} to {high}, got {str(list(values))[:60]}"
                )


Program = tuple[Stroke, ...]
"""A painting: strokes on white, in order."""


def stroke_of(strokes: Strokes, row: int) -> Stroke | None:
    """The stroke of a row, None where nothing is laid."""
    pieces = int(strokes.pieces[row])
    if pieces == 0:
        return None
    numbers: Any = strokes.points[row, : 1 + 3 * pieces].tolist()
    return Stroke(
        tuple((x, y) for x, y in numbers),
        float(strokes.radius[row]),
        tuple(strokes.pressure[row].tolist()),  # type: ignore[arg-type]
        tuple(strokes.colour[row].tolist()),  # type: ignore[arg-type]
    )


class ProgramRecorder:
    """Collects the strokes of a batch of canvases, one program a row.

    Args:
        strokes: the batch's; `env.painting.batch.PaintingBatch.strokes`.
    """

    def __init__(self, strokes: Strokes) -> None:
        self._strokes = strokes
        self._programs: list[list[Stroke]] = [[] for _ in range(strokes.rows)]

    def add(self) -> None:
        """Adds what the last step laid."""
        for row, program in enumerate(self._programs):
            stroke = stroke_of(self._strokes, row)
            if stroke is not None:
                program.append(stroke)

    def take(self, row: int) -> Program:
        """The program of a row, which begins anew then."""
        program, self._programs[row] = tuple(self._programs[row]), []
        return program


def paint_programs(
    programs: Sequence[Program], side: int, *, brush: str = "stamp", hardness: float = 1.0, colour: bool = True, threads: int = 1
) -> npt.NDArray[np.uint8]:
    """Canvases [B, side, side, 3 or 1] on which programs were painted.

    What a program gives depends on nothing but itself, the side and the brush.

    Args:
        side: pixels, 8 to 4096.
        brush: `stamp`, or `mypaint:` and a brush's name.

    Raises:
        InputError: another side, or a brush that isn't there.
    """
    if isinstance(side, bool) or not isinstance(side, int) or not SIDES[0] <= side <= SIDES[1]:
        raise InputError(f"side {side!r}: expected a whole number of pixels from {SIDES[0]} to {SIDES[1]}")
    check_memory(f"{len(programs)} paintings of {side} x {side} pixels", len(programs) * side * side * (3 if colour else 1))
    most = max((len(stroke.points) // 3 for program in programs for stroke in program), default=1)
    strokes = Strokes.empty(len(programs), most)
    canvas = np.full((len(programs), side, side, 3 if colour else 1), 255, np.uint8)
    opened = open_brush(brush, strokes, canvas, hardness, threads)
    for index in range(max((len(program) for program in programs), default=0)):
        strokes.pieces[:] = 0
        for row, program in enumerate(programs):
            if index < len(program):
                _set(strokes, row, program[index])
        opened.lay()
    opened.close()
    return canvas


def open_brush(
    brush: str, strokes: Strokes, canvas: npt.NDArray[np.uint8], hardness: float, threads: int, scale: int = 1
) -> Brush:
    """The brush of a name, see `PaintingTask.brush`.

    Raises:
        InputError: there is none of that name here.
    """
    if brush == "stamp":
        return StampBrush(strokes, canvas, hardness, threads)
    if not brush.startswith("mypaint:"):
        raise InputError(f"brush {brush!r}: expected 'stamp', or e.g. 'mypaint:classic/pen'")
    # Imported where it is used: it loads a library.
    from env.painting.mypaint import MypaintBrush

    return MypaintBrush(brush.removeprefix("mypaint:"), strokes, canvas, scale, threads)


def _set(strokes: Strokes, row: int, stroke: Stroke) -> None:
    strokes.pieces[row] = len(stroke.points) // 3
    strokes.points[row, : len(stroke.points)] = stroke.points
    strokes.radius[row], strokes.pressure[row], strokes.colour[row] = stroke.radius, stroke.pressure, stroke.colour


def to_json(program: Program) -> str:
    """A program as JSON; `from_json` gives the same again."""
    strokes = [
        {"points": stroke.points, "radius": stroke.radius, "pressure": stroke.pressure, "colour": stroke.colour}
        for stroke in program
    ]
    return json.dumps({"format": FORMAT, "version": VERSION, "strokes": strokes})


_FIELDS: dict[str, Any] = {
    "points": tuple[tuple[float, ...], ...],
    "radius": float,
    "pressure": tuple[float, ...],
    "colour": tuple[float, ...],
}


def from_json(text: str, origin: str) -> Program:
    """The program that `to_json` wrote.

    Raises:
        InputError: it isn't one; `origin` says where it came from.
    """
    content = parse_json(text, origin)
    known = isinstance(content, dict) and (content.get("format"), content.get("version")) == (FORMAT, VERSION)
    if not known or isinstance(content["version"], bool):
        raise InputError(f"{origin}: expected a {FORMAT} of version {VERSION}")
    strokes = content.get("strokes")
    if not isinstance(strokes, list) or len(strokes) > MOST_STROKES:
        raise InputError(f"{origin}: expected a list of up to {MOST_STROKES} strokes")
    program = []
    for index, one in enumerate(strokes):
        where = f"{origin}: stroke {index}"
        if not isinstance(one, dict) or set(one) != set(_FIELDS):
            raise InputError(f"{where}: expected {', '.join(_FIELDS)}")
        values = {name: read_as(kind, one[name], f"{where}: {name}") for name, kind in _FIELDS.items()}
        try:
            program.append(Stroke(**values))
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
    return tuple(program)


def read_program(path: Path) -> Program:
    """The program of a JSON file.

    Raises:
        InputError: it can't be read, or isn't one.
    """
    try:
        return from_json(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'not a text'}") from error
