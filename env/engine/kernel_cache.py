"""Machine code of Numba's kernels on disk; see `env.engine.code_cache`."""

import hashlib
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
from numba.core import compiler
from numba.core.caching import _Cache
from numba.core.serialize import dumps

from env.engine.code_cache import code_folder, read_entry, source_digest, write_entry


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
        return str(code_folder() or "")

    def enable(self) -> None:
        """Part of Numba's interface; the cache is always enabled."""

    def disable(self) -> None:
        """Part of Numba's interface; the cache is always enabled."""

    def flush(self) -> None:
        """Part of Numba's interface; entries of other sources lie in other folders."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled kernel for a signature, or None where it has to be compiled."""
        target_context.refresh()
        content = read_entry(self._name(sig, target_context.codegen()))
        return None if content is None else compiler.CompileResult._rebuild(target_context, *pickle.loads(content))

    def save_overload(self, sig: Any, data: Any) -> None:
        """Writes a compiled kernel, whole or not at all."""
        if not data.lifted and not data.library.has_dynamic_globals:
            write_entry(self._name(sig, data.codegen), dumps(data._reduce()))

    def _name(self, signature: Any, codegen: Any) -> str:
        captured = [cell.cell_contents for cell in self._function.__closure__ or ()]
        constants = [value for value in captured if isinstance(value, (int, float, str, np.generic))]
        # The folder's name stands for the engine's sources only, and kernels of other modules are cached too.
        sources = [source_digest(file) for file in sorted(_files_of(self._function))]
        # An entry names its module, and a file that moves is another one.
        names = self._function.__module__, self._function.__qualname__
        key = (signature, codegen.magic_tuple(), constants, names, sources)
        return f"{self._function.__name__}-{hashlib.sha256(repr(key).encode()).hexdigest()[:32]}.nbc"


def _files_of(function: Any) -> set[str]:
    """The source files of a function and of the compiled functions that it captures, and they in turn."""
    files = {function.__code__.co_filename}
    for cell in function.__closure__ or ():
        captured = getattr(cell.cell_contents, "py_func", None)
        if captured is not None:
            files |= _files_of(captured)
    return files
