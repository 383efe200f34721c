"""The folder of what a process can take over from an earlier one: machine code of the CPU's kernels, and textures.

The cache is optional. Where its folder cannot be used (no home folder, no permission, a full disk, another user's folder),
kernels are compiled without it and one warning names the folder. An entry that is empty, cut or damaged does not match its
checksum: it is made again and rewritten.
"""

import contextlib
import functools
import hashlib
import importlib.util
import os
import shutil
import stat
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

from env.user_cache import user_cache_folder

_MODULES_WITHOUT_DEVICE_CODE = (
    "__init__",
    "code_cache",
    "kernel_cache",
    "native",
    "engine",
    "frame_engine",
    "cuda_runner",
    "cpu_runner",
)
_KEPT_SECONDS = 90 * 24 * 3600
_DIGEST_BYTES = hashlib.sha256().digest_size


def read_entry(name: str) -> bytes | None:
    """The content of an entry; None where there is none, or where it is damaged or cannot be read."""
    folder = code_folder()
    if folder is None:
        return None
    try:
        content = (folder / name).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        _warn_once(folder, error)
        return None
    whole = hashlib.sha256(memoryview(content)[_DIGEST_BYTES:]).digest() == content[:_DIGEST_BYTES]
    return content[_DIGEST_BYTES:] if whole else None


def write_entry(name: str, content: bytes) -> None:
    """Writes an entry, whole or not at all."""
    folder = code_folder()
    if folder is None:
        return
    try:
        _write(folder / name, hashlib.sha256(content).digest() + content)
    except OSError as error:
        _warn_once(folder, error)


def _write(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with open(handle, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


@functools.cache
def source_digest(path: str) -> str:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return ""


@functools.cache
def code_folder() -> Path | None:
    """The folder for machine code of exactly these sources; None, after a warning, where it cannot be used."""
    parent = user_cache_folder()
    if parent is None:
        _warn_once(Path("~/.cache/knossos"), "there is no home folder, and XDG_CACHE_HOME is not set")
        return None
    folder = parent / f"engine-{_sources_digest()[:20]}"
    try:
        if not folder.is_dir():
            parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
            _remove_old(parent)
        _make_private(folder)
    except OSError as error:
        _warn_once(folder, error)
        return None
    return folder


def _sources_digest() -> str:
    # What device functions take from modules outside of this package.
    from env import navigation
    from maze_gen import maze

    constants = [(name, value) for module in (navigation, maze) for name, value in vars(module).items() if type(value) is int]
    digest = hashlib.sha256(f"{_compiler_digest()} {np.__version__} {constants}".encode())
    here = Path(__file__).parent
    for path in sorted(here.rglob("*.py")):
        if path.stem not in _MODULES_WITHOUT_DEVICE_CODE:
            digest.update(path.relative_to(here).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def _compiler_digest() -> str:
    """A digest of the files that hold the versions of Numba and LLVM: to import Numba takes longer than all the rest."""
    digest = hashlib.sha256()
    for package in ("numba", "llvmlite"):
        spec = importlib.util.find_spec(package)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            digest.update(source_digest(str(Path(folder) / "_version.py")).encode())
    return digest.hexdigest()


def _make_private(folder: Path) -> None:
    """Machine code is executed as it is read, so that nobody else may write it.

    Raises:
        PermissionError: the folder belongs to another user.
    """
    status = folder.stat()
    if status.st_uid != os.geteuid():
        raise PermissionError(f"it belongs to user {status.st_uid}, expected {os.geteuid()}")
    if stat.S_IMODE(status.st_mode) & 0o077:
        folder.chmod(0o700)


def _remove_old(parent: Path) -> None:
    """Removes machine code of other sources that was written long ago."""
    for other in parent.glob("engine-*"):
        with contextlib.suppress(OSError):
            if time.time() - other.stat().st_mtime > _KEPT_SECONDS:
                shutil.rmtree(other, ignore_errors=True)


def _warn_once(folder: Path, reason: OSError | str) -> None:
    """Warns that compiled code is not kept, at most once in a process."""
    if _warned:
        return
    _warned.append(True)
    text = reason.strerror or str(reason) if isinstance(reason, OSError) else reason
    warnings.warn(f"{folder}: compiled code cannot be kept there, and is compiled anew by every process: {text}", stacklevel=2)


_warned: list[bool] = []
