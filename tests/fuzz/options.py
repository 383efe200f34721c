"""Command lines: options of every command with values that are small or absurd; a command ends with 0, or 2 and one line."""

import contextlib
import importlib
import io
import os
import sys
from pathlib import Path
from random import Random

from env.painting.program import to_json
from maze_gen.errors import InputError

ABSURD = (
    "nan", "inf", "-inf", "-1", "1e26", "1e300", "1000000000000", "9" * 5000, "", "abc", "x" * 300, "/", "/dev/null", "--", "é",
    "0x10", "1_000", " 1", "None", "True", "[]", "{}", "\n", "a=b", "5x10", "0x0", "1.5", "-0", "1e-320",
)  # fmt: skip
PUBLISHED = str(Path(__file__).parents[1] / "agents" / "published" / "format-1.safetensors")
TRAIN = ("--minutes", "0", "--serial", "--workers", "1", "--agent", "ff", "--analysis-episodes", "0")
PROGRAM = "program.json"
COMMANDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "experiments.train": (
        TRAIN,
        (
            "--task", "--maze-file", "--geometry", "--spawn-distance", "--backend", "--agent", "--preset", "--minutes",
            "--frames", "--total-minutes", "--workers", "--device", "--seed",
            "--run-dir", "--resume", "--checkpoint-minutes", "--num-envs",
            "--unroll-length", "--discount", "--gae-lambda", "--epochs", "--minibatches", "--clip-range", "--learning-rate",
            "--optimizer", "--rmsprop-alpha", "--optimizer-eps", "--max-grad-norm", "--entropy-cost", "--value-cost",
            "--loss-weight", "--precision", "--depth-form", "--observation-size", "--encoder", "--envs", "--clip", "--nothing",
            "--slow-units", "--slow-steps", "--critic-sees", "--decoder-learning-rate", "--credit", "--regulariser",
            "--objective", "--anneal-start-fraction", "--final-learning-rate-fraction", "--loop-closure-labels",
            "--exchange-seconds", "--in-flight", "--cluster-patience", "--sum-over-time", "--locked-updates",
        ),
    ),
    "experiments.paint": (
        ("--program", PROGRAM, "--png", "a.png", "--size", "16"),
        ("--checkpoint", "--program", "--target", "--count", "--seed", "--brush", "--size", "--png", "--svg", "--json"),
    ),
    "experiments.informed.__main__": (
        ("--task", "static-small", "--episodes", "0"),
        ("--task", "--maze-file", "--geometry", "--split", "--spawn-distance", "--seed", "--json", "--episodes"),
    ),
    "experiments.reproduce": (
        ("--agents", "nobody"),
        ("--budget", "--tasks", "--maze-file", "--mazes", "--seeds", "--out", "--preset", "--workers", "--episodes", "--at-once"),
    ),
    "experiments.export": (("--checkpoint", PUBLISHED, "--out", "a.safetensors"), ("--checkpoint", "--out")),
    "maze_gen.__main__": (
        (),
        (
            "--size", "--seed", "--split", "--rooms", "--loops", "--straightness", "--apples", "--strawberry-share", "--goals",
            "--spawns", "--name", "--maze-file", "--geometry", "--out", "--picture", "--scale", "--lab",
        ),
    ),
    "experiments.evaluate": (
        ("--checkpoint", PUBLISHED, "--episodes", "0"),
        ("--checkpoint", "--seed", "--erase", "--json", "--threads", "--task", "--split", "--geometry", "--figure", "--compare"),
    ),
    "experiments.play": (
        ("--checkpoint", PUBLISHED, "--video", "film.txt"),
        ("--checkpoint", "--seed", "--seconds", "--view", "--policy", "--task", "--maze-file", "--split", "--geometry"),
    ),
}  # fmt: skip


def run(random: Random, folder: Path) -> None:
    """Runs a command with a few odd options."""
    name = random.choice(sorted(COMMANDS))
    usual, options = COMMANDS[name]
    arguments = list(usual)
    for _ in range(random.choice((0, 1, 1, 1, 2, 3))):
        arguments.append(f"{random.choice(options)}={random.choice(ABSURD)}")
    (folder / PROGRAM).write_text(to_json(()))
    module = importlib.import_module(name)
    before, here = sys.argv, os.getcwd()
    out, error = io.StringIO(), io.StringIO()
    try:
        sys.argv = [name, *arguments]
        os.chdir(folder)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
            code = module.main()
    finally:
        sys.argv = before
        os.chdir(here)
    lines = [line for line in error.getvalue().splitlines() if not line.startswith("note: ")]
    if code == 2:
        assert len(lines) == 1, (arguments, lines)
        assert lines[0].startswith("error: "), (arguments, lines)
        raise InputError(lines[0])
    assert code == 0, (arguments, code, lines)
