"""Modules with one deliberate error, to show that a comparison with a reference would notice it."""

import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@dataclass(frozen=True)
class Mutant:
    """A replacement in the source of a module, and the check that must fail because of it.

    Attributes:
        name: what is wrong.
        module: whose source is changed.
        old: occurs exactly once in it.
        new: what replaces it.
        check: takes a module that stands in for `module`, and passes with the original.
    """

    name: str
    module: ModuleType
    old: str
    new: str
    check: Callable[[Any], None]


@contextmanager
def applied(mutant: Mutant, folder: Path) -> Iterator[ModuleType]:
    """The changed module, imported under a name of its own from a file in `folder` (Numba caches compiled code by file)."""
    source = inspect.getsource(mutant.module)
    assert source.count(mutant.old) == 1, f"{mutant.name}: {mutant.old!r} occurs {source.count(mutant.old)} times"
    assert mutant.old != mutant.new
    path = folder / "mutant.py"
    path.write_text(source.replace(mutant.old, mutant.new))
    name = f"mutant_of_{mutant.module.__name__.replace('.', '_')}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        del sys.modules[name]


def assert_caught(mutant: Mutant, folder: Path) -> None:
    """The check passes with the original module and fails, by a comparison, with the mutant."""
    mutant.check(mutant.module)
    with applied(mutant, folder) as module, pytest.raises(AssertionError):
        mutant.check(module)


def by_name(mutants: list[Mutant]) -> dict[str, Mutant]:
    """The mutants by name, which must be different."""
    table = {mutant.name: mutant for mutant in mutants}
    assert len(table) == len(mutants)
    return table
