"""One integer array that stands for all arrays of a world.

Numba takes about 0.2 µs to unbox an array argument, and a step has 50 of them: too much for a batch of 64 worlds, and other
threads wait for the interpreter's lock all the while. So a kernel takes one array of the addresses and shapes of all the
others, and unpacks it in compiled code.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt


def pack_arguments(bundle: Any) -> npt.NDArray[np.int64]:
    """The addresses, shapes and numbers of a nested NamedTuple of C-contiguous arrays and integers.

    The result does not keep the arrays alive, and is valid for these arrays only: it must never be copied to another world.
    """
    entries: list[int] = []
    for value in _leaves(bundle):
        if isinstance(value, np.ndarray):
            assert value.flags.c_contiguous
            entries += [value.ctypes.data, *value.shape]
        else:
            entries.append(int(value))
    return np.array(entries, dtype=np.int64)


def unpacker_of(bundle: Any) -> Callable[[Any], Any]:
    """A compiled function that turns packed arguments back into a bundle of this form: the same types and dimensions."""
    import numba
    from numba import carray  # type: ignore[attr-defined]

    names: dict[str, Any] = {"carray": carray, "pointer": pointer_maker()}
    source, _ = _expression(bundle, 0, names)
    exec(f"def unpack(packed):\n    return {source}\n", names)
    return numba.njit(**_options())(names["unpack"])


@functools.cache
def words_maker() -> Any:
    """For compiled code: makes an address, int64, the array of int64 that lies there, of a length that nobody knows."""
    import numba
    from numba import carray  # type: ignore[attr-defined]

    pointer, word = pointer_maker(), np.int64
    return numba.njit(**_options())(lambda address: carray(pointer(address), (1,), word))


def _options() -> dict[str, Any]:
    # Arrays that compiled code creates need Numba's reference counts, once in a call; see `env.engine.compile`.
    counted: dict[str, Any] = {"forceinline": True, "error_model": "numpy", "_nrt": True}
    return counted | {"no_cfunc_wrapper": True, "no_cpython_wrapper": True}


def form_of(bundle: Any) -> tuple[tuple[str, int], ...]:
    """The types and dimensions of a bundle's arrays: bundles of one form are unpacked by the same function."""
    return tuple((str(value.dtype), value.ndim) if isinstance(value, np.ndarray) else ("int", 0) for value in _leaves(bundle))


def _leaves(bundle: Any) -> Iterator[Any]:
    if hasattr(bundle, "_fields"):
        for value in bundle:
            yield from _leaves(value)
    else:
        yield bundle


def _expression(value: Any, position: int, names: dict[str, Any]) -> tuple[str, int]:
    """The code that unpacks a value from the entries at `position` and after, and the position of the next value."""
    if hasattr(value, "_fields"):
        kind = type(value)
        names[kind.__name__] = kind
        parts = []
        for field in value:
            part, position = _expression(field, position, names)
            parts.append(part)
        return f"{kind.__name__}({', '.join(parts)})", position
    if isinstance(value, np.ndarray):
        names[f"type_{value.dtype}"] = value.dtype.type
        shape = "".join(f"packed[{position + 1 + axis}], " for axis in range(value.ndim))
        return f"carray(pointer(packed[{position}]), ({shape}), type_{value.dtype})", position + 1 + value.ndim
    return f"packed[{position}]", position + 1


@functools.cache
def pointer_maker() -> Any:
    """For compiled code: makes an address, int64, a pointer."""
    from numba.core import cgutils, types
    from numba.extending import intrinsic

    @intrinsic
    def pointer(typing_context, address):
        def generate(context, builder, signature, arguments):
            return builder.inttoptr(arguments[0], cgutils.voidptr_t)

        return types.voidptr(types.int64), generate

    return pointer
