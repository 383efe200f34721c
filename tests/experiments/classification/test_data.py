"""Frames with their labels, against worlds that are stepped again; IDX folders against files written here."""

import contextlib
import gzip
import struct
import tracemalloc

import numpy as np
import pytest

from auxiliary.depth import distance_edges
from env.backends import make_batch
from env.registry import make_task
from experiments.classification import data
from experiments.classification.data import HEADINGS, as_input, idx_pictures, maze_frames
from experiments.classification.idx import NAMES, read_idx
from maze_gen.errors import InputError
from tests.experiments.classification.small import small_pictures


def test_place_names_cell_and_quadrant():
    """The same seed and actions, played again, stand in the cells and look where the labels say."""
    pictures = maze_frames("place", "static-small", 200, 60)
    task = make_task("static-small", observation_size=42)
    rng = np.random.default_rng(1)
    # 40 frames of each of 5 episodes, every third step.
    with make_batch(task, 5) as worlds:
        seen = worlds.reset(1)
        for sample in range(40):
            part = slice(5 * sample, 5 * (sample + 1))
            np.testing.assert_array_equal(pictures.train[part], seen["rgb"])
            cells = np.asarray(worlds.privileged["cell"])
            angle = np.deg2rad(np.asarray(worlds.privileged["heading"]))
            # The nearest of east, north, west, south.
            axes = np.stack([np.cos(angle), np.sin(angle), -np.cos(angle), -np.sin(angle)]).argmax(0)
            np.testing.assert_array_equal(pictures.train_labels[part] // HEADINGS, cells)
            np.testing.assert_array_equal(pictures.train_labels[part] % HEADINGS, axes)
            for _ in range(3):
                seen = worlds.step(rng.integers(8, size=5))
    assert pictures.train.shape == (200, 42, 42, 3)
    assert pictures.classes == pictures.outputs == 200


def test_test_frames_are_of_the_same_steps_of_other_episodes():
    """Steps 3, 15, ..., 111, in another order; no frame is one of the training frames."""
    pictures = maze_frames("place", "static-small", 200, 60)
    rng = np.random.default_rng(2)
    shown = []
    with make_batch(make_task("static-small", observation_size=42), 6) as worlds:
        seen = worlds.reset(2)
        for step in range(120):
            if step % 12 == 3:
                shown.append(seen["rgb"].copy())
            seen = worlds.step(rng.integers(8, size=6))
    played, tested = (np.unique(frames.reshape(60, -1), axis=0) for frames in (np.concatenate(shown), pictures.test))
    np.testing.assert_array_equal(tested, played)
    assert not {frame.tobytes() for frame in pictures.test} & {frame.tobytes() for frame in pictures.train}


def test_depth_is_tested_in_mazes_that_were_not_trained_on():
    pictures = maze_frames("depth", "procedural-small", 50, 40)
    assert pictures.train_labels.shape == (50, 64)
    assert pictures.outputs == 64 * 8
    task = make_task("procedural-small", split="heldout", observation_size=42)
    rng = np.random.default_rng(2)
    distances = []
    with make_batch(task, 4, observe={"rgb", "depth_target"}) as worlds:
        seen = worlds.reset(2)
        for step in range(120):
            if step % 12 == 3:
                distances.append(np.array(seen["depth_target"]).reshape(4, 64))
            seen = worlds.step(rng.integers(8, size=4))
    slow = [[sum(float(d) >= edge for edge in distance_edges()) for d in row] for row in np.concatenate(distances)]
    assert sorted(map(tuple, pictures.test_labels.tolist())) == sorted(map(tuple, slow))


def test_heading_alone():
    pictures = maze_frames("heading", "static-small", 30, 20)
    assert pictures.classes == HEADINGS
    assert set(np.unique(pictures.train_labels)) <= set(range(HEADINGS))


def test_every_pass_shows_each_picture_once_in_an_order_of_its_own():
    pictures = small_pictures()
    shown = [pictures.batch(3, step, 24)[0] for step in range(8)]
    for start in (0, 4):
        seen = np.concatenate(shown[start : start + 4]).reshape(96, -1)
        np.testing.assert_array_equal(np.unique(seen, axis=0), np.unique(pictures.train.reshape(96, -1), axis=0))
    assert not np.array_equal(shown[0], shown[4])
    np.testing.assert_array_equal(pictures.batch(3, 5, 24)[0], shown[5])


def test_inputs_are_standardised():
    pictures = small_pictures()
    inputs = as_input(pictures.train, pictures.scale())
    assert inputs.shape == (96, 3, 12, 12)
    assert float(inputs.mean()) == pytest.approx(0, abs=1e-4)
    assert float(inputs.std()) == pytest.approx(1, abs=1e-3)


def write_idx(path, array):
    data = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_folder(tmp_path, suffix):
    rng = np.random.default_rng(0)
    arrays = [rng.integers(10, size=shape).astype(np.uint8) for shape in ((5, 28, 28), (5,), (3, 28, 28), (3,))]
    for name, array in zip(NAMES, arrays, strict=True):
        write_idx(tmp_path / f"{name}{suffix}", array)
    pictures = idx_pictures(tmp_path)
    np.testing.assert_array_equal(pictures.train[..., 0], arrays[0])
    np.testing.assert_array_equal(pictures.test_labels, arrays[3])
    assert pictures.classes == max(arrays[1].max(), arrays[3].max()) + 1


def test_idx_refused(tmp_path):
    path = tmp_path / "x"
    with pytest.raises(InputError, match="is missing"):
        idx_pictures(tmp_path)
    with pytest.raises(InputError, match="cannot read"):
        read_idx(path, 1)
    write_idx(path, np.zeros((2, 2), np.uint8))
    with pytest.raises(InputError, match="with 1 axes"):
        read_idx(path, 1)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="3 bytes of data, its header says 2x2"):
        read_idx(path, 2)
    for name, count in zip(NAMES, (3, 2, 1, 1), strict=True):
        write_idx(tmp_path / name, np.zeros((count, 2, 2) if "images" in name else count, np.uint8))
    with pytest.raises(InputError, match="3 training images and 2 labels"):
        idx_pictures(tmp_path)
    for sizes in ((2, 2), (28, 20), (0, 0)):
        for name, size in zip(NAMES, (sizes[0], 0, sizes[1], 0), strict=True):
            write_idx(tmp_path / name, np.zeros((1, size, size) if "images" in name else 1, np.uint8))
        with pytest.raises(InputError, match="expected one size of 8x8 or more"):
            idx_pictures(tmp_path)


def test_damaged_and_monstrous_idx_files(tmp_path, monkeypatch):
    path = tmp_path / "x.gz"
    write_idx(path, np.random.default_rng(0).integers(256, size=5000).astype(np.uint8))
    whole = path.read_bytes()
    for place in range(0, len(whole), 97):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        with contextlib.suppress(InputError):
            read_idx(path, 1)
        path.write_bytes(whole[:place])
        with pytest.raises(InputError, match=r"more|cannot read|expected an IDX|bytes of data"):
            read_idx(path, 1)
    # Two hundred million bytes, of which the header announces four.
    path.write_bytes(gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 4]) + bytes(200_000_000), 1))
    tracemalloc.start()
    with pytest.raises(InputError, match="more bytes of data, its header says 4"):
        read_idx(path, 1)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()
    path.write_bytes(bytes([0, 0, 8, 1, 255, 255, 255, 255]))
    monkeypatch.setattr("env.memory.available_bytes", lambda: 1 << 30)
    with pytest.raises(InputError, match=r"4294967295: needs at least 4\.3 GB of memory"):
        read_idx(path, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("place", "static-tiny", 10, 10), "static-tiny"),
        (("place", "static-small", 0, 10), "0 training"),
    ],
)
def test_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        maze_frames(*arguments)


def test_place_in_many_mazes_is_refused(monkeypatch):
    task = make_task("static-small", split="heldout", mazes=3)
    monkeypatch.setattr(data, "make_task", lambda *_, **__: task)
    with pytest.raises(InputError, match="--task static-small has 3 mazes"):
        maze_frames("place", "static-small", 10, 10)
