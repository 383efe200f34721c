"""Writing files atomically."""

import os
import tempfile
from pathlib import Path

from maze_gen.errors import InputError


def write_whole(path: str | Path, content: bytes) -> None:
    """Writes a file under a temporary name in the same folder, then renames it, so that a partial file is never visible.

    Raises:
        InputError: the file can't be written (no such folder, no permission, disk full); an older file of that name is unchanged.
    """
    path = Path(path)
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
