"""No absurd value gets through a command, or ends in a traceback: one line that names the option, and exit code 2."""

import importlib
import re
import sys
from pathlib import Path

import pytest

from env.painting.program import to_json

CHECKPOINT = str(Path(__file__).parents[1] / "agents" / "published" / "format-1.safetensors")
LONG = "x" * 300
PROGRAM = "program.json"
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
        "--slow-units": ["nan", "2", "-1"],
        "--slow-steps": ["nan", "1", "1e300"],
        "--critic-sees": ["nothing", "rgb"],
        "--decoder-learning-rate": ["nan", "0", "1e300"],
        "--credit": ["none"],
        "--regulariser": ["none"],
        "--loop-closure-labels": ["none"],
        "--exchange-seconds": ["nan", "2"],
        "--in-flight": ["-1"],
        "--cluster-patience": ["inf"],
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
    "paint": {
        "--count": ["0", "-1", str(10**12), "nan"],
        "--size": ["0", "-8", str(10**9), "1e300"],
        "--seed": ["-1", str(2**63)],
        "--brush": ["", "mypaint:", "mypaint:../../etc/passwd", f"mypaint:{LONG}", LONG],
        "--png": [f"{LONG}.png", "a.jpg", "/dev/null/a.png", ""],
        "--svg": [f"{LONG}.svg", "a"],
        "--json": ["a.txt"],
        "--video": [f"{LONG}.gif", "film.txt", "film"],
        "--program": [LONG, "/", "/dev/null", ""],
        "--checkpoint": [LONG],
    },
    "deep": {
        "--minutes": ["nan", "inf", "-1", "1e300"],
        "--depths": ["0", "51", str(10**12)],
        "--shortcuts": ["nan", "-0.5", "1", "inf"],
        "--activations": ["nothing", ""],
        "--methods": ["none-such"],
        "--optimizers": ["lion"],
        "--seeds": ["0", str(10**12)],
        "--steps": ["0", "-1", str(10**12)],
        "--batch": ["0", str(10**12)],
        "--workers": ["0", "-1", str(10**6)],
        "--frames": ["0", str(10**15)],
        "--test-frames": ["0", str(10**15)],
        "--idx": [LONG, "/", "/dev/null", "nowhere"],
        "--out": [LONG, "/dev/null/x"],
        "--task": ["nowhere", "doodle-digits"],
    },
    "classification.encoders": {
        "--seconds": ["nan", "inf", "0", "-1"],
        "--batch": ["0", str(10**12)],
        "--frames": ["0", str(10**15)],
        "--test-frames": ["-1"],
        "--encoders": ["none-such"],
        "--task": ["nowhere"],
        "--out": [LONG],
    },
    "informed.__main__": {
        "--episodes": ["0", "1", "-1", str(10**12)],
        "--seed": ["-1", str(2**63)],
        "--json": [LONG, "/"],
        "--task": ["nowhere"],
    },
    "matrix": {"--grids": ["nowhere", LONG], "--out": [LONG, "/"]},
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
    "paint": ["--program", PROGRAM, "--png", "a.png"],
    "deep": ["--minutes", "0", "--frames", "64", "--test-frames", "20"],
    "informed.__main__": ["--task", "static-small"],
    "matrix": ["--grids", "docs/results/order"],
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
    ours = command.startswith(("env.", "maze_gen."))
    module = importlib.import_module(command if ours else f"experiments.{command}")
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
    if command == "paint":
        (tmp_path / PROGRAM).write_text(to_json(()))
    error = end_of(command, [*arguments, f"{option}={value}"], monkeypatch, capsys)
    # It names the option, or a part of the value.
    words = error.replace("-", " ").replace("_", " ")
    parts = [part[:30] for part in re.split(r"[=x](?!x)", value.replace("-", " ").replace("_", " ")) if part.strip()]
    assert command == "env.lab.compare" or not value or any(part in words for part in (option[2:].replace("-", " "), *parts))
    assert not list(tmp_path.glob("runs/*/*"))


@pytest.mark.parametrize(("command", "arguments", "message"), TOGETHER)
def test_options_that_do_nothing_together_are_refused(command, arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "M").write_text("*********\n*P     G*\n*********\n")
    monkeypatch.setattr("env.memory.available_bytes", lambda: 100 << 30)
    assert message in end_of(command, arguments, monkeypatch, capsys)
