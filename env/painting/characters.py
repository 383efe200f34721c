"""Characters as strokes: KanjiVG's, or SVG files of one's own. Their strokes, in order, are the truth about a parse.

KanjiVG (kanjivg.tagaini.net, CC BY-SA 3.0) has kanji, kana, letters and digits, a file each, in which every stroke is a path.
"""

import re
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import numpy.typing as npt

from maze_gen.errors import InputError

MOST_STROKES = 5
"""Characters of KanjiVG with more of them are left out: an episode has no time for them."""
RADIUS = 0.03
"""Of the pen that characters are written with, a fraction of the picture's side."""
INSTALL = "pip install 'knossos[characters]'"

Curve = npt.NDArray[np.float32]
"""A stroke as cubic Bézier pieces, [1 + 3 M, 2] in fractions of the picture's side, as in `env.painting.strokes.Strokes`."""

_PLAIN_NAME = re.compile(r"[0-9a-f]{5}\.svg")
_PATH = re.compile(r"<path\b[^>]*?\sd\s*=\s*[\"']([^\"']*)[\"']", re.DOTALL)
_VIEW = re.compile(r"<svg\b[^>]*?\sviewBox\s*=\s*[\"']([^\"']*)[\"']", re.DOTALL)
_TOKEN = re.compile(r"([A-Za-z])|([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|([\s,]+)")
_NUMBERS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4}
"""Of each command that is read; small letters are relative to the place before."""


def kanjivg_folder() -> Path:
    """Where KanjiVG's files are installed.

    Raises:
        InputError: they aren't.
    """
    try:
        folder = Path(str(distribution("kanjivg").locate_file("kanji")))
    except PackageNotFoundError as error:
        raise InputError(f"pictures 'characters' are KanjiVG's, which isn't installed: {INSTALL}") from error
    if not folder.is_dir():
        raise InputError(f"pictures 'characters': the package kanjivg has no folder {folder}: {INSTALL}")
    return folder


def kanjivg_characters() -> Iterator[tuple[bytes, tuple[Curve, ...]]]:
    """KanjiVG's characters of 1 to `MOST_STROKES` strokes without variants, by code point: content, and strokes."""
    for path in sorted(kanjivg_folder().iterdir()):
        if _PLAIN_NAME.fullmatch(path.name):
            text = path.read_text(encoding="utf-8")
            if 1 <= text.count("<path") <= MOST_STROKES:
                yield _character(text, path)


def folder_characters(folder: Path) -> Iterator[tuple[bytes, tuple[Curve, ...]]]:
    """The SVG files of a folder, by name: content, and strokes.

    Raises:
        InputError: a file that can't be read, or without strokes.
    """
    for path in sorted(folder.glob("*.svg")):
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'not a text'}") from error
        yield _character(text, path)


def _character(text: str, path: Path) -> tuple[bytes, tuple[Curve, ...]]:
    """What a file's strokes are, as bytes that its licence and layout don't change; and the strokes."""
    content = "\n".join(_PATH.findall(text)).encode()
    return content, read_strokes(text, str(path))


def read_strokes(text: str, origin: str) -> tuple[Curve, ...]:
    """The paths of an SVG picture, in order, as strokes; other elements, transformations and arcs aren't read.

    Raises:
        InputError: it has no view box, no path, or a path that can't be read; `origin` says where it came from.
    """
    view, paths = _VIEW.search(text), _PATH.findall(text)
    if view is None or not paths:
        raise InputError(f"{origin}: expected an SVG picture with a viewBox and a path for each stroke")
    numbers = re.split(r"[\s,]+", view[1].strip())
    try:
        left, top, width, height = map(float, numbers)
    except ValueError as error:
        raise InputError(f"{origin}: viewBox {view[1]!r}: expected four numbers") from error
    side = max(width, height)
    # Written so that NaN is out of range.
    if not 0 < side < 1e6:
        raise InputError(f"{origin}: viewBox {view[1]!r}: expected a width and a height above 0")
    # Where one side is shorter, the picture is in the middle of the square.
    corner = np.array([left - (side - width) / 2, top - (side - height) / 2])
    strokes = tuple(((curve - corner) / side).astype(np.float32) for path in paths for curve in read_path(path, origin))
    if not all(np.isfinite(stroke).all() and (np.abs(stroke) <= 10).all() for stroke in strokes):
        raise InputError(f"{origin}: a stroke that is far outside of the picture")
    return strokes


def read_path(path: str, origin: str) -> list[npt.NDArray[np.float64]]:
    """The curves [1 + 3 M, 2] of an SVG path; each `M` begins one.

    Raises:
        InputError: it can't be read.
    """
    curves: list[list[npt.NDArray[np.float64]]] = []
    for command, values in _commands(path, origin):
        kind, numbers = command.upper(), np.array(values)
        here = curves[-1][-1] if curves else np.zeros(2)
        offset = here if command.islower() else np.zeros(2)
        if kind == "M":
            curves.append([numbers + offset])
            continue
        if not curves:
            raise InputError(f"{origin}: path {path[:40]!r}: expected it to begin with M")
        points = _piece(kind, numbers, offset, curves[-1])
        curves[-1] += points
    drawn = [np.array(curve) for curve in curves if len(curve) > 1]
    if not drawn:
        raise InputError(f"{origin}: path {path[:40]!r}: expected a curve")
    return drawn


def _piece(
    kind: str, numbers: npt.NDArray[np.float64], offset: npt.NDArray[np.float64], curve: Sequence[npt.NDArray[np.float64]]
) -> list[npt.NDArray[np.float64]]:
    """The three points that a command adds to a curve."""
    here = curve[-1]
    if kind in "HV":
        end = here.copy()
        axis = "HV".index(kind)
        end[axis] = numbers[0] + offset[axis]
        return [here + (end - here) / 3, here + (end - here) * 2 / 3, end]
    points = list(numbers.reshape(-1, 2) + offset)
    if kind == "L":
        return [here + (points[0] - here) / 3, here + (points[0] - here) * 2 / 3, points[0]]
    if kind == "Q":
        return [here + (points[0] - here) * 2 / 3, points[1] + (points[0] - points[1]) * 2 / 3, points[1]]
    if kind == "S":
        # The reflection of the control point before (SVG 1.1, section 8.3.6).
        return [2 * here - curve[-2] if len(curve) > 1 else here, *points]
    return points


def _commands(path: str, origin: str) -> Iterator[tuple[str, list[float]]]:
    """(letter, numbers) of each command; where numbers follow without a letter, it is the letter before, a line after M."""
    letter, values, place = "", [], 0
    while place < len(path):
        found = _TOKEN.match(path, place)
        if found is None or (found[2] and not letter):
            raise InputError(f"{origin}: path {path[:40]!r}: cannot be read at {path[place : place + 10]!r}")
        place = found.end()
        if found[1]:
            if values or (found[1].upper() not in (*_NUMBERS, "Z")):
                expected = ", ".join(_NUMBERS)
                raise InputError(
                    f"{origin}: path {path[:40]!r}: command {found[1]!r}: expected one of {expected}, and its numbers"
                )
            letter = "" if found[1] in "Zz" else found[1]
        elif found[2]:
            values.append(float(found[2]))
            if len(values) == _NUMBERS[letter.upper()]:
                yield letter, values
                values = []
                letter = {"M": "L", "m": "l"}.get(letter, letter)
    if values:
        raise InputError(f"{origin}: path {path[:40]!r}: it ends in the middle of a command")
