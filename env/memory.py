"""How much memory there is, so that what needs more says so before it starts instead of being killed."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from env.batch import ArraySpec
from maze_gen.errors import InputError

WORTH_A_LOOK = 64 << 20
"""Bytes; what needs less is never refused."""


def available_bytes() -> int | None:
    """Memory that a process can still get, by the kernel's estimate and the control group's limit; None where unknown."""
    found = [value for value in (_of_machine(), _of_control_group()) if value is not None]
    return min(found, default=None)


def check_memory(what: str, needed: int) -> None:
    """Raises InputError where `what` needs more bytes than there are; `needed` is a lower bound."""
    if needed < WORTH_A_LOOK:
        return
    available = available_bytes()
    if available is not None and needed > available:
        raise InputError(f"{what}: needs at least {needed / 1e9:,.1f} GB of memory, and {available / 1e9:,.1f} GB are free")


def row_bytes(arrays: Iterable[ArraySpec]) -> int:
    """Bytes of one row of all the arrays."""
    return sum(int(np.prod(array.shape, dtype=np.int64)) * np.dtype(array.dtype).itemsize for array in arrays)


def _of_machine() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        return None
    return None


def _of_control_group() -> int | None:
    folder = Path("/sys/fs/cgroup")
    try:
        limit = int((folder / "memory.max").read_text(encoding="ascii"))
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        # Pages of files are given back when memory is short.
        files = sum(
            int(line.split()[1])
            for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines()
            if line.startswith(("inactive_file ", "active_file "))
        )
        return max(0, limit - used + files)
    except (OSError, ValueError):
        return None
