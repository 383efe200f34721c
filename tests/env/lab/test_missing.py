"""Without DeepMind Lab: one clear sentence, exit code 2, and nothing else in the project imports it."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from env.backends import make_batch
from env.lab import compare
from env.registry import make_task
from maze_gen.errors import InputError, one_line_errors


@pytest.fixture
def no_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "deepmind_lab" else found(name))


@pytest.mark.usefixtures("no_lab")
def test_a_batch_says_what_is_missing_and_how_to_get_it() -> None:
    with pytest.raises(InputError) as caught:
        make_batch(make_task("static-small"), 2, backend="lab")
    message = str(caught.value)
    assert "deepmind_lab" in message
    assert "isn't installed" in message
    assert "github.com/google-deepmind/lab" in message
    assert "\n" not in message


@pytest.mark.usefixtures("no_lab")
def test_a_command_says_it_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert one_line_errors(lambda: compare.main(compare.Options(mazes=1)))() == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_an_unknown_released_level_is_named() -> None:
    with pytest.raises(InputError, match=r"'lab:nav_maze_static_09': expected one of lab:nav_maze_static_01"):
        make_task("lab:nav_maze_static_09")


def test_nothing_is_imported_before_it_is_used() -> None:
    code = "import sys, env.backends, env.lab.adapter, env.lab.compare; sys.exit('deepmind_lab' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], check=False).returncode == 0
