"""Kernels of the CPU as plain functions of integers, called by `ctypes`: numbers, and addresses of arrays.

Where a kernel's machine code is on disk (`env.engine.code_cache`), it is loaded by LLVM's linker alone: to import Numba, and to
prepare it for loading its own cached code, takes half a second, which every process would pay before its first step. Where it
isn't, Numba compiles it.
"""

import contextlib
import ctypes
import functools
import hashlib
import os
import struct
from collections.abc import Callable, Hashable
from typing import Any

from env.engine.code_cache import read_entry, write_entry
from env.engine.compile import OPTIONS

Native = Callable[..., int]
"""Takes int64 numbers and returns one. It releases the interpreter's lock while it runs, and must not raise."""

_FORMAT = 1
"""Of the function that is stored: its name and how it takes its arguments."""
_FAILED = -(2**62)
"""What a kernel returns that raised an error after all."""
_kept: list[Any] = []
"""What holds the machine code: it must live as long as the process."""


def native(name: str, arguments: int, define: Callable[[], Callable[..., Any]], form: Hashable = ()) -> Native:
    """A kernel, loaded or compiled; each call makes a function of its own.

    Args:
        name: of the kernel.
        arguments: how many int64 arguments it has.
        define: makes the Python function to be compiled; called only where no machine code is found.
        form: of the arrays whose addresses it takes; a kernel is compiled for each form.
    """
    entry = f"{name}-{_key(name, arguments, form)}"
    symbol = entry.replace("-", "_")
    content = read_entry(f"{entry}.o")
    address = None if content is None else _load(content, symbol)
    if address is None:
        address, content = _compile(symbol, arguments, define())
        if content is not None and _missing_symbols(content) == []:
            write_entry(f"{entry}.o", content)
    return ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * arguments)(address)


def _key(name: str, arguments: int, form: Hashable) -> str:
    llvm = _llvm()
    settings = sorted((key, value) for key, value in os.environ.items() if key.startswith("NUMBA_"))
    machine = (llvm.get_process_triple(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten())
    return hashlib.sha256(repr((_FORMAT, name, arguments, form, machine, settings)).encode()).hexdigest()[:32]


@functools.cache
def _llvm() -> Any:
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding


def _load(content: bytes, symbol: str) -> int | None:
    """The address of a function in an object file; None where the process lacks something that it needs."""
    if _missing_symbols(content) != []:
        return None
    llvm = _llvm()
    machine = llvm.Target.from_default_triple().create_target_machine(opt=0, jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(content))
    engine.finalize_object()
    _kept.append(engine)
    return engine.get_function_address(symbol) or None


def _compile(symbol: str, arguments: int, function: Callable[..., Any]) -> tuple[int, bytes | None]:
    """(address, object file) of a function of int64 arguments that returns int64, behind C's calling convention."""
    from numba.core.compiler_lock import global_compiler_lock

    with global_compiler_lock:
        return _compile_alone(symbol, arguments, function)


def _compile_alone(symbol: str, arguments: int, function: Callable[..., Any]) -> tuple[int, bytes | None]:
    import numba
    from llvmlite import ir
    from numba.core import types

    options: dict[str, Any] = {**OPTIONS, "no_cpython_wrapper": True}
    dispatcher: Any = numba.njit(**options)(function)
    signature = types.int64(*[types.int64] * arguments)
    dispatcher.compile(signature.args)
    result = dispatcher.overloads[signature.args]
    context = result.target_context
    library = context.codegen().create_library(symbol)
    library.enable_object_caching()
    module = library.create_ir_module(symbol)
    word = ir.IntType(64)
    entry = ir.Function(module, ir.FunctionType(word, [word] * arguments), symbol)
    builder = ir.IRBuilder(entry.append_basic_block())
    called = context.declare_function(module, result.fndesc)
    returned = result.signature.return_type
    status, value = context.call_conv.call_function(builder, called, returned, signature.args, entry.args)
    value = context.cast(builder, value, returned, types.int64)
    builder.ret(builder.select(status.is_ok, value, ir.Constant(word, _FAILED)))
    library.add_ir_module(module)
    library.add_linking_library(result.library)
    library.finalize()
    _kept.append(library)
    return library.get_pointer_to_function(symbol), library._get_compiled_object()


def _missing_symbols(content: bytes) -> list[str] | None:
    """Names that an object file takes from elsewhere and that are neither in this process nor in the C library of mathematics.

    LLVM ends the process where it can't resolve one. Those that are found are shown to LLVM. None for what is no object file.
    """
    names = undefined_symbols(content)
    if names is None:
        return None
    missing = []
    for name in names:
        for library in _libraries():
            try:
                address = ctypes.cast(library[name], ctypes.c_void_p).value
            except AttributeError:
                continue
            _llvm().add_symbol(name, address)
            break
        else:
            missing.append(name)
    return missing


@functools.cache
def _libraries() -> list[ctypes.CDLL]:
    found = [ctypes.CDLL(None)]
    # Another C library may have all in one file.
    with contextlib.suppress(OSError):
        found.append(ctypes.CDLL("libm.so.6"))
    return found


def undefined_symbols(content: bytes) -> list[str] | None:
    """The names that an ELF object file of 64 bits, low byte first, refers to without defining; None where it is none."""
    if content[:6] != b"\x7fELF\x02\x01":
        return None
    try:
        (sections,) = struct.unpack_from("<Q", content, 0x28)
        size, count = struct.unpack_from("<HH", content, 0x3A)
        headers = [struct.unpack_from("<IIQQQQIIQQ", content, sections + size * number) for number in range(count)]
        found = []
        for _, kind, _, _, offset, length, link, *_ in headers:
            if kind != 2:
                continue
            names = headers[link][4]
            for at in range(offset + 24, offset + length, 24):
                name, _, _, section = struct.unpack_from("<IBBH", content, at)
                if name and section == 0:
                    start = names + name
                    found.append(content[start : content.index(b"\0", start)].decode())
        return found
    except (struct.error, ValueError, IndexError, OverflowError):
        return None
