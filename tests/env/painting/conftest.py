"""What the tests of painting share."""

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
