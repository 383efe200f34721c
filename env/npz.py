"""Reads arrays from a .npz file that anybody may have made: bounded in memory, without pickles, with one-line errors."""

import math
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from maze_gen.errors import InputError

MAX_BYTES = 256 << 20
"""Of all arrays of a file together; recordings of DeepMind Lab have less than 1 MB."""

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_arrays(path: Path, names: Collection[str]) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a file that have one of the names.

    Raises:
        InputError: the file cannot be read, is no .npz file of plain arrays, is damaged, or too large.
    """
    try:
        if path.exists() and not path.is_file():
            raise ValueError("not a file")
        with zipfile.ZipFile(path) as archive:
            return _read_archive(archive, names)
    except Exception as error:  # zipfile and NumPy raise a dozen kinds for damaged files
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        text = " ".join(str(reason).split()) or type(error).__name__
        raise InputError(f"{path}: cannot be read as a recording (.npz): {text}") from error


def _read_archive(archive: zipfile.ZipFile, names: Collection[str]) -> dict[str, npt.NDArray[Any]]:
    members: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        name = member.filename.removesuffix(".npy")
        if name in members:
            raise ValueError(f"array {name!r} is there twice")
        if name in names:
            members[name] = member
    total = sum(member.file_size for member in members.values())
    if total > MAX_BYTES:
        raise ValueError(f"its arrays have {total} bytes, at most {MAX_BYTES} are read")
    arrays = {}
    for name, member in members.items():
        if member.flag_bits & 1:
            raise ValueError(f"array {name!r} is encrypted")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"array {name!r} has compression method {member.compress_type}, expected stored (0) or deflated (8)")
        with archive.open(member) as stream:
            arrays[name] = _read_array(name, stream, member.file_size)
    return arrays


def _read_array(name: str, stream: IO[bytes], size: int) -> npt.NDArray[Any]:
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise ValueError(f"array {name!r} has version {version} of the format, expected 1.0 or 2.0")
    shape, fortran, dtype = _HEADERS[version](stream)
    if dtype.hasobject:
        raise ValueError(f"array {name!r} holds Python objects")
    expected = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or expected > size:
        raise ValueError(f"array {name!r} has shape {shape}, but only {size} bytes")
    content = stream.read(expected)
    # Reading past the end checks the archive's checksum.
    if len(content) != expected or stream.read(1):
        raise ValueError(f"array {name!r} has shape {shape}, which is not the length of its data")
    array = np.frombuffer(content, dtype=dtype) if dtype.itemsize else np.zeros(math.prod(shape), dtype)
    return array.reshape(shape, order="F" if fortran else "C")
