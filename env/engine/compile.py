"""One source for two compilers: every module of device functions has a `build(jit)` that defines them under either.

`cpu` makes a function that other compiled functions inline, `inner` one that can do nothing else; `cpu_kernel` makes one that
Python calls, which releases the interpreter's lock while it runs and whose machine code is kept on disk. `cuda` and
`CudaKernel` are their counterparts.

What holds for all device functions: float32 throughout, so that the GPU executes no float64 instruction (constants are
`numpy.float32` values of the module, never literals; an integer is converted before it meets a float), array arguments are
C-contiguous, and nothing is allocated.
"""

import contextlib
import functools
import hashlib
import os
import pickle
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.core.caching import CompileResultCacheImpl, FunctionCache

# Counting references to arrays, with atomic instructions, took six sevenths of a step. Nothing compiled here allocates or keeps
# an array, so nothing needs counting.
_OPTIONS = {"error_model": "numpy", "_nrt": False, "no_cfunc_wrapper": True}

# Modules that only call what is compiled: editing them changes no code of it.
_NOT_COMPILED = ("__init__", "crew", "engine", "frame_engine", "cuda_runner", "cpu_runner")
_KEPT_SECONDS = 90 * 24 * 3600

Jit = Callable[[Callable[..., Any]], Any]
"""A decorator that compiles a device function: `cpu`, `inner` or `cuda`."""


def cpu(function: Callable[..., Any]) -> Any:
    """Compiles a device function for the CPU; its callers inline it."""
    return numba.njit(forceinline=True, **_OPTIONS)(function)


def inner(function: Callable[..., Any]) -> Any:
    """Compiles a device function for the CPU that only compiled functions call.

    Without the code that would take its arguments from Python, which for functions of many arrays takes longer to compile than
    they do: a third of all.
    """
    options: dict[str, Any] = {**_OPTIONS, "forceinline": True, "no_cpython_wrapper": True}
    return numba.njit(**options)(function)


def cpu_kernel(function: Callable[..., Any]) -> Any:
    """Compiles a function that Python calls, for the CPU, without the interpreter's lock, and keeps the code on disk."""
    kernel: Any = numba.njit(nogil=True, **_OPTIONS)(function)
    if _code_folder() is not None:
        kernel._cache = _KernelCache(function)
    return kernel


def cuda(function: Callable[..., Any]) -> Any:
    """Compiles a device function for the GPU."""
    from numba import cuda as numba_cuda

    return numba_cuda.jit(device=True)(function)


class CudaKernel:
    """A function that Python launches on the GPU, a thread of the GPU for each index of its work."""

    BLOCK = 128

    def __init__(self, function: Callable[..., Any]) -> None:
        from numba import cuda as numba_cuda

        # Numba's default, to optimise once more while linking, would fuse products and sums after all (`separate_roundings`). The
        # option has to come with the function: numba-cuda 0.30 loses it from `jit(lto=False)`. Its simulator has none.
        options: dict[str, Any] = {} if numba.config.ENABLE_CUDASIM else {"lto": False}  # type: ignore[attr-defined]
        self._kernel: Any = numba_cuda.jit(function, **options)
        self._compiled = False

    def launch(self, threads: int, stream: Any, *arguments: Any) -> None:
        """Starts at least `threads` threads on a stream; the first launch compiles."""
        blocks = -(-threads // self.BLOCK)
        if self._compiled:
            self._kernel[blocks, self.BLOCK, stream](*arguments)
        else:
            with separate_roundings():
                self._kernel[blocks, self.BLOCK, stream](*arguments)
            self._compiled = True


@contextlib.contextmanager
def separate_roundings() -> Iterator[None]:
    """Compiles for the GPU without fusing a product and a sum into one rounding, so that both devices get the same bits.

    Numba has an option for that in what it calls, but none in what it offers.
    """
    from numba.cuda.cudadrv import nvvm

    original = getattr(nvvm, "compile_ir", None)
    if original is None:  # the simulator compiles nothing
        yield
        return
    nvvm.compile_ir = functools.partial(original, fma=False)
    try:
        yield
    finally:
        nvvm.compile_ir = original


@functools.cache
def _code_folder() -> Path | None:
    """Where machine code of exactly these sources is kept, in the user's cache folder; None where that can't be written."""
    sources = hashlib.sha256(f"{numba.__version__} {np.__version__}".encode())
    here = Path(__file__).parent
    for path in sorted(here.rglob("*.py")):
        if path.stem not in _NOT_COMPILED:
            sources.update(path.relative_to(here).as_posix().encode() + path.read_bytes())
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(home) / "knossos" / f"engine-{sources.hexdigest()[:20]}"
    try:
        if not folder.exists():
            folder.mkdir(parents=True, exist_ok=True)
            _remove_old(folder.parent)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


def _remove_old(parent: Path) -> None:
    """Removes code of other sources that was made long ago."""
    for other in parent.glob("engine-*"):
        if time.time() - other.stat().st_mtime > _KEPT_SECONDS:
            shutil.rmtree(other, ignore_errors=True)


class _SourceLocator:
    """Names the folder of cached code; the sources are in its name, so it needs no time stamp."""

    def get_cache_path(self) -> str:
        return str(_code_folder())

    def ensure_cache_path(self) -> None:
        Path(self.get_cache_path()).mkdir(parents=True, exist_ok=True)

    def get_source_stamp(self) -> str:
        return ""

    def get_disambiguator(self) -> None:
        return None

    @classmethod
    def from_function(cls, function: Callable[..., Any], path: str) -> "_SourceLocator":
        return cls()


class _KernelCacheImpl(CompileResultCacheImpl):
    _locator_classes = [_SourceLocator]  # noqa: RUF012 (Numba's name and form)


class _KernelCache(FunctionCache):
    """Numba's cache, but keyed by all of the engine's sources.

    Numba's own looks at the kernel's file only and misses edits of the functions it inlines; and it hashes a closure by
    pickling it, which never gives the same bytes twice for compiled functions.
    """

    _impl_class = _KernelCacheImpl

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        closure = self._py_func.__closure__ or ()
        constants = [cell.cell_contents for cell in closure]
        plain = [value for value in constants if isinstance(value, (int, float, str, np.generic))]
        return (sig, codegen.magic_tuple(), hashlib.sha256(pickle.dumps(plain)).hexdigest())
