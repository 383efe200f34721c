"""Programs of strokes: recorded, written, read, and painted again."""

import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from env.backends import make_batch
from env.painting.batch import PaintingBatch
from env.painting.program import ProgramRecorder, from_json, paint_programs, read_program, to_json
from env.painting.registry import make_painting
from env.painting.svg import to_svg
from maze_gen.errors import InputError
from tests.env.painting.conftest import needs_mypaint, random_actions

ROWS = 6


def painted(name: str, rows: int = ROWS) -> tuple[list, np.ndarray]:
    """Programs of an episode of random actions, and the canvases."""
    task = make_painting(name)
    batch = make_batch(task, rows)
    assert isinstance(batch, PaintingBatch)
    batch.reset(0)
    recorder = ProgramRecorder(batch.strokes)
    for action in random_actions(task.action.spec.sizes, task.steps, rows):
        batch.step(action)
        recorder.add()
    return [recorder.take(row) for row in range(rows)], batch.observation["canvas"].copy()


@pytest.mark.parametrize("name", ["doodle-digits", "parse-digits", "redraw-views"])
def test_a_program_paints_the_same_canvas(name):
    programs, canvas = painted(name)
    side, colour = canvas.shape[1], canvas.shape[3] == 3
    np.testing.assert_array_equal(paint_programs(programs, side, colour=colour), canvas)
    for threads in (2, 5):
        np.testing.assert_array_equal(paint_programs(programs, side, colour=colour, threads=threads), canvas)
    for row in (0, ROWS - 1):
        np.testing.assert_array_equal(paint_programs([programs[row]], side, colour=colour)[0], canvas[row])
    assert all((row < 255).any() for row in canvas)


@pytest.mark.parametrize("name", ["parse-digits", "redraw-views"])
def test_json_keeps_every_bit(name):
    programs, _ = painted(name)
    for program in programs:
        assert from_json(to_json(program), "here") == program


def test_another_size_is_the_same_painting():
    programs, canvas = painted("doodle-digits")
    large = paint_programs(programs, 128, colour=False).astype(np.float64)
    small = large.reshape(ROWS, 32, 4, 32, 4).mean((2, 4))
    ink, other = 255.0 - canvas[..., 0], 255 - small
    # A brush's edge is one pixel wide, whatever the size.
    assert np.abs(ink - other).sum() / ink.sum() < 0.06


@needs_mypaint
def test_libmypaint_paints_it_too():
    programs, _ = painted("doodle-digits")
    own, pen = (255.0 - paint_programs(programs, 256, brush=brush) for brush in ("stamp", "mypaint:classic/pen"))
    assert np.abs(own - pen).sum() / own.sum() < 0.16
    np.testing.assert_array_equal(255.0 - paint_programs(programs[2:3], 256, brush="mypaint:classic/pen")[0], pen[2])


def test_svg_says_what_is_painted():
    programs, _ = painted("redraw-views")
    root = ElementTree.fromstring(to_svg(programs[0], 300))
    space = "{http://www.w3.org/2000/svg}"
    assert root.get("width") == "300"
    groups = root.findall(f"{space}g/{space}g")
    assert len(groups) == len(programs[0])
    for group, stroke in zip(groups, programs[0], strict=True):
        colour = group.get("stroke") or ""
        assert [int(colour[index : index + 2], 16) for index in (1, 3, 5)] == [round(255 * part) for part in stroke.colour]
        paths = group.findall(f"{space}path")
        start = (paths[0].get("d") or "").removeprefix("M").replace("C", " ").replace("L", " ").split()[:2]
        assert [float(number) for number in start] == pytest.approx(stroke.points[0], abs=1e-5)
        assert len(paths) == (1 if stroke.pressure[0] == stroke.pressure[1] else 16)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "sketch"}, "expected a knossos painting of version 1"),
        ({"strokes": 3}, "expected a list"),
        ({"strokes": [{"points": [[0, 0]]}]}, "stroke 0"),
        ({"strokes": [{"points": [[0, 0]] * 4, "radius": 0.1, "pressure": [1, 2], "colour": [0, 0, 0]}]}, "pressure"),
        ({"strokes": [{"points": [[0, 0]] * 4, "radius": "a", "pressure": [1, 1], "colour": [0, 0, 0]}]}, "stroke 0"),
        ({"strokes": [{"points": [[0, 0]] * 4, "radius": "0.1", "pressure": [1, 1], "colour": [0, 0, 0]}]}, "radius is '0.1'"),
        ({"strokes": [{"points": ["00"] * 4, "radius": 0.1, "pressure": [1, 1], "colour": [0, 0, 0]}]}, r"points\[0\] is '00'"),
        ({"strokes": [{"points": [[0]] * 4, "radius": 0.1, "pressure": [1, 1], "colour": [0, 0, 0]}]}, "4 points"),
        ({"strokes": [[1, 2]]}, "stroke 0: expected points, radius, pressure, colour"),
        ({"strokes": [{"points": [[0, 0]] * 4, "radius": 10**400, "pressure": [1, 1], "colour": [0, 0, 0]}]}, "radius is 1000"),
        ({"version": True}, "expected a knossos painting of version 1"),
    ],
)
def test_programs_that_are_none(change, message, tmp_path):
    content = json.loads(to_json(())) | change
    with pytest.raises(InputError, match=message):
        from_json(json.dumps(content), "here")
    path = tmp_path / "program.json"
    with pytest.raises(InputError, match="cannot be read"):
        read_program(path)
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        read_program(path)


def test_paintings_that_do_not_fit_into_the_memory_are_refused(monkeypatch):
    monkeypatch.setattr("env.memory.available_bytes", lambda: 1 << 30)
    with pytest.raises(InputError, match=r"100 paintings of 4096 x 4096 pixels: needs at least 5\.0 GB of memory"):
        paint_programs([()] * 100, 4096)


def test_sizes_and_brushes_that_are_none():
    with pytest.raises(InputError, match="side 4"):
        paint_programs([()], 4)
    with pytest.raises(InputError, match="brush 'crayon'"):
        paint_programs([()], 16, brush="crayon")
    assert (paint_programs([()], 16) == 255).all()
