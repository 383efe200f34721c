"""One source for two compilers: every module of device functions has a `build(jit)` that defines them under either.

`cpu` compiles a function that other compiled functions inline, `inner` one that only compiled functions can call; `cpu_kernel`
compiles one that Python calls, which releases the interpreter's lock while it runs and whose machine code is cached on disk.
`cuda` and `CudaKernel` are their counterparts.

Compilers are imported where they compile: where machine code is cached nothing needs them.

What holds for all device functions: float32 throughout, so that the GPU executes no float64 instruction (constants are
`numpy.float32` values of the module, never literals; an integer is converted before it meets a float), array arguments are
C-contiguous, and nothing is allocated.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

# Atomic reference counts of arrays took six sevenths of a step. Nothing compiled here allocates an array or keeps a reference.
OPTIONS = {"error_model": "numpy", "_nrt": False, "no_cfunc_wrapper": True}

Jit = Callable[[Callable[..., Any]], Any]
"""A decorator that compiles a device function: `cpu`, `inner` or `cuda`."""


def cpu(function: Callable[..., Any]) -> Any:
    """Compiles a device function for the CPU; its callers inline it."""
    import numba

    return numba.njit(forceinline=True, **OPTIONS)(function)


def inner(function: Callable[..., Any]) -> Any:
    """Compiles a device function for the CPU that only compiled functions call.

    It has no wrapper that converts arguments from Python; for functions of many arrays, wrappers took a third of the compile
    time.
    """
    import numba

    options: dict[str, Any] = {**OPTIONS, "forceinline": True, "no_cpython_wrapper": True}
    return numba.njit(**options)(function)


def cpu_kernel(function: Callable[..., Any]) -> Any:
    """Compiles a function that Python calls, for the CPU, without the interpreter's lock, and caches the code on disk."""
    import numba

    from env.engine.kernel_cache import KernelCache

    kernel: Any = numba.njit(nogil=True, **OPTIONS)(function)
    kernel._cache = KernelCache(function)
    return kernel


def cuda(function: Callable[..., Any]) -> Any:
    """Compiles a device function for the GPU."""
    from numba import cuda as numba_cuda

    return numba_cuda.jit(device=True)(function)


class CudaKernel:
    """A function that Python launches on the GPU, with one GPU thread for each index of its work."""

    BLOCK = 128

    def __init__(self, function: Callable[..., Any]) -> None:
        import numba
        from numba import cuda as numba_cuda

        # Numba's default, optimisation during linking, would fuse products and sums after all (`separate_roundings`). The option
        # has to be given together with the function: numba-cuda 0.30 drops it from `jit(lto=False)`. Its simulator has none.
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
    """Compiles for the GPU without fusing a product and a sum into one rounding, so that both devices compute the same bits.

    The function that Numba calls has an option for that, but Numba's own interface offers none.
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
