"""The training command: it learns, stops, goes on where it stopped, and says in one line what is wrong."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from agents.checkpoint import CHECKPOINT, load_checkpoint
from agents.config import PRESETS, TrainConfig
from agents.inference import Policy
from agents.runtime.cuda import CudaRuntime
from agents.runtime.serial import SerialRuntime
from env.backends import make_batch
from env.task import Task
from experiments.analysis.items import Number
from experiments.train import TrainOptions, main, train
from experiments.train_options import default_options, workers_of
from maze_gen.errors import InputError
from maze_gen.text import read_maze

ROOT = Path(__file__).parents[2]

TOY = """
*******
*    G*
*******
""".strip()
"""Three cells, the goal in the last: reached again as often as time allows."""
TOY_TASK = Task("toy", (read_maze(TOY),), episode_seconds=8, spawn_distance=1, observation_size=42)

SMALL = TrainConfig(num_envs=4, unroll_length=5, minibatches=1, epochs=1)


def entries(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "progress.jsonl").read_text().splitlines()]


def options(tmp_path, **changes) -> TrainOptions:
    given = {"settings": SMALL, "serial": True, "workers": 1, "run_dir": tmp_path / "run", "frames": 400}
    return TrainOptions(**(given | changes))


def test_a_run_leaves_a_checkpoint_a_curve_and_a_summary(tmp_path):
    result = train(options(tmp_path), TOY_TASK)
    assert result.checkpoint == tmp_path / "run" / CHECKPOINT
    loaded = load_checkpoint(result.checkpoint)
    assert loaded.frames == result.summary["frames"] >= 400
    assert loaded.task == TOY_TASK
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary == result.summary
    assert summary["agent"] == "nav-d1d2l"
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["settings"]["unroll_length"] == 5
    assert config["versions"]["torch"] == torch.__version__
    assert entries(tmp_path / "run")[-1]["frames"] == loaded.frames
    assert list((tmp_path / "run").glob("events.out.tfevents.*"))


@pytest.mark.parametrize("preset", [{}, {"objective": "actor-critic", "optimizer": "rmsprop", "locked_updates": False}])
def test_going_on_is_exact(tmp_path, preset):
    """Frames, parameters, and the optimiser's statistics go on where they were, to the last bit."""
    config = dataclasses.replace(SMALL, **preset)
    first = train(options(tmp_path, settings=config), TOY_TASK)
    before = load_checkpoint(first.checkpoint)
    # Nothing to do: what was loaded is what is saved.
    train(TrainOptions(resume=tmp_path / "run", settings=config, frames=0, serial=True, workers=1))
    after = load_checkpoint(first.checkpoint)
    assert after.frames == before.frames
    assert after.sessions == before.sessions + 1
    for group in ("parameters", "statistics"):
        for name, part in getattr(before, group).items():
            assert torch.equal(part, getattr(after, group)[name]), name
    # More frames: the count, the updates and the curve go on.
    train(TrainOptions(resume=tmp_path / "run", settings=config, frames=1000, serial=True, workers=1))
    more = load_checkpoint(first.checkpoint)
    assert more.frames >= 1000
    steps = SMALL.num_envs * SMALL.unroll_length * 4
    assert int(more.statistics["updates"]) == more.frames // steps
    frames = [entry["frames"] for entry in entries(tmp_path / "run")]
    assert frames == sorted(set(frames))
    assert frames[-1] == more.frames


def test_the_same_seed_trains_the_same_agent(tmp_path):
    results = [train(options(tmp_path, run_dir=tmp_path / name, seed=5), TOY_TASK) for name in ("a", "b")]
    first, second = (load_checkpoint(result.checkpoint).parameters for result in results)
    assert all(torch.equal(part, second[name]) for name, part in first.items())
    other = load_checkpoint(train(options(tmp_path, run_dir=tmp_path / "c", seed=6), TOY_TASK).checkpoint)
    assert not torch.equal(other.parameters["network.policy.weight"], first["network.policy.weight"])


def test_minutes_in_all_count_earlier_sessions(tmp_path):
    first = train(options(tmp_path, frames=None, total_minutes=1 / 60), TOY_TASK)
    seconds = load_checkpoint(first.checkpoint).seconds
    assert seconds >= 1
    again = dataclasses.replace(options(tmp_path, run_dir=None), frames=None, total_minutes=1 / 60, resume=tmp_path / "run")
    assert train(again).summary["frames"] == first.summary["frames"]
    longer = train(dataclasses.replace(again, total_minutes=(seconds + 1) / 60))
    assert longer.summary["frames"] > first.summary["frames"]


def evaluate(checkpoint: Path, episodes: int = 16) -> float:
    """Mean return of a saved agent, in fresh episodes."""
    loaded = load_checkpoint(checkpoint)
    policy = Policy(loaded, episodes)
    uniforms = np.random.default_rng(9)
    returns = np.zeros(episodes)
    with make_batch(loaded.task, episodes) as env:
        env.reset(999)
        for _ in range(loaded.task.episode_steps):
            env.step(policy.act(env, uniforms.random(episodes)))
            returns += env.outcome.reward
    return float(returns.mean())


def test_it_learns_the_toy_and_the_saved_agent_has_learned_it(tmp_path):
    """A return of 26 untrained, of 52 and 58 with two seeds. Much entropy and a short horizon make it sure and fast."""
    settings = TrainConfig(num_envs=16, unroll_length=20, learning_rate=1e-3, entropy_cost=0.03, discount=0.95)
    chosen = options(tmp_path, agent="nav-d2", settings=settings, frames=60_000, seed=1)
    assert evaluate(train(chosen, TOY_TASK).checkpoint) > 40


def command(*arguments: str, **named) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "experiments.train", "--analysis-episodes", "0", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **named,
    )


def wait_for_reports(folder: Path, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 300
    while not (folder / "progress.jsonl").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture
def running(tmp_path):
    """A training in a process group of its own, as a shell starts it."""
    process = command("--run-dir", str(tmp_path / "run"), "--num-envs", "4", "--unroll-length", "10", start_new_session=True)
    try:
        wait_for_reports(tmp_path / "run", process)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def test_ctrl_c_stops_saves_and_says_how_to_go_on(tmp_path, running):
    os.killpg(running.pid, signal.SIGINT)
    # It takes a second or two; the limit is for a hang.
    out, err = running.communicate(timeout=120)
    assert running.returncode == 130
    assert err == ""
    assert f"--resume {tmp_path / 'run'}" in out
    saved = load_checkpoint(tmp_path / "run" / CHECKPOINT)
    assert saved.frames == json.loads((tmp_path / "run" / "summary.json").read_text())["frames"] > 0
    resumed = train(TrainOptions(resume=tmp_path / "run", settings=saved.config, frames=0, serial=True, workers=1))
    assert resumed.summary["frames"] == saved.frames


def workers_of_process(pid: int) -> list[psutil.Process]:
    children = psutil.Process(pid).children()
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def test_a_killed_worker_is_named_and_replaced_and_the_third_ends_the_run(tmp_path, running):
    before = workers_of_process(running.pid)
    assert len(before) == 2
    killed = []
    deadline = time.monotonic() + 100
    while len(killed) < 3 and time.monotonic() < deadline:
        alive = [worker for worker in workers_of_process(running.pid) if worker.pid not in killed]
        if len(alive) == 2:
            # The youngest, which may not have reported yet.
            victim = max(alive, key=lambda worker: worker.create_time())
            victim.kill()
            killed.append(victim.pid)
        time.sleep(0.05)
    _, err = running.communicate(timeout=120)
    assert running.returncode == 1
    for pid in killed:
        assert f"(process {pid}), " in err
    assert err.count("was ended by signal SIGKILL; it is replaced") == 2
    assert "the third time within 60 s" in err
    assert "go on with: python -m experiments.train --resume" in err
    assert "Traceback" not in err
    load_checkpoint(tmp_path / "run" / CHECKPOINT).model()
    assert not any(psutil.pid_exists(worker.pid) for worker in before)


BAD_OPTIONS = {
    "unknown agent": {"agent": "nav-d7"},
    "unknown preset": {"preset": "slow"},
    "no workers": {"workers": 0},
    "minutes below zero": {"minutes": -1.0},
    "minutes in all below zero": {"total_minutes": -1.0},
    "frames below zero": {"frames": -1},
    "seed below zero": {"seed": -1},
    "an unknown task": {"task": "moon"},
    "a task beside a maze file": {"task": "static-small", "maze_file": Path("a.txt")},
    "a maze file that is none": {"maze_file": Path("nowhere.txt")},
    "a checkpoint that is none": {"resume": Path("nowhere")},
}


@pytest.mark.parametrize("name", BAD_OPTIONS)
def test_bad_options_are_named(tmp_path, name):
    with pytest.raises(InputError):
        train(options(tmp_path, **BAD_OPTIONS[name]))
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_overwritten_and_not_resumed_as_another(tmp_path):
    train(options(tmp_path, frames=0), TOY_TASK)
    with pytest.raises(InputError, match="holds a run already"):
        train(options(tmp_path), TOY_TASK)
    resume = TrainOptions(resume=tmp_path / "run", settings=SMALL, serial=True)
    for changes in ({"agent": "ff"}, {"task": "static-small"}, {"seed": 8}, {"backend": "lab"}):
        with pytest.raises(InputError, match="was trained with"):
            train(dataclasses.replace(resume, **changes))


def test_a_maze_that_cannot_be_played_is_told_before_a_worker_starts(tmp_path):
    (tmp_path / "apart.txt").write_text("*****\n*P*G*\n*****\n")
    with pytest.raises(InputError, match="cannot be reached"):
        train(options(tmp_path, maze_file=tmp_path / "apart.txt", serial=False))
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        train(options(tmp_path, run_dir=tmp_path / "file" / "run"), TOY_TASK)


def test_the_command_says_what_is_wrong_in_one_line():
    process = command("--agent", "nav-d7")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert len(err.strip().splitlines()) == 1
    assert err.startswith("error: ")
    assert out == ""


@pytest.mark.parametrize("arguments", [["--bogus", "3"], ["--minutes", "soon"], ["--preset", "slow"], ["--task", "moon"]])
def test_wrong_options_are_one_line(arguments, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["train", *arguments])
    assert main() == 2
    out, err = capsys.readouterr()
    assert len(err.strip().splitlines()) == 1
    assert err.startswith("error: ")
    assert out == ""


def test_streams_and_processes_go_on_with_each_others_checkpoints(tmp_path, monkeypatch):
    """The runtime of a GPU, on the CPU: a checkpoint of one is a checkpoint of the other, to the last bit."""
    first = train(options(tmp_path), TOY_TASK)
    before = load_checkpoint(first.checkpoint)
    resume = TrainOptions(resume=tmp_path / "run", settings=SMALL, serial=True, workers=1)
    monkeypatch.setattr("agents.runtime.serial.SerialRuntime", CudaRuntime)
    train(dataclasses.replace(resume, frames=0))
    same = load_checkpoint(first.checkpoint)
    assert all(torch.equal(part, same.parameters[name]) for name, part in before.parameters.items())
    train(dataclasses.replace(resume, frames=1000))
    streamed = load_checkpoint(first.checkpoint)
    assert streamed.frames >= 1000
    assert not torch.equal(*(found.parameters["network.value.weight"] for found in (before, streamed)))
    monkeypatch.setattr("agents.runtime.serial.SerialRuntime", SerialRuntime)
    train(dataclasses.replace(resume, frames=1400))
    after = load_checkpoint(first.checkpoint)
    steps = SMALL.num_envs * SMALL.unroll_length * 4
    assert int(after.statistics["updates"]) == after.frames // steps > streamed.frames // steps


def test_a_gpu_that_is_not_there_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(InputError, match="finds no NVIDIA GPU"):
        train(options(tmp_path, device="cuda"), TOY_TASK)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    with pytest.raises(InputError, match="DeepMind Lab runs on the CPU"):
        train(options(tmp_path, device="cuda", backend="lab"), TOY_TASK)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ([], "fast"),
        (["--device", "cuda"], "gpu"),
        (["--device=cuda", "--preset", "paper"], "paper"),
        (["--device", "cpu"], "fast"),
        (["--preset", "gpu"], "gpu"),
    ],
)
def test_a_device_has_settings_to_start_from(arguments, name):
    found = default_options(arguments)
    assert (found.preset, found.settings) == (name, PRESETS[name])


def test_a_device_has_a_number_of_workers():
    assert [workers_of(None, "cpu"), workers_of(None, "cuda"), workers_of(3, "cuda")] == [2, 1, 3]


def test_a_training_ends_with_an_analysis(tmp_path, monkeypatch, capsys):
    read = []

    def decode(checkpoint, playback, logdir, report):
        read.append((checkpoint.agent_name, logdir, playback.episodes, report))
        return [Number("1 Position", "a figure", "words", 0.5, {"chance": 0.1}, key=True)]

    monkeypatch.setattr("experiments.decode.decode", decode)
    folder = tmp_path / "run"
    options = ("--run-dir", folder, "--frames", 400, "--workers", 1, "--num-envs", 2, "--unroll-length", 10, "--serial")
    for episodes in (7, 0):
        again = ("--resume", folder) if read else ()
        chosen = ("--frames", 400) if read else options
        monkeypatch.setattr("sys.argv", ["train", *map(str, (*chosen, *again)), "--analysis-episodes", str(episodes)])
        assert main() == 0
    assert read == [("nav-d1d2l", folder / "analysis", 7, folder / "report.html")]
    assert "Position: a figure 0.5 (chance 0.1)" in capsys.readouterr().out


def test_an_analysis_of_one_episode_is_refused_before_the_training(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["train", "--run-dir", str(tmp_path / "run"), "--analysis-episodes", "1"])
    assert main() == 2
    assert capsys.readouterr().err.startswith("error: --analysis-episodes 1: expected 0 for none")
    assert not (tmp_path / "run").exists()
