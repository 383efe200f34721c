"""How the project is built: which way imports go, how large files and signatures are, and how much is tested."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median

import networkx
import pytest

ROOT = Path(__file__).parents[1]
FLOORS = ("maze_gen", "env", "auxiliary", "agents", "experiments")
"""From the lowest to the highest; each imports only what lies below it."""
MOST_LINES, MEDIAN_LINES, MOST_PARAMETERS = 400, 140, 8


def sources(folder: str) -> list[Path]:
    return sorted(path for path in (ROOT / folder).rglob("*.py") if "__pycache__" not in path.parts)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for folder in FLOORS for path in sources(folder)}


def imports(path: Path, everywhere: bool = True) -> Iterator[str]:
    """The project's modules that a file imports; with `everywhere` also inside of functions, never for types alone."""
    nodes = ast.walk(tree(path)) if everywhere else iter(tree(path).body)
    typed = {
        id(child)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for child in ast.walk(node)
    }
    for node in nodes:
        if id(node) in typed:
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names] + [node.module]
        else:
            continue
        yield from (name for name in names if name in MODULES)


def test_nothing_lower_imports_something_higher():
    upward = [
        (module, other)
        for module, path in MODULES.items()
        for other in imports(path)
        if FLOORS.index(other.split(".")[0]) > FLOORS.index(module.split(".")[0])
    ]
    assert upward == []


def test_no_imports_go_in_a_circle():
    graph = networkx.DiGraph((module, other) for module, path in MODULES.items() for other in imports(path, everywhere=False))
    graph.remove_edges_from(networkx.selfloop_edges(graph))
    assert list(networkx.simple_cycles(graph)) == []


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_file_is_long():
    everything = {path: lines(path) for folder in (*FLOORS, "tests") for path in sources(folder)}
    assert {str(path): count for path, count in everything.items() if count > MOST_LINES} == {}
    counts = [count for path, count in everything.items() if count and "tests" not in path.parts]
    assert median(counts) <= MEDIAN_LINES


@pytest.mark.parametrize(("folders", "least"), [(FLOORS, 0.5), (("experiments",), 0.4)], ids=["overall", "experiments"])
def test_enough_is_tested(folders, least):
    product = sum(lines(path) for folder in folders for path in sources(folder))
    tests = sum(lines(path) for folder in folders for path in sources(f"tests/{folder}"))
    assert tests / product >= least


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return len([argument for argument in named if argument.arg not in ("self", "cls")])


def test_no_function_takes_many_parameters():
    """Values stand for long lists. Constructors of Gymnasium's environments take what `gymnasium.make` passes, by name."""
    long = {
        f"{module}.{node.name}": parameters(node)
        for module, path in MODULES.items()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and parameters(node) > MOST_PARAMETERS
    }
    assert long == {}


def test_what_is_printed_goes_through_the_console_module():
    """`print` fails where a reader such as `head` has seen enough, and at a terminal whose encoding lacks a character."""
    printing = {
        module
        for module, path in MODULES.items()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    }
    assert printing == {"maze_gen.console"}
