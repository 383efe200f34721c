"""What the tests of painting share."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from env.painting.action import ActionForm
from env.painting.strokes import Strokes, quadratic

FORM = ActionForm()


def random_strokes(rows: int, seed: int = 0, form: ActionForm = FORM) -> Strokes:
    """A random quadratic stroke on each of the rows, as actions name them, from a random place."""
    generator = np.random.default_rng(seed)
    chosen = form.decode(np.stack([generator.integers(size, size=rows) for size in form.spec.sizes], 1))
    start = form.place_of(generator.integers(form.grid**2, size=rows))
    strokes = Strokes.empty(rows, 1)
    assert chosen.control is not None
    strokes.pieces[:] = 1
    strokes.points[:] = quadratic(start, chosen.control, chosen.end)
    strokes.radius[:], strokes.colour[:] = chosen.radius, chosen.colour
    strokes.pressure[:] = np.stack((chosen.pressure[::-1], chosen.pressure), 1)
    return strokes


def white(rows: int, side: int, channels: int = 1) -> npt.NDArray[np.uint8]:
    return np.full((rows, side, side, channels), 255, np.uint8)


def random_actions(sizes: tuple[int, ...], steps: int, rows: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """[steps, rows, parts]"""
    generator = np.random.default_rng(seed)
    return np.stack([generator.integers(size, size=(steps, rows)) for size in sizes], -1)


CURVES = (
    '<path d="M10,20c20-5,40,5,80,0"/>',
    '<path id="b" d="M 50 10 C 40,30 40,60 50,95"/>',
    '<path d="m20,60 q30,-20 60,0"/>',
    '<path d="M20,80 L80,90 H30"/>',
)


def write_characters(folder: Path, count: int) -> None:
    """SVG files of one to four strokes each, none like another."""
    for index in range(count):
        strokes = "\n".join(CURVES[: 1 + index % 4]) + f'<path d="M{5 + index},5 L{5 + index},{50 + index}"/>' * (index > 3)
        (folder / f"{index:02}.svg").write_text(f'<svg viewBox="0 0 109 109"><g>{strokes}</g></svg>')


@pytest.fixture(scope="session")
def characters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 24 characters."""
    folder = tmp_path_factory.mktemp("characters")
    write_characters(folder, 24)
    return folder


def has_mypaint() -> bool:
    from env.painting.mypaint_files import read_brush, surface_library
    from maze_gen.errors import InputError

    try:
        surface_library()
        read_brush("classic/pen")
    except InputError:
        return False
    return True


needs_mypaint = pytest.mark.skipif(not has_mypaint(), reason="libmypaint-1.5-1 and mypaint-brushes aren't installed here")
