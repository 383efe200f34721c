"""No absurd value gets through a command, or ends in a traceback: one line that names the option, and exit code 2."""

import importlib
import sys
from pathlib import Path

import pytest

CHECKPOINT = str(Path(__file__).parents[1] / "agents" / "published" / "format-1.safetensors")
LONG = "x" * 300
TRAIN = ["--minutes", "0", "--serial", "--workers", "1", "--agent", "ff", "--analysis-episodes", "0"]

NUMBERS = {
    "train": {
        "--minutes": ["nan", "inf", "-1", "1e300", "two"],
        "--total-minutes": ["nan", "-1"],
        "--frames": ["nan", "1e26", "-1", str(10**16)],
        "--workers": ["0", "-2", "1e26", "1000000"],
        "--seed": ["-1", str(2**63), "1.5"],
        "--checkpoint-minutes": ["nan", "inf", "-1"],
        "--analysis-episodes": ["1", "-1", str(10**12)],
        "--num-envs": ["0", "-1", "1000000000", "1000000"],
        "--unroll-length": ["0", str(10**12)],
        "--discount": ["0", "1.5", "nan"],
        "--gae-lambda": ["nan", "-0.1", "2"],
        "--epochs": ["0"],
        "--minibatches": ["0"],
        "--clip-range": ["-1", "nan", "0"],
        "--learning-rate": ["nan", "inf", "-1", "0", "1e30"],
        "--final-learning-rate-fraction": ["2"],
        "--anneal-start-fraction": ["1", "nan"],
        "--rmsprop-alpha": ["7"],
        "--optimizer-eps": ["nan"],
        "--max-grad-norm": ["-3", "inf"],
        "--entropy-cost": ["nan", "-1"],
        "--value-cost": ["inf"],
        "--loss-weight": ["depth-core=nan", "depth-core=-1", "nothing=1", "depth-core", "=", ""],
        "--observation-size": ["0", "43", "100000"],
        "--encoder": ["none"],
        "--spawn-distance": ["-1", "100000000", "50"],
        "--agent": ["nobody"],
        "--task": ["nowhere", LONG],
        "--preset": ["none"],
        "--maze-file": [LONG, "/", "/dev/null"],
        "--resume": [LONG, "/", "/dev/null"],
        "--run-dir": [LONG, "/dev/null/x"],
    },
    "evaluate": {
        "--episodes": ["0", "-1", str(10**12)],
        "--threads": ["-1", "0", str(10**6)],
        "--seed": ["-1", str(2**63)],
        "--json": [LONG, "/"],
        "--checkpoint": [LONG],
        "--figure": ["a.png"],
        "--geometry": ["block"],
        "--spawn-distance": ["3"],
    },
    "decode": {
        "--episodes": ["1", str(10**12)],
        "--threads": ["-1"],
        "--seed": ["-1"],
        "--report": [LONG],
        "--split": ["heldout"],
    },
    "play": {
        "--episodes": ["0", str(10**12)],
        "--seconds": ["nan", "inf", "-1", "0"],
        "--seed": ["-1", str(2**64)],
        "--view": ["0", "-5", str(10**9)],
        "--video": [f"{LONG}.gif", "film.txt"],
    },
    "export": {"--out": ["a.txt", f"{LONG}.safetensors", "/dev/null/a.safetensors"]},
    "benchmark": {
        "--seconds": ["nan", "inf", "0", "-1"],
        "--num-envs": ["0", str(10**12)],
        "--threads": ["0", "-1", str(10**9)],
        "--sizes": ["0x0", "5", "axb", "999999999x9"],
        "--json": ["/"],
    },
    "quickstart": {"--episodes": ["1", str(10**12)], "--minutes": ["nan"]},
    "reproduce": {
        "--seeds": ["0", str(10**12)],
        "--episodes": ["0", str(10**12)],
        "--budget": ["nan", "-1", "1e999m", "0m", "inf"],
        "--geometry": ["block"],
        "--out": [LONG],
        "--workers": ["0"],
    },
    "maze_gen.__main__": {
        "--size": ["0x5", "251x3", "1x1", LONG],
        "--rooms": ["-1", str(10**12)],
        "--loops": ["nan", "2"],
        "--straightness": ["nan", "inf"],
        "--apples": ["-1", str(10**12)],
        "--strawberry-share": ["nan"],
        "--goals": [str(10**9)],
        "--scale": ["64"],
        "--out": [LONG, "/"],
        "--maze-file": [LONG],
        "--name": ["nothing"],
    },
    "env.replay": {"--tolerance": ["nan", "inf", "-1"], "--traces": ["a"]},
    "env.lab.compare": {
        "--mazes": ["0", str(10**12)],
        "--seconds": ["-1"],
        "--guided": ["nan", "2"],
        "--speed-steps": ["-1"],
        "--seed": ["-1"],
        "--rows": ["0", str(10**9)],
    },
}
USUAL = {
    "train": TRAIN,
    "evaluate": ["--checkpoint", CHECKPOINT, "--episodes", "1"],
    "decode": ["--checkpoint", CHECKPOINT, "--episodes", "2"],
    "play": ["--checkpoint", CHECKPOINT, "--video", "film.gif"],
    "export": ["--checkpoint", CHECKPOINT, "--out", "a.safetensors"],
    "quickstart": TRAIN[:-2],
    "env.replay": ["nothing.npz"],
}

TOGETHER = [
    ("play", ["--policy", "random", "--maze-file", "M", "--split", "heldout", "--video", "p.gif"], "--split heldout"),
    ("play", ["--policy", "random", "--geometry", "block", "--video", "p.gif"], "--geometry block"),
    ("train", [*TRAIN, "--task", "static-small", "--geometry", "block"], "--geometry block"),
    ("train", [*TRAIN, "--task", "static-small", "--maze-file", "M"], "exclude each other"),
    ("train", [*TRAIN[:5], "--resume", CHECKPOINT, "--preset", "paper"], "--preset paper"),
    ("train", [*TRAIN[:5], "--resume", CHECKPOINT, "--geometry", "block"], "--geometry"),
    ("train", [*TRAIN, "--num-envs", "1000000"], "GB"),
    ("train", [*TRAIN[:2], "--workers", "1024", "--num-envs", "1000"], "GB"),
    ("maze_gen.__main__", ["--scale", "64"], "--picture"),
]


def end_of(command: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command ends with."""
    module = importlib.import_module(command if "." in command else f"experiments.{command}")
    monkeypatch.setattr(sys, "argv", [command, *arguments])
    if hasattr(module, "main") and command not in ("env.replay", "env.lab.compare"):
        code = module.main()
    else:
        from maze_gen.cli import parse_options
        from maze_gen.errors import one_line_errors

        options = module.BenchmarkOptions if command == "benchmark" else module.Options
        body = module.run if command == "benchmark" else module.main
        code = one_line_errors(lambda: body(parse_options(options)))()
    error = capsys.readouterr().err
    assert code == 2, error
    lines = [line for line in error.splitlines() if not line.startswith("note: ")]
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: "), lines
    return lines[0]


@pytest.mark.parametrize(
    ("command", "option", "value"),
    [(command, option, value) for command, options in NUMBERS.items() for option, values in options.items() for value in values],
)
def test_an_absurd_value_is_one_line(command, option, value, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = USUAL.get(command, [])
    if option in arguments:
        place = arguments.index(option)
        arguments = arguments[:place] + arguments[place + 2 :]
    end_of(command, [*arguments, f"{option}={value}"], monkeypatch, capsys)
    assert not list(tmp_path.glob("runs/*/*"))


@pytest.mark.parametrize(("command", "arguments", "message"), TOGETHER)
def test_options_that_do_nothing_together_are_refused(command, arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "M").write_text("*********\n*P     G*\n*********\n")
    monkeypatch.setattr("env.memory.available_bytes", lambda: 100 << 30)
    assert message in end_of(command, arguments, monkeypatch, capsys)
