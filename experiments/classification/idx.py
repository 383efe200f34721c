"""Folders of IDX files (MNIST's format): a magic number, big-endian sizes, bytes; gzipped or not."""

import gzip
import math
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

from maze_gen.errors import InputError

BYTES = 0x08
NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


def read_idx(path: Path, axes: int) -> npt.NDArray[np.uint8]:
    """An IDX file of bytes with that many axes.

    Raises:
        InputError: it can't be read, or isn't such a file.
    """
    try:
        content = path.read_bytes()
        data = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (OSError, EOFError) as error:
        raise InputError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    if len(data) < 4 + 4 * axes or data[:2] != b"\0\0" or data[2] != BYTES or data[3] != axes:
        raise InputError(f"{path}: expected an IDX file of bytes with {axes} axes")
    shape = struct.unpack(f">{axes}I", data[4 : 4 + 4 * axes])
    if len(data) - 4 - 4 * axes != math.prod(shape):
        raise InputError(f"{path}: {len(data) - 4 - 4 * axes} bytes of data, its header says {'x'.join(map(str, shape))}")
    return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape)


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
    return train[..., None], train_labels.astype(np.int64), test[..., None], test_labels.astype(np.int64)
