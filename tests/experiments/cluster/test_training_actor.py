"""A grid's training on a node: its files come whole, and a lost one goes on elsewhere from those that came. Without a cluster."""

import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from agents.checkpoint import load_checkpoint
from agents.config import preset
from env.registry import make_task
from experiments.cluster.training_actor import TrainingActor, TrainingRequest, write
from experiments.cluster.trainings import files_of, keep_files
from experiments.reproduction.grid import Budget, Conditions, Run
from experiments.reproduction.run import read_finished
from maze_gen.errors import InputError


@pytest.fixture
def request_(monkeypatch):
    task = replace(make_task("static-small", observation_size=42), episode_seconds=2)
    settings = replace(preset("fast"), num_envs=4, unroll_length=10, precision="float32")
    conditions = Conditions(Budget(minutes=2 / 60), "fast", settings, workers=1, episodes=2, heldout=False)
    return TrainingRequest(Run("static-small", "ff", 1), [task], conditions, serial=True)


@pytest.fixture
def started():
    actors = []

    def start(*arguments):
        actors.append(TrainingActor(*arguments))
        return actors[-1]

    yield start
    for actor in actors:
        actor.process.kill()
        actor.process.wait()
        actor.close()


def until(actor, folder, condition, seconds=60.0):
    seen, deadline = {}, time.monotonic() + seconds
    while True:
        progress = actor.progress(seen)
        seen = progress.seen
        keep_files(progress.files, folder)
        if condition(progress):
            return progress
        assert time.monotonic() < deadline, progress.said
        time.sleep(0.1)


def test_a_killed_training_goes_on_elsewhere_and_leaves_what_one_alone_leaves(request_, started, tmp_path: Path):
    folder = tmp_path / "seed1"
    first = started(request_, {})
    until(first, folder, lambda progress: (folder / "checkpoint.safetensors").exists())
    os.kill(first.process.pid, signal.SIGKILL)
    assert until(first, folder, lambda progress: progress.ended is not None).ended == -signal.SIGKILL
    earlier = load_checkpoint(folder)
    second = started(request_, files_of(folder))
    done = until(second, folder, lambda progress: progress.ended is not None)
    assert done.ended == 0, done.said
    assert load_checkpoint(folder).sessions == earlier.sessions + 1
    finished = read_finished(request_.run, folder, request_.conditions.as_json())
    assert finished is not None
    assert finished.seconds >= 2
    assert json.loads((folder / "summary.json").read_text())["checkpoint"] == str(folder / "checkpoint.safetensors")
    names = {path.name.split(".tfevents")[0] for path in folder.rglob("*") if path.is_file()}
    assert names == {"checkpoint.safetensors", "config.json", "evaluation.json", "progress.jsonl", "summary.json", "events.out"}


def test_a_training_that_is_stopped_saves(request_, started, tmp_path: Path):
    request_ = replace(request_, conditions=replace(request_.conditions, budget=Budget(minutes=10)))
    actor = started(request_, {})
    until(actor, tmp_path, lambda progress: "checkpoint.safetensors" in progress.seen)
    children = psutil.Process(actor.process.pid).children(recursive=True)
    stopped = actor.stop({})
    assert stopped.ended == 130, stopped.said
    assert {"checkpoint.safetensors", "summary.json"} <= set(stopped.files)
    assert not any(child.is_running() for child in children)


def test_files_stay_in_the_runs_folder(tmp_path: Path):
    with pytest.raises(InputError, match=r"a node sent a file named ../outside"):
        write(tmp_path / "run", "../outside", b"")
    assert not (tmp_path / "outside").exists()
