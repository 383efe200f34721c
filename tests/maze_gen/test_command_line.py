"""`python -m maze_gen`: what it prints and writes, and how it tells mistakes."""

import os
import subprocess
import sys

import pytest

from maze_gen.__main__ import main
from maze_gen.catalogue import catalogue_maze
from maze_gen.generator import GeneratorConfig
from maze_gen.splits import maze_of_split, split_of
from maze_gen.text import as_block, load_maze, write_maze


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["maze_gen", *arguments])
    code = main()
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_it_prints_draws_and_writes_a_held_out_maze(tmp_path):
    command = ["--size", "5x10", "--seed", "3", "--split", "heldout", "--out", "maze.txt", "--picture", "maze.png"]
    done = subprocess.run([sys.executable, "-m", "maze_gen", *command], cwd=tmp_path, capture_output=True, text=True, check=True)
    maze = load_maze(tmp_path / "maze.txt")
    assert maze == maze_of_split(GeneratorConfig(5, 10), "heldout", 3)
    assert split_of(maze) == "heldout"
    assert done.stdout == write_maze(maze)
    assert (tmp_path / "maze.png").read_bytes().startswith(b"\x89PNG")
    assert "heldout" in done.stderr


def test_help_whose_reader_has_seen_enough_is_no_mistake():
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "maze_gen", "--help"], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_mistake_is_one_line_and_exit_code_2(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "maze_gen", "--maze-file", "no.txt"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: no.txt: can't read the maze: No such file or directory\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bogus"], "--bogus"),
        (["--seed", "three"], "--seed"),
        (["--split", "test"], "--split"),
        (["--size", "five"], "size 'five'"),
        (["--size", "1x1"], "1x1"),
        (["--size", "1000x2"], "rows = 1000"),
        (["--loops", "7"], "loops = 7.0"),
        (["--name", "nowhere"], "'nowhere'"),
        (["--name", "i-maze", "--seed", "1"], "--seed is for generated mazes"),
        (["--name", "i-maze", "--geometry", "thin"], "block maze"),
        (["--name", "i-maze", "--maze-file", "x.txt"], "exclude each other"),
        (["--out", "no-such-folder/maze.txt"], "no-such-folder/maze.txt"),
        (["--picture", "x.png", "--scale", "1"], "scale = 1"),
        (["--size", "1x2", "--split", "heldout", "--seed", "1"], "1x2 cells in split heldout"),
    ],
)
def test_mistakes_are_told_in_one_line(monkeypatch, capsys, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(monkeypatch, capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err
    assert not list(tmp_path.iterdir())


def test_mazes_of_the_catalogue_and_of_files(monkeypatch, capsys, tmp_path):
    small = catalogue_maze("static-small")
    assert run(monkeypatch, capsys, "--name", "static-small")[:2] == (0, write_maze(small))
    path = tmp_path / "maze.txt"
    path.write_text(write_maze(small))
    code, out, err = run(monkeypatch, capsys, "--maze-file", str(path))
    assert (code, out) == (0, write_maze(small))
    assert small.digest[:16] in err
    code, _, err = run(monkeypatch, capsys, "--name", "static-small", "--geometry", "block")
    assert code == 0
    assert as_block(small).digest[:16] in err
    code, _, err = run(monkeypatch, capsys, "--maze-file", str(path), "--geometry", "block")
    assert as_block(small).digest[:16] in err


def test_options_reach_the_generator(monkeypatch, capsys, tmp_path):
    options = ["--size", "6x7", "--rooms", "2", "--loops", "0.1", "--straightness", "0.9", "--apples", "4"]
    options += ["--strawberry-share", "0.5", "--goals", "2", "--spawns", "3", "--geometry", "block", "--seed", "5"]
    code, out, _ = run(monkeypatch, capsys, *options, "--lab", str(tmp_path / "level"))
    config = GeneratorConfig(6, 7, "block", 2, 0.1, 0.9, 4, 0.5, 2, 3)
    assert (code, out) == (0, write_maze(maze_of_split(config, "any", 5)))
    assert (tmp_path / "level.entities.txt").read_text() == out


def test_help_is_shown(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["maze_gen", "--help"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 0
    assert "--maze-file" in capsys.readouterr().out
