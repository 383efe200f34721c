"""Characters: paths against SVG's own definitions, pictures against their strokes, and files that are none."""

from pathlib import Path

import numpy as np
import pytest

from env.painting import characters as module
from env.painting.characters import kanjivg_characters, kanjivg_folder, read_path, read_strokes
from env.painting.pictures import load_pictures
from env.painting.registry import make_painting
from env.painting.strokes import curve
from maze_gen.errors import InputError


def test_commands_mean_what_svg_says():
    """Each written out as cubic pieces with absolute points (SVG 1.1, section 8.3)."""
    expected = {
        "M1,2C3,4,5,6,7,8": [[1, 2], [3, 4], [5, 6], [7, 8]],
        "M1,2c2,2,4,4,6,6": [[1, 2], [3, 4], [5, 6], [7, 8]],
        "m1 2c2 2 4 4 6 6 1 0 2 0 3 0": [[1, 2], [3, 4], [5, 6], [7, 8], [8, 8], [9, 8], [10, 8]],
        "M0,0C0,1,1,2,2,2S4,3,4,4": [[0, 0], [0, 1], [1, 2], [2, 2], [3, 2], [4, 3], [4, 4]],
        "M0,0c0,1,1,2,2,2s2,1,2,2": [[0, 0], [0, 1], [1, 2], [2, 2], [3, 2], [4, 3], [4, 4]],
        "M0,0S3,3,6,0": [[0, 0], [0, 0], [3, 3], [6, 0]],
        "M0,0L3,6": [[0, 0], [1, 2], [2, 4], [3, 6]],
        "M1,1 4,1": [[1, 1], [2, 1], [3, 1], [4, 1]],
        "m1,1 3,0": [[1, 1], [2, 1], [3, 1], [4, 1]],
        "M1,1H4v-3": [[1, 1], [2, 1], [3, 1], [4, 1], [4, 0], [4, -1], [4, -2]],
        "M0,0Q3,3,6,0z": [[0, 0], [2, 2], [4, 2], [6, 0]],
        "M.5-1.5l3e0,3": [[0.5, -1.5], [1.5, -0.5], [2.5, 0.5], [3.5, 1.5]],
    }
    for path, points in expected.items():
        found = read_path(path, "here")
        assert len(found) == 1, path
        np.testing.assert_allclose(found[0], points, atol=1e-12, err_msg=path)
    assert [len(one) for one in read_path("M0,0L1,1M5,5L6,6L7,7", "here")] == [4, 7]


def test_pictures_are_their_strokes(characters):
    train, heldout = (load_pictures(str(characters), split, 64, False) for split in ("train", "heldout"))
    assert len(train) + len(heldout) == 24
    assert len(heldout) > 0
    for image, strokes in zip(train.images, train.strokes, strict=True):
        ink = 1 - image[..., 0] / 255
        points = np.concatenate([curve(stroke, 50) for stroke in strokes]) * 64
        # All of a stroke is inked, and nothing farther away than the pen reaches.
        assert (ink[points[:, 1].astype(int), points[:, 0].astype(int)] > 0.5).all()
        y, x = np.nonzero(ink)
        apart = np.sqrt((x[:, None] + 0.5 - points[:, 0]) ** 2 + (y[:, None] + 0.5 - points[:, 1]) ** 2).min(1)
        assert apart.max() < module.RADIUS * 64 + 1


def test_a_picture_that_is_no_square_lies_in_the_middle():
    (stroke,) = read_strokes('<svg viewBox="10 0 50 100"><path d="M10,0L60,100"/></svg>', "here")
    np.testing.assert_allclose(stroke[[0, 3]], [[0.25, 0], [0.75, 1]], atol=1e-6)


def test_targets_of_a_task(characters):
    task = make_painting("parse-characters", {"pictures": str(characters)})
    assert task.has_target
    assert task.action.compound
    assert len(task.pictures.strokes) == len(task.pictures)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<svg></svg>", "expected an SVG picture with a viewBox"),
        ('<svg viewBox="0 0 9 9"></svg>', "a path for each stroke"),
        ('<svg viewBox="0 0 nine 9"><path d="M0,0L1,1"/></svg>', "expected four numbers"),
        ('<svg viewBox="0 0 0 0"><path d="M0,0L1,1"/></svg>', "a width and a height above 0"),
        ('<svg viewBox="0 0 9 9"><path d="M0,0A1,1,0,0,0,2,2"/></svg>', "command 'A'"),
        ('<svg viewBox="0 0 9 9"><path d="M0,0L1"/></svg>', "in the middle of a command"),
        ('<svg viewBox="0 0 9 9"><path d="M0,0L1C1,1,1,1,1,1"/></svg>', "command 'C'"),
        ('<svg viewBox="0 0 9 9"><path d="L0,0"/></svg>', "expected it to begin with M"),
        ('<svg viewBox="0 0 9 9"><path d="1,1"/></svg>', "cannot be read at '1,1'"),
        ('<svg viewBox="0 0 9 9"><path d="M0,0"/></svg>', "expected a curve"),
        ('<svg viewBox="0 0 9 9"><path d="M0,0L#,1"/></svg>', "cannot be read at '#,1'"),
        ('<svg viewBox="0 0 9 9"><path d="M0,0L9e9,1"/></svg>', "far outside"),
        ('<svg viewBox="0 0 9 9"><path d="M0,0L9e999,1"/></svg>', "far outside"),
    ],
)
def test_what_is_no_character(text, message, tmp_path):
    (tmp_path / "bad.svg").write_text(text)
    with pytest.raises(InputError, match=message) as error:
        load_pictures(str(tmp_path), "train", 32, False)
    assert "bad.svg" in str(error.value)


def test_characters_in_colour_or_missing(characters, monkeypatch):
    with pytest.raises(InputError, match="expected colours=0"):
        load_pictures(str(characters), "train", 32, True)
    monkeypatch.setattr(module, "distribution", _not_found)
    with pytest.raises(InputError, match=r"isn't installed: pip install 'knossos\[characters\]'"):
        kanjivg_folder()


def _not_found(name: str) -> None:
    from importlib.metadata import PackageNotFoundError

    raise PackageNotFoundError(name)


def test_kanjivg_where_it_is_installed():
    try:
        folder = kanjivg_folder()
    except InputError:
        pytest.skip("KanjiVG (pip install 'knossos[characters]') isn't installed here")
    strokes = read_strokes((folder / "03042.svg").read_text(encoding="utf-8"), "あ")
    assert [len(stroke) for stroke in strokes] == [10, 10, 19]
    counts = [len(strokes) for _, strokes in kanjivg_characters()]
    assert 400 < len(counts) < 1000
    assert max(counts) == module.MOST_STROKES


def test_a_file_that_is_no_text(tmp_path):
    Path(tmp_path / "bad.svg").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"bad\.svg: cannot be read: not a text"):
        load_pictures(str(tmp_path), "train", 32, False)
