"""Kernels as functions of integers: loaded by LLVM alone where their code is on disk, and compiled where that can't be used."""

import ctypes
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llvmlite import binding

from env.engine import code_cache, native
from env.engine.engine import Engine
from env.engine.packed_arguments import words_maker
from env.engine.textures import atlas
from env.registry import make_task

FIRST_STEP = """
import sys
import gymnasium
import knossos

world = gymnasium.make("Knossos/StaticSmall-v0")
world.reset(seed=1)
world.step(2)
world.step(3)
print(*sorted({"numba", "torch", "cv2", "matplotlib"} & set(sys.modules)))
"""


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A cache folder of its own, as a new process would find it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    code_cache.code_folder.cache_clear()
    yield tmp_path / "knossos"
    code_cache.code_folder.cache_clear()


def adder(offset: int = 1, compiled: list[int] | None = None) -> Any:
    """A kernel that adds two words and an offset to the word at an address."""

    def define() -> Any:
        if compiled is not None:
            compiled.append(offset)
        words = words_maker()

        def add(address, first, second):
            words(address)[0] += first + second + offset
            return words(address)[0]

        return add

    return native.native("add", 3, define, ("offset", offset))


def sum_of(kernel: Any, *numbers: int) -> tuple[int, int]:
    place = np.array([100])
    return kernel(place.ctypes.data, *numbers), int(place[0])


def test_a_kernel_reads_and_writes_what_lies_at_an_address(cache: Path) -> None:
    assert sum_of(adder(), 20, 3) == (124, 124)
    assert sum_of(adder(), -(2**40), 3) == (104 - 2**40, 104 - 2**40)


def test_code_is_loaded_the_next_time_and_another_form_is_compiled(cache: Path) -> None:
    compiled: list[int] = []
    assert [sum_of(adder(offset, compiled), 0, 0)[0] for offset in (1, 1, 2, 1)] == [101, 101, 102, 101]
    assert compiled == [1, 2]


def test_other_settings_of_the_compiler_are_other_code(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[int] = []
    adder(1, compiled)
    monkeypatch.setenv("NUMBA_LOOP_VECTORIZE", "0")
    adder(1, compiled)
    assert compiled == [1, 1]


@pytest.mark.parametrize("damage", ["empty", "cut", "one bit", "text", "whole, but no object file"])
def test_damaged_code_is_compiled_anew(cache: Path, damage: str) -> None:
    adder()
    (entry,) = cache.rglob("*.o")
    content = entry.read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    made = {"empty": b"", "cut": content[: len(content) // 2], "one bit": bytes(flipped), "text": b"code"}
    if damage in made:
        entry.write_bytes(made[damage])
    else:
        code_cache.write_entry(entry.name, b"code")
    compiled: list[int] = []
    assert sum_of(adder(1, compiled), 1, 1) == (103, 103)
    assert compiled == [1]
    adder(1, compiled)
    assert compiled == [1]


def test_a_kernel_that_raises_says_so(cache: Path) -> None:
    def define() -> Any:
        def fail(number):
            if number > 1:
                raise ValueError
            return number

        return fail

    kernel = native.native("fail", 1, define)
    assert kernel(1) == 1
    assert kernel(2) == native._FAILED


def object_file(source: str) -> bytes:
    module = binding.parse_assembly(source)
    return native._llvm().Target.from_default_triple().create_target_machine().emit_object(module)


def test_functions_of_the_c_library_are_found_and_others_are_no_crash(cache: Path) -> None:
    """LLVM ends the process where it cannot resolve a name."""
    declared = "declare double @{0}(double)\ndefine i64 @f(i64 %x) {{ %a = sitofp i64 %x to double\n"
    body = "%b = call double @{0}(double %a)\n%c = fptosi double %b to i64\nret i64 %c }}"
    known, unknown = (object_file((declared + body).format(name)) for name in ("cbrt", "no_such_function_anywhere"))
    assert native.undefined_symbols(known) == ["cbrt"]
    address = native._load(known, "f")
    assert address is not None
    assert ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(address)(27) == 3
    assert native._load(unknown, "f") is None


@pytest.mark.parametrize(
    "content", [b"", b"\x7fELF", b"\x7fELF\x02\x01" + b"\xff" * 90, b"code" * 50], ids=["empty", "cut", "odd", "text"]
)
def test_what_is_no_object_file_is_not_loaded(content: bytes) -> None:
    assert native.undefined_symbols(content) is None
    assert native._load(content, "f") is None


def test_the_first_step_of_a_process_imports_no_compiler() -> None:
    """Half a second, and 60 megabytes: a process that finds the machine code needs none of the libraries that made it."""
    with Engine(make_task("static-small"), 1) as env:
        env.reset(1)
        env.step([0])
    found = subprocess.run([sys.executable, "-c", FIRST_STEP], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


def test_textures_are_the_same_drawn_and_read(cache: Path) -> None:
    drawn = atlas.draw_textures()
    for damage in (False, False, True, False):
        if damage:
            (entry,) = cache.rglob(atlas.ENTRY)
            entry.write_bytes(entry.read_bytes()[:-7])
        found = atlas.all_textures.__wrapped__()
        np.testing.assert_array_equal(found, drawn)
        assert not found.flags.writeable
