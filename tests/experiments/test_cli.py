"""Options, one-line errors, and files that appear whole or not at all."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import tyro

from experiments.options import TaskOptions, check_writable, command, write_file, write_json
from maze_gen.cli import parse_options
from maze_gen.errors import InputError


@dataclass(frozen=True)
class Options:
    """A command.

    Attributes:
        episodes: how many.
        world: where.
    """

    episodes: int = 3
    world: tyro.conf.OmitArgPrefixes[TaskOptions] = field(default_factory=TaskOptions)


def test_options_are_read() -> None:
    assert parse_options(Options, ["--episodes", "5", "--task", "i-maze"]) == Options(5, TaskOptions(task="i-maze"))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--episods", "5"], "--episods"),
        (["--episodes", "many"], "--episodes: invalid literal for int"),
        (["--split", "test"], "invalid choice 'test'"),
        (["--task", "a", "--maze-file", "b"], "exclude each other"),
        (["--task", "labyrinth"], "task 'labyrinth': expected one of static-small"),
        (["--maze-file", "nowhere.txt"], "nowhere.txt"),
    ],
)
def test_bad_options_are_one_line_and_exit_code_2(
    arguments: list[str], complaint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["command", *arguments])
    assert command(Options, lambda options: options.world.make() and None)() == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert complaint in error


def test_what_the_system_refuses_is_one_line_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(options: Options) -> None:
        raise OSError(28, "No space left on device", "/disk/file")

    monkeypatch.setattr("sys.argv", ["command"])
    assert command(Options, full)() == 2
    assert capsys.readouterr().err == "error: cannot read or write /disk/file: No space left on device\n"


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new" / "file.txt"
    write_file(path, "whole")
    assert path.read_text() == "whole"

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InputError, match=r"cannot write .*file.txt: No space left on device"):
        write_file(path, "other")
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_json_without_numbers_that_json_lacks(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    write_json(path, {"a": 1.5, "b": None})
    assert json.loads(path.read_text()) == {"a": 1.5, "b": None}
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == {"a": 1.5, "b": None}


def test_unwritable_places_are_found_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        check_writable(tmp_path / "file" / "below.json")
    with pytest.raises(InputError, match="it is a folder"):
        check_writable(tmp_path)
    check_writable(None)
