"""reproduce: what is done stays, what was stopped goes on, and the table says what the runs say."""

import dataclasses
import itertools
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from agents.checkpoint import CHECKPOINT, load_checkpoint
from agents.checkpoint_saver import DivergedError
from agents.config import TrainConfig
from agents.runtime.errors import WorkerError
from env.task import Task
from experiments import reproduce
from experiments.reproduction import run as runs_of_grid
from experiments.reproduction.grid import Budget, GridTask, parse_budget, tasks_of
from experiments.train_options import TrainOptions
from maze_gen.errors import InputError
from maze_gen.text import read_maze

ROOT = Path(__file__).parents[2]

CORRIDOR = "*******\n*A   G*\n*******"
WINDING = "*********\n*G      *\n******* *\n*       *\n* *******\n*       *\n*********\n"
"""Its goal has cells far from it; in generated mazes of its size some goals have none."""
ROOM = "*********\n*      G*\n*********"
SMALL = ("--serial", "--workers", 1, "--num-envs", 4, "--unroll-length", 5, "--minibatches", 1, "--epochs", 1)
STEP = 4 * 5 * 4
"""Frames of a chunk of all environments."""


def toy(name: str, text: str) -> Task:
    return Task(name, (read_maze(text),), episode_seconds=4, spawn_distance=1, observation_size=42)


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks `corridor` and `room`, with episodes of 4 s, beside the registry's."""
    known = {name: GridTask(name, toy(name, text)) for name, text in (("corridor", CORRIDOR), ("room", ROOM))}

    def make(names, *others) -> list[GridTask]:
        if not names or not set(names) <= set(known):
            return tasks_of(names, *others)
        return [known[name] for name in names]

    monkeypatch.setattr("experiments.reproduction.grid.tasks_of", make)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["reproduce", *map(str, arguments)])
    return reproduce.main()


@dataclasses.dataclass
class Trainings:
    """What was trained, and a training that is stopped."""

    asked: list[TrainOptions] = dataclasses.field(default_factory=list)
    stop_at: int | None = None
    fail: bool = False
    diverge_at: int | None = None

    def train(self, options: TrainOptions, task: Task | None = None):
        self.asked.append(options)
        if self.fail:
            raise WorkerError("worker 0, process 7, was killed by SIGKILL\nmore")
        if self.diverge_at == len(self.asked):
            real_train(dataclasses.replace(options, frames=STEP), task)
            raise DivergedError("the parameters are no longer finite after 160 frames")
        if self.stop_at == len(self.asked):
            # As Ctrl-C leaves it: a checkpoint in the middle, and the news that it was interrupted.
            return dataclasses.replace(real_train(dataclasses.replace(options, frames=STEP), task), interrupted=True)
        return real_train(options, task)


real_train = runs_of_grid.train


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> Trainings:
    seen = Trainings()
    monkeypatch.setattr(runs_of_grid, "train", seen.train)
    return seen


def test_a_grid_is_trained_once_goes_on_where_it_stopped_and_grows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], trainings: Trainings
) -> None:
    out = tmp_path / "grid"
    asked = ("--budget", 4 * STEP, "--tasks", "corridor", "--agents", "ff", "nav-l", "--out", out, "--episodes", 2, *SMALL)
    trainings.stop_at = 2
    assert run(monkeypatch, *asked, "--seeds", 1) == 130
    assert "go on with the same command: python -m experiments.reproduce --budget" in capsys.readouterr().out
    stopped = out / "corridor" / "nav-l" / "seed1"
    assert load_checkpoint(stopped / CHECKPOINT).frames == STEP
    assert not (stopped / "evaluation.json").exists()
    done = out / "corridor" / "ff" / "seed1"
    first = {path: path.read_bytes() for path in (done / CHECKPOINT, done / "evaluation.json")}
    assert json.loads((out / "table.json").read_text())["trainings_left"] == 1
    assert "1 of the grid's trainings is not done" in (out / "table.md").read_text()

    trainings.stop_at = None
    assert run(monkeypatch, *asked, "--seeds", 1) == 0
    assert trainings.asked[2].resume == stopped
    assert len(trainings.asked) == 3
    after = load_checkpoint(stopped / CHECKPOINT)
    assert after.frames == 4 * STEP
    assert after.sessions == 2
    assert {path: path.read_bytes() for path in first} == first
    found = json.loads((out / "table.json").read_text())
    assert found["trainings_left"] == 0
    assert [row["agent"] for row in found["tasks"][0]["agents"]] == ["ff", "nav-l"]
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")

    # Nothing is left to do; one seed more is one training more for each agent.
    assert run(monkeypatch, *asked, "--seeds", 1) == 0
    assert len(trainings.asked) == 3
    assert run(monkeypatch, *asked, "--seeds", 2) == 0
    assert [options.seed for options in trainings.asked[3:]] == [2, 2]
    assert {path: path.read_bytes() for path in first} == first
    check_against_the_runs(out)

    # The page names every setting as the command line takes it: with those it is the same grid.
    named = next(line for line in (out / "table.md").read_text().splitlines() if line.startswith("Settings: "))
    settings = [word for option in re.findall(r"`(.+?)`", named) for word in option.split()]
    assert sum(word.startswith("--") for word in settings) == len(dataclasses.fields(TrainConfig))
    assert run(monkeypatch, *asked, "--seeds", 2, "--preset", "fast", *settings) == 0
    assert len(trainings.asked) == 5

    # Trained to the end but not evaluated: only the evaluation is made up for.
    (done / "evaluation.json").unlink()
    assert run(monkeypatch, *asked, "--seeds", 2) == 0
    assert len(trainings.asked) == 5
    assert json.loads((done / "evaluation.json").read_text()) == json.loads(first[done / "evaluation.json"])

    # Other conditions are another grid.
    capsys.readouterr()
    for changes, complaint in (
        (("--learning-rate", 0.5), r"learning rate 0.0\d+, not 0.5"),
        (("--budget", "1h"), "minutes None, not 60.0; frames 320, not None"),
        (("--episodes", 3), "episodes 2, not 3"),
    ):
        assert run(monkeypatch, *asked, *changes) == 2
        error = capsys.readouterr().err
        assert re.search(complaint, error)
        assert error.count("\n") == 1
    assert len(trainings.asked) == 5


def check_against_the_runs(out: Path) -> None:
    """Every figure of the table's one task against the runs' own files, computed anew."""
    task = json.loads((out / "table.json").read_text())["tasks"][0]
    page = (out / "table.md").read_text()
    players = json.loads((out / "corridor" / "baselines.json").read_text())
    oracle = float(np.mean(players["oracle"][0]["returns"]))
    returns = {}
    for row in task["agents"]:
        runs = [
            json.loads((out / "corridor" / row["agent"] / f"seed{seed}" / "evaluation.json").read_text()) for seed in row["seeds"]
        ]
        assert row["seeds"] == [1, 2]
        assert row["frames"] == np.mean([one["frames"] for one in runs]) == 4 * STEP
        assert row["minutes"] == pytest.approx(sum(one["seconds"] for one in runs) / 60 / 2)
        results = [one["results"][0] for one in runs]
        returns[row["agent"]] = scores = sorted(itertools.chain(*(result["returns"] for result in results)))
        assert len(scores) == 4
        score = row["scores"][0]
        assert score["iqm"]["value"] == pytest.approx((scores[1] + scores[2]) / 2)
        assert score["iqm"]["low"] <= score["iqm"]["value"] <= score["iqm"]["high"]
        assert score["mean"] == pytest.approx(sum(scores) / 4)
        assert score["of_oracle"] == pytest.approx(sum(scores) / 4 / oracle)
        for name in ("goals", "goal_episodes", "position_accuracy"):
            assert score[name] == pytest.approx((results[0][name] + results[1][name]) / 2)
        line = next(line for line in page.splitlines() if line.startswith(f"| {row['agent']} "))
        cells = [text.strip() for text in line.strip("|").split("|")]
        assert cells[:3] == [row["agent"], "training", "2"]
        assert cells[5].startswith(f"{(scores[1] + scores[2]) / 2:.1f} [")
        assert cells[6:8] == [f"{sum(scores) / 4:.1f}", f"{100 * sum(scores) / 4 / oracle:.0f} %"]
    assert task["agents"][0]["scores"][0]["loop_closure_f1"] is None
    wins = [(a > b) + (a == b) / 2 for a in returns["nav-l"] for b in returns["ff"]]
    (better,) = task["improvements"]
    assert (better["agent"], better["other"], better["paper"]) == ("nav-l", "ff", None)
    assert better["chance"]["value"] == pytest.approx(sum(wins) / len(wins))


def test_mazes_by_number_and_tasks_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tasks share a table; pools have a figure of their own. Nothing is trained: a budget of one frame is one chunk."""
    out = tmp_path / "grid"
    common = ("--budget", 1, "--agents", "ff", "--seeds", 1, "--out", out, "--episodes", 1, *SMALL)
    assert run(monkeypatch, *common, "--tasks", "corridor", "room") == 0
    page = (out / "table.md").read_text()
    assert "## corridor" in page
    assert "over corridor, room" in page
    monkeypatch.setattr("experiments.reproduction.grid.tasks_of", lambda *_: [pool("2"), pool("1")])
    assert run(monkeypatch, *common, "--tasks", "procedural-small", "--mazes", 2, 1) == 0
    found = json.loads((out / "table.json").read_text())
    assert [task["label"] for task in found["tasks"]] == ["corridor", "room", "rooms-mazes-1", "rooms-mazes-2"]
    assert [score["split"] for score in found["tasks"][3]["agents"][0]["scores"]] == ["train", "heldout"]
    assert len(found["commands"]) == 2
    assert (out / "generalisation.png").read_bytes().startswith(b"\x89PNG")
    assert "## Generalisation: rooms" in (out / "table.md").read_text()


def pool(number: str) -> GridTask:
    """So many generated rooms, which are short to play."""
    (made,) = tasks_of(("procedural-small",), (), "thin", (number,), 42)
    return GridTask(f"rooms-mazes-{number}", dataclasses.replace(made.task, name="rooms", episode_seconds=2), number)


def test_pools_are_nested_and_of_the_number_asked_for() -> None:
    few, more = tasks_of(("procedural-small",), (), "thin", ("1", "3"), 42)
    assert (few.label, more.label) == ("procedural-small-mazes-1", "procedural-small-mazes-3")
    assert few.task.mazes == more.task.mazes[:1]
    assert len(more.task.mazes) == 3
    own, heldout = more.evaluated(heldout=False)
    assert own is more.task
    assert heldout.split == "heldout"


def test_a_dead_worker_is_told_with_the_way_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], trainings: Trainings
) -> None:
    trainings.fail = True
    assert run(monkeypatch, "--tasks", "corridor", "--out", tmp_path / "grid", *SMALL) == 1
    assert "SIGKILL; go on with the same command" in capsys.readouterr().err


def test_a_grid_goes_on_after_a_training_that_diverged_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], trainings: Trainings
) -> None:
    out = tmp_path / "grid"
    asked = ("--budget", 2 * STEP, "--tasks", "corridor", "--agents", "ff", "--seeds", 2, "--out", out, "--episodes", 2, *SMALL)
    trainings.diverge_at = 1
    assert run(monkeypatch, *asked) == 0
    said = capsys.readouterr()
    assert "diverged: the parameters are no longer finite after 160 frames" in said.err
    assert "corridor, ff, seed 1: diverged, return" in said.out
    assert "corridor, ff, seed 2: return" in said.out
    frames = [json.loads((out / f"corridor/ff/seed{seed}/evaluation.json").read_text())["frames"] for seed in (1, 2)]
    assert frames == [STEP, 2 * STEP]
    # It is done: the same command trains nothing.
    assert run(monkeypatch, *asked) == 0
    assert len(trainings.asked) == 2
    assert json.loads((out / "table.json").read_text())["diverged"] == ["corridor, ff, seed 1"]
    assert "last finite checkpoint: corridor, ff, seed 1." in (out / "table.md").read_text()


def test_ctrl_c_stops_and_the_same_command_goes_on(tmp_path: Path) -> None:
    maze = tmp_path / "long.txt"
    maze.write_text("*****************\n*A             G*\n*****************\n")
    out = tmp_path / "grid"
    asked = ["--budget", "1h", "--maze-file", maze, "--agents", "ff", "--seeds", "1", "--out", out, "--episodes", "1", *SMALL]
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments.reproduce", *map(str, asked)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        progress = out / "long" / "ff" / "seed1" / "progress.jsonl"
        deadline = time.monotonic() + 300
        while not progress.exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        said, error = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130
    assert error == ""
    assert said.splitlines()[-1].startswith("stopped; go on with the same command: python -m experiments.reproduce --budget 1h")
    assert load_checkpoint(progress.parent / CHECKPOINT).frames > 0
    assert not (out / "table.md").exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--budget", "soon"], "--budget soon: expected minutes, hours or seconds"),
        (["--budget", "0m"], "--budget 0m: expected"),
        (["--budget", "-5m"], "--budget"),
        (["--seeds", "0"], "--seeds 0: expected a whole number in [1"),
        (["--episodes", "0"], "--episodes 0: expected a whole number in [1"),
        (["--workers", "0"], "--workers 0: expected"),
        (["--agents", "ff", "nav-d7"], "agent 'nav-d7': expected one of"),
        (["--agents", "ff", "ff"], "ff is given twice"),
        (["--tasks", "moon"], "task 'moon': expected one of"),
        (["--preset", "slow"], "preset 'slow'"),
        (["--tasks", "static-small", "static-small"], "task static-small is given twice"),
        (["--maze-file", "nowhere.txt"], "nowhere.txt"),
        (["--maze-file", "WINDING", "--heldout"], "no spawn is 5 cells of path or more from the goal"),
        (["--mazes", "1", "10"], "give the tasks"),
        (["--tasks", "static-small", "--mazes", "10"], "static-small has one layout"),
        (["--tasks", "procedural-small", "--mazes", "few"], "--mazes few: expected a number of training mazes"),
        (["--tasks", "procedural-small", "--mazes", "0"], "--mazes 0: expected"),
        (["--tasks", "procedural-small", "--mazes", "9" * 5000], "--mazes 9999"),
        (["--tasks", "procedural-small", "--mazes", "100001"], "--mazes 100001: expected"),
        (["--learning-rate", "-1"], "learning rate"),
        (["--out", "TEXT"], "cannot write"),
        (["--out", "BROKEN"], "not the description of a grid"),
        (["--bogus", "3"], "--bogus"),
    ],
)
def test_complaints_are_one_line_and_nothing_is_made(
    arguments: list[str], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text").write_text("")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "grid.json").write_text('{"conditions": ')
    (tmp_path / "winding.txt").write_text(WINDING)
    places = {"TEXT": tmp_path / "text", "BROKEN": tmp_path / "broken", "WINDING": tmp_path / "winding.txt"}
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, *(places.get(argument, argument) for argument in arguments)) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert complaint in error
    assert not (tmp_path / "runs").exists()


def test_two_processes_at_one_grid_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with reproduce.alone(tmp_path):
        assert run(monkeypatch, "--tasks", "corridor", "--out", tmp_path, *SMALL) == 2
    assert "another process is at work" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("90s", Budget(minutes=1.5)),
        ("30m", Budget(minutes=30)),
        ("2h", Budget(minutes=120)),
        ("0.5h", Budget(minutes=30)),
        ("10M", Budget(frames=10_000_000)),
        ("500k", Budget(frames=500_000)),
        ("1e7", Budget(frames=10_000_000)),
        ("1.5e+3", Budget(frames=1500)),
        ("12345", Budget(frames=12_345)),
    ],
)
def test_budgets(text: str, budget: Budget) -> None:
    assert parse_budget(text) == budget


@pytest.mark.parametrize("text", ["", "m", "30min", "1e99", "nan", "inf", "10 M x", "-3m", "0"])
def test_budgets_that_are_none(text: str) -> None:
    with pytest.raises(InputError, match="m is minutes, M is million frames"):
        parse_budget(text)


def test_a_grid_is_trained_on_the_device_it_names_and_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = []

    def train_here(options: TrainOptions, task: Task | None = None):
        asked.append(options)
        return real_train(dataclasses.replace(options, device="cpu"), task)

    monkeypatch.setattr(runs_of_grid, "train", train_here)
    monkeypatch.setattr(runs_of_grid, "machine", lambda: {"processor": "A processor", "usable_cores": 2, "gpu": "A GPU"})
    chosen = ("--budget", STEP, "--tasks", "corridor", "--agents", "ff", "--seeds", 1, "--episodes", 1, "--device", "cuda")
    assert run(monkeypatch, *chosen, *SMALL, "--out", tmp_path) == 0
    assert (asked[0].device, asked[0].preset) == ("cuda", "gpu")
    assert "preset `gpu`" in (tmp_path / "table.md").read_text()
    assert "Machine: A GPU; A processor, 2 cores." in (tmp_path / "table.md").read_text()
