"""Folders of IDX files (MNIST's format): a magic number, big-endian sizes, bytes; gzipped or not."""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from env.memory import check_memory
from maze_gen.errors import InputError

BYTES = 0x08
LEAST = 8
"""Pixels: what the networks halve three times."""
NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


def read_idx(path: Path, axes: int) -> npt.NDArray[np.uint8]:
    """An IDX file of bytes with that many axes.

    Raises:
        InputError: it can't be read, or isn't such a file.
    """
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            # As much as the header announces and no more: a small file may unpack to anything.
            return _read(gzip.GzipFile(fileobj=file) if packed else file, str(path), axes)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error


def _read(file: BinaryIO | gzip.GzipFile, origin: str, axes: int) -> npt.NDArray[np.uint8]:
    header = file.read(4 + 4 * axes)
    if len(header) < 4 + 4 * axes or header[:2] != b"\0\0" or header[2] != BYTES or header[3] != axes:
        raise InputError(f"{origin}: expected an IDX file of bytes with {axes} axes")
    shape = struct.unpack(f">{axes}I", header[4:])
    check_memory(f"{origin} of {'x'.join(map(str, shape))}", math.prod(shape))
    data = file.read(math.prod(shape) + 1)
    if len(data) != math.prod(shape):
        found = "more" if len(data) > math.prod(shape) else len(data)
        raise InputError(f"{origin}: {found} bytes of data, its header says {'x'.join(map(str, shape))}")
    return np.frombuffer(data, np.uint8).reshape(shape)


def read_idx_folder(folder: Path) -> tuple[Images, Labels, Images, Labels]:
    """Training images [M, H, W, 1] and labels [M], test images and labels.

    Raises:
        InputError: a file is missing or isn't what its name says, or images and labels aren't as many.
    """
    arrays = []
    for name in NAMES:
        path = next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)
        if path is None:
            raise InputError(f"--idx {folder}: expected the files {', '.join(NAMES)}, gzipped or not; {name} is missing")
        arrays.append(read_idx(path, 3 if "images" in name else 1))
    for images, labels, which in ((arrays[0], arrays[1], "training"), (arrays[2], arrays[3], "test")):
        if len(images) != len(labels) or not len(images):
            raise InputError(f"--idx {folder}: {len(images)} {which} images and {len(labels)} labels")
    train, train_labels, test, test_labels = arrays
    if train.shape[1:] != test.shape[1:] or min(train.shape[1:]) < LEAST:
        sizes = [f"{images.shape[1]}x{images.shape[2]}" for images in (train, test)]
        raise InputError(f"--idx {folder}: images of {sizes[0]} and {sizes[1]}, expected one size of {LEAST}x{LEAST} or more")
    return train[..., None], train_labels.astype(np.int64), test[..., None], test_labels.astype(np.int64)
