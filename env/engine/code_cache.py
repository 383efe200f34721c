"""Machine code of the CPU's kernels on disk, so that a process that finds it there compiles nothing.

The cache is optional. Where its folder cannot be used (no home folder, no permission, a full disk, another user's folder),
kernels are compiled without it and one warning names the folder. An entry that is empty, cut or damaged does not match its
checksum: it is compiled again and rewritten.
"""

import contextlib
import functools
import hashlib
import os
import pickle
import shutil
import stat
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.core import compiler
from numba.core.caching import _Cache
from numba.core.serialize import dumps

from env.user_cache import user_cache_folder

_MODULES_WITHOUT_DEVICE_CODE = ("__init__", "code_cache", "engine", "frame_engine", "cuda_runner", "cpu_runner")
_KEPT_SECONDS = 90 * 24 * 3600
_DIGEST_BYTES = hashlib.sha256().digest_size


class KernelCache(_Cache):
    """The cache of one kernel, an entry for each signature; Numba's dispatcher calls it.

    Numba's own cache compares only the source file of the kernel, so it misses edits of the functions that the kernel inlines; it
    hashes a closure by pickling it, which never gives the same bytes twice for compiled functions; and it fails on damaged files.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    @property
    def cache_path(self) -> str:
        """The folder of the entries; empty where there is none."""
        return str(_code_folder() or "")

    def enable(self) -> None:
        """Part of Numba's interface; the cache is always enabled."""

    def disable(self) -> None:
        """Part of Numba's interface; the cache is always enabled."""

    def flush(self) -> None:
        """Part of Numba's interface; entries of other sources lie in other folders."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled kernel for a signature, or None where it has to be compiled."""
        path = self._path(sig, target_context.codegen())
        if path is None:
            return None
        target_context.refresh()
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            _warn_once(path.parent, error)
            return None
        if hashlib.sha256(content[_DIGEST_BYTES:]).digest() != content[:_DIGEST_BYTES]:
            return None
        return compiler.CompileResult._rebuild(target_context, *pickle.loads(content[_DIGEST_BYTES:]))

    def save_overload(self, sig: Any, data: Any) -> None:
        """Writes a compiled kernel, whole or not at all."""
        path = self._path(sig, data.codegen)
        if path is None or data.lifted or data.library.has_dynamic_globals:
            return
        content = dumps(data._reduce())
        try:
            _write(path, hashlib.sha256(content).digest() + content)
        except OSError as error:
            _warn_once(path.parent, error)

    def _path(self, signature: Any, codegen: Any) -> Path | None:
        folder = _code_folder()
        if folder is None:
            return None
        captured = [cell.cell_contents for cell in self._function.__closure__ or ()]
        constants = [value for value in captured if isinstance(value, (int, float, str, np.generic))]
        # The folder's name stands for the engine's sources only, and kernels of other modules are cached too.
        sources = [_source_digest(file) for file in sorted(_files_of(self._function))]
        key = (signature, codegen.magic_tuple(), constants, self._function.__qualname__, sources)
        return folder / f"{self._function.__name__}-{hashlib.sha256(repr(key).encode()).hexdigest()[:32]}.nbc"


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


def _files_of(function: Any) -> set[str]:
    """The source files of a function and of the compiled functions that it captures, and they in turn."""
    files = {function.__code__.co_filename}
    for cell in function.__closure__ or ():
        captured = getattr(cell.cell_contents, "py_func", None)
        if captured is not None:
            files |= _files_of(captured)
    return files


@functools.cache
def _source_digest(path: str) -> str:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return ""


@functools.cache
def _code_folder() -> Path | None:
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
    digest = hashlib.sha256(f"{numba.__version__} {np.__version__} {constants}".encode())
    here = Path(__file__).parent
    for path in sorted(here.rglob("*.py")):
        if path.stem not in _MODULES_WITHOUT_DEVICE_CODE:
            digest.update(path.relative_to(here).as_posix().encode() + path.read_bytes())
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
