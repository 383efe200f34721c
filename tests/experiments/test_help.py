"""Every command's help: soon, complete, in groups, by the command's own name, wherever the project lies."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.benchmarks.options import BenchmarkOptions
from experiments.train import CommandOptions
from maze_gen.help_page import lines_of

ROOT = Path(__file__).parents[2]
COMMANDS = (
    *(
        f"experiments.{name}"
        for name in (
            "train",
            "evaluate",
            "decode",
            "play",
            "export",
            "reproduce",
            "benchmark",
            "quickstart",
            "paint",
            "deep",
            "informed",
            "matrix",
        )
    ),
    "maze_gen",
    "env.replay",
)
SLOW = ("torch", "matplotlib", "tensorboard", "numba", "cv2", "PIL", "imageio")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_waits_for_no_large_library(command: str) -> None:
    """Imports, not seconds, so that a busy machine passes: without these it takes a quarter of a second of processor time."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", command, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"usage: python -m {command} ")
    assert "-h, --help" in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    # A recording's replay simulates.
    assert command == "env.replay" or imported.isdisjoint(SLOW)


def test_train_groups_its_options_and_shows_real_defaults() -> None:
    lines = lines_of(CommandOptions)
    sizes: dict[str, int] = {}
    for line in lines:
        assert line.group, line
        assert line.text, line
        sizes[line.group] = sizes.get(line.group, 0) + 1
    assert len(sizes) >= 6
    assert max(sizes.values()) <= 12
    found = {line.name: line.default for line in lines}
    assert (found["--task"], found["--agent"], found["--minutes"]) == ("static-small", "nav-d1d2l", "10")
    choices = {line.name: line.value for line in lines}
    assert "random-goal-huge" in choices["--task"]
    assert "nav-rd2" in choices["--agent"]
    assert choices["--preset"] == "{fast, gpu, painter, painter-paper, memory, paper, paper-starred}"


def test_every_option_has_a_text() -> None:
    assert [line.name for line in lines_of(BenchmarkOptions) if not line.text] == []


def test_in_a_folder_of_any_name(tmp_path: Path) -> None:
    folder = tmp_path / """it's "100 %" here"""
    for package in ("maze_gen", "env", "auxiliary", "agents", "experiments"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "*.safetensors"))
    for arguments, code in (
        (("experiments.train", "--help"), 0),
        (("experiments.train", "--worker", "3"), 2),
        (("maze_gen",), 0),
    ):
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=folder,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
    assert "maze_gen" not in done.stderr
