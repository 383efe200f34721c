"""Pictures: sets, splits by content, folders, and files that are none."""

import cv2
import numpy as np
import pytest

from env.painting.picture_files import decode_picture
from env.painting.pictures import grey, load_pictures, resample, square
from maze_gen.errors import InputError


def test_digits_are_all_there_and_split_by_content():
    train, heldout = (load_pictures("digits", split, 8, False) for split in ("train", "heldout"))
    assert len(train) + len(heldout) == 1797
    assert 0.08 < len(heldout) / 1797 < 0.17
    assert {*train.labels.tolist()} == {*heldout.labels.tolist()} == set(range(10))
    left, right = ({image.tobytes() for image in part.images} for part in (train, heldout))
    assert not left & right


@pytest.mark.parametrize("side", [16, 32, 64])
def test_digits_are_dark_strokes_on_white(side):
    digits = load_pictures("digits", "train", side, False)
    ink = 1 - digits.images / 255
    assert digits.images.shape[1:] == (side, side, 1)
    assert ink[:, 0].max() == ink[:, :, 0].max() == 0
    assert 0.05 < ink.mean() < 0.25
    assert ink.reshape(len(ink), -1).max(1).min() > 0.9
    # Classes differ: the mean pictures of a class are nearer to its own pictures than those of the others.
    means = np.stack([ink[digits.labels == label].mean(0) for label in range(10)]).reshape(10, -1)
    flat = ink.reshape(len(ink), -1)
    nearest = np.argmin((flat**2).sum(1)[:, None] - 2 * flat @ means.T + (means**2).sum(1), 1)
    assert (nearest == digits.labels).mean() > 0.85


def test_views_are_frames_of_mazes_of_a_split():
    train, heldout = (load_pictures("views", split, 32, True) for split in ("train", "heldout"))
    assert train.images.shape[1:] == (32, 32, 3)
    assert len(train) == len(heldout) == 2000
    left, right = ({image.tobytes() for image in part.images} for part in (train, heldout))
    # Close to a wall of one material, frames of different mazes may be equal.
    assert len(left & right) <= 10
    assert len(left) > 1000
    assert load_pictures("views", "train", 32, False).images.shape[3] == 1


def test_resampling_keeps_lines_and_means():
    line = (np.arange(12, dtype=np.float32) * 0.05 + 0.2)[None, None, :, None] * np.ones((1, 12, 1, 1), np.float32)
    large = resample(line, 36)[0, :, :, 0]
    np.testing.assert_allclose(np.diff(large[18, 9:27]), 0.05 / 3, atol=1e-6)
    noise = np.random.default_rng(0).random((2, 64, 64, 3)).astype(np.float32)
    assert abs(resample(noise, 16).mean() - noise.mean()) < 0.01
    np.testing.assert_allclose(resample(noise, 64), noise, atol=1e-6)


def test_a_folder_of_pictures(tmp_path):
    generator = np.random.default_rng(0)
    for index in range(40):
        picture = np.zeros((20, 30, 3), np.uint8)
        picture[:, 5:25] = generator.integers(0, 256, 3)
        cv2.imwrite(str(tmp_path / f"{index}.png"), picture)
    (tmp_path / "notes.txt").write_text("not a picture")
    train, heldout = (load_pictures(str(tmp_path), split, 8, True) for split in ("train", "heldout"))
    assert len(train) + len(heldout) == 40
    # The middle: nothing of the black margins.
    assert np.ptp(train.images, axis=(1, 2)).max() == 0
    first = np.asarray(cv2.imread(str(tmp_path / "0.png")))[10, 15, ::-1]
    assert any((image[0, 0] == first).all() for image in (*train.images, *heldout.images))
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    with pytest.raises(InputError, match=r"broken\.jpg: not a picture"):
        load_pictures(str(tmp_path), "train", 8, True)


def test_a_picture_that_is_none_is_one_line(capfd):
    with pytest.raises(InputError, match=r"junk\.png: not a picture that can be read"):
        decode_picture(b"\x89PNG\r\n\x1a\n" + b"x" * 50, "junk.png", True)
    assert capfd.readouterr() == ("", "")


def test_what_is_no_set(tmp_path):
    with pytest.raises(InputError, match="'faces': expected 'digits', 'characters', 'views', or a folder"):
        load_pictures("faces", "train", 32, False)
    with pytest.raises(InputError, match="no file that ends in"):
        load_pictures(str(tmp_path), "train", 32, False)
    with pytest.raises(InputError, match="are grey"):
        load_pictures("digits", "train", 32, True)


def test_squares_and_greys():
    wide = np.zeros((10, 20, 3), np.uint8)
    wide[:, 5:15] = 200
    assert (square(wide, 5) == 200).all()
    np.testing.assert_allclose(grey(np.array([[[1.0, 1.0, 1.0]]], np.float32)), 1, atol=1e-6)
