"""Every example runs to its end, where the libraries that it is for are installed."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
OURS = {"env", "knossos", "maze_gen"}
EXTRAS = {"ray": "pandas"}
"""What the part of a library that an example imports needs beside it: RLlib is an extra of Ray."""


def missing(example: Path) -> list[str]:
    imported = set(re.findall(r"^(?:from|import) (\w+)", example.read_text(), re.MULTILINE)) - OURS
    imported |= {EXTRAS[name] for name in imported & EXTRAS.keys()}
    return sorted(name for name in imported if importlib.util.find_spec(name) is None)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example(example: Path, tmp_path: Path) -> None:
    if missing(example):
        pytest.skip(f"{', '.join(missing(example))} not installed")
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, str(example)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip()


def test_examples_are_short() -> None:
    for example in EXAMPLES:
        lines = [
            line for line in example.read_text().splitlines()[1:] if line.strip() and not line.startswith(("import", "from"))
        ]
        assert len(lines) <= 14, example


def test_no_example_hides_a_library() -> None:
    assert [path.stem for path in EXAMPLES if importlib.util.find_spec(path.stem) is not None] == []
