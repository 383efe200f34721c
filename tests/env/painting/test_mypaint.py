"""libmypaint behind the interface of brushes: where its ink lies, that it repeats, and what is said where it is missing."""

from pathlib import Path

import numpy as np
import pytest

from env.painting import mypaint_files
from env.painting.action import ActionForm
from env.painting.stamp import StampBrush
from env.painting.strokes import Strokes, curve, quadratic
from maze_gen.errors import InputError
from tests.env.painting.conftest import needs_mypaint, random_strokes, white

FIRM = ActionForm(pressures=(1.0,))


@needs_mypaint
def test_ink_lies_on_the_curve_and_within_reach():
    from env.painting.mypaint import MypaintBrush

    side, rows = 128, 12
    strokes, canvas = random_strokes(rows, 4, FIRM), white(rows, side)
    MypaintBrush("classic/pen", strokes, canvas).lay()
    x, y = np.meshgrid(np.arange(side) + 0.5, np.arange(side) + 0.5)
    for row in range(rows):
        points = curve(strokes.points[row].astype(np.float64), 300) * side
        distance = np.hypot(x[..., None] - points[:, 0], y[..., None] - points[:, 1]).min(-1)
        ink, radius = 1 - canvas[row, ..., 0] / 255, strokes.radius[row] * side
        assert ink[distance > radius + 2].max() == 0
        # The pen's first and last dab lie inside of the stroke.
        inner = np.hypot(x[..., None] - points[60:-60, 0], y[..., None] - points[60:-60, 1]).min(-1)
        assert ink[inner < 0.6 * radius].min() > 0.9


@needs_mypaint
@pytest.mark.parametrize(("pressures", "most"), [((1.0,), 0.07), ((0.25, 0.5, 0.75, 1.0), 0.14)], ids=["firm", "all pressures"])
def test_the_embedded_brush_looks_like_the_pen(pressures, most):
    from env.painting.mypaint import MypaintBrush

    form = ActionForm(pressures=pressures)
    strokes, own, pen = random_strokes(48, 3, form), white(48, 256), white(48, 256)
    StampBrush(strokes, own).lay()
    MypaintBrush("classic/pen", strokes, pen).lay()
    left, right = 255.0 - own, 255.0 - pen
    assert np.abs(left - right).sum() / right.sum() < most


@needs_mypaint
@pytest.mark.parametrize("name", mypaint_files.BRUSHES)
def test_equal_strokes_give_equal_bytes(name):
    from env.painting.mypaint import MypaintBrush

    strokes, canvases = random_strokes(5, 2), []
    for threads in (1, 3):
        canvas = white(5, 64, 3)
        brush = MypaintBrush(name, strokes, canvas, threads=threads)
        brush.lay()
        brush.lay()
        first = canvas.copy()
        brush.clear(np.ones(5, np.bool_))
        assert (canvas == 255).all()
        brush.lay()
        brush.lay()
        brush.close()
        np.testing.assert_array_equal(canvas, first)
        canvases.append(first)
    np.testing.assert_array_equal(*canvases)
    assert all((255 - row).sum() > 255 for row in canvases[0])


@needs_mypaint
def test_colours_are_those_of_the_stroke():
    from env.painting.mypaint import MypaintBrush

    colours = np.array([(1, 0, 0), (0, 1, 0), (0.25, 0.5, 1), (0.5, 0.5, 0.5), (1, 1, 0), (1, 0.25, 0.75)], np.float32)
    strokes, canvas = Strokes.empty(6, 1), white(6, 64, 3)
    strokes.pieces[:], strokes.radius[:], strokes.pressure[:], strokes.colour[:] = 1, 0.15, 1, colours
    start, end = np.full((6, 2), 0.25, np.float32), np.full((6, 2), 0.75, np.float32)
    strokes.points[:] = quadratic(start, start, end)
    MypaintBrush("classic/pen", strokes, canvas).lay()
    np.testing.assert_allclose(canvas[:, 32, 32], 255 * colours, atol=3)


@needs_mypaint
def test_a_larger_surface_is_averaged():
    from env.painting.mypaint import MypaintBrush

    strokes, small, large = random_strokes(3, 8, FIRM), white(3, 32), white(3, 128)
    MypaintBrush("classic/pen", strokes, small, scale=4).lay()
    MypaintBrush("classic/pen", strokes, large).lay()
    expected = large.reshape(3, 32, 4, 32, 4).mean((2, 4))
    np.testing.assert_allclose(small[..., 0], expected, atol=1)


@needs_mypaint
def test_unknown_brushes_and_files_that_are_none(tmp_path):
    with pytest.raises(InputError, match=r"classic/pencil_of_mine.*expected e\.g\. classic/pen"):
        mypaint_files.read_brush("classic/pencil_of_mine")
    with pytest.raises(InputError, match="classic"):
        mypaint_files.read_brush("../brushes/classic/pen")
    path = tmp_path / "mine.myb"
    with pytest.raises(InputError, match="cannot be read"):
        mypaint_files.read_brush(str(path))
    good = mypaint_files.read_brush("classic/pen").path.read_text()
    monstrous = [good.replace(": 2.2", f": {number}") for number in (10**400, "1e999", "1e30", "NaN", "null", '"a"')]
    assert good not in monstrous
    for text in ('{"settings": []}', "\xff", "[" * 100_000, *monstrous):
        path.write_bytes(text.encode("latin-1"))
        with pytest.raises(InputError, match="not a brush"):
            mypaint_files.read_brush(str(path))


@needs_mypaint
def test_every_brush_that_comes_with_mypaint_is_one():
    files = [file for folder in mypaint_files.FOLDERS for file in Path(folder).glob("*/brushes/**/*.myb")]
    assert len(files) > 50
    for file in files:
        mypaint_files.read_brush(str(file))


def test_without_the_library_one_sentence_says_how_to_get_it(monkeypatch):
    def missing(name):
        raise OSError(name)

    mypaint_files.surface_library.cache_clear()
    monkeypatch.setattr(mypaint_files.ctypes, "CDLL", missing)
    with pytest.raises(InputError, match=r"apt install libmypaint-1\.5-1 mypaint-brushes"):
        mypaint_files.surface_library()
    monkeypatch.setattr(mypaint_files, "FOLDERS", ())
    with pytest.raises(InputError, match=r"apt install libmypaint-1\.5-1 mypaint-brushes"):
        mypaint_files.read_brush("classic/pen")
    mypaint_files.surface_library.cache_clear()
