"""What goes wrong while an agent trains costs what came meanwhile and nothing else: divergence, full disks, lost folders."""

import dataclasses
import errno
import json
import os
import shutil
import signal
import threading
from pathlib import Path

import pytest
import torch

from agents import checkpoint_saver
from agents.checkpoint import load_checkpoint
from agents.checkpoint_saver import CheckpointSaver, DivergedError, is_finite
from agents.config import TrainConfig
from agents.trainer import Trainer
from experiments import event_file, run_log
from experiments.analysis.during_training import LiveAnalysis
from experiments.run_log import RunLog
from experiments.train import TrainOptions, interruptible, train
from maze_gen.errors import InputError, Note
from tests.experiments.synthetic import ring_task, untrained

SMALL = TrainConfig(num_envs=4, unroll_length=10, minibatches=1, epochs=1, precision="float32")
TASK = dataclasses.replace(ring_task(2), observation_size=42)


def options(folder: Path, **changes) -> TrainOptions:
    given = {"settings": SMALL, "serial": True, "workers": 1, "run_dir": folder / "run", "agent": "nav", "frames": 100_000}
    return TrainOptions(**(given | changes))


DIVERGING = {
    "clipped": {},
    "actor-critic": {"objective": "actor-critic", "optimizer": "rmsprop"},
    "memory": {"slow_units": 0.5},
}


@pytest.mark.parametrize(("kind", "agent"), [("clipped", "nav-d1d2l"), ("actor-critic", "ff"), ("memory", "nav-v")])
def test_a_training_that_diverges_stops_and_keeps_its_last_finite_checkpoint(kind, agent, tmp_path):
    settings = dataclasses.replace(SMALL, learning_rate=1e9, max_grad_norm=0.0, **DIVERGING[kind])
    with pytest.raises(DivergedError, match=r"checkpoint\.safetensors is the last finite checkpoint; .* --learning-rate below"):
        # A save with every round: the one that would hold NaN is the one that ends it.
        train(options(tmp_path, settings=settings, agent=agent, checkpoint_minutes=0.0), TASK)
    kept = load_checkpoint(tmp_path / "run")
    assert is_finite(kept)
    assert kept.frames < 100_000
    for name in ("progress.jsonl", "summary.json"):
        if (tmp_path / "run" / name).exists():
            for line in (tmp_path / "run" / name).read_text().splitlines():
                json.loads(line, parse_constant=pytest.fail)
    # `--resume` takes it.
    resumed = train(TrainOptions(resume=tmp_path / "run", settings=kept.config, serial=True, workers=1, frames=kept.frames))
    assert resumed.summary["frames"] == kept.frames


def test_states_that_are_not_finite_are_never_saved(tmp_path):
    checkpoint = load_checkpoint(untrained(tmp_path / "agent.safetensors", task=ring_task(2)))
    assert is_finite(checkpoint)
    for broken in (float("nan"), float("inf"), 1e30):
        state = {"acting.actor.core 0": torch.tensor([0.0, broken]), "own.rounds": torch.tensor(3)}
        assert not is_finite(dataclasses.replace(checkpoint, workers={0: state}))


class Disk:
    """Is full for calls `first` to `last` of what writes to it."""

    def __init__(self, first: int, last: int) -> None:
        self.first, self.last, self.calls = first, last, 0

    def __call__(self, write):
        def limited(*arguments):
            self.calls += 1
            if self.first <= self.calls <= self.last:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "place")
            return write(*arguments)

        return limited


def test_a_full_disk_while_curves_are_written_is_told_once_and_tried_again(tmp_path, monkeypatch):
    disk = Disk(40, 60)
    full = disk(event_file.append_whole)
    monkeypatch.setattr(event_file, "append_whole", full)
    monkeypatch.setattr(run_log, "append_whole", full)
    monkeypatch.setattr(run_log, "WRITE_SECONDS", 0.0)
    with pytest.warns(Note, match=r"cannot write place: No space left on device; the next entry .* will try again") as notes:
        result = train(options(tmp_path, frames=16_000), TASK)
    assert len(notes) < 4
    assert disk.calls > 60
    lines = [json.loads(line) for line in (tmp_path / "run" / "progress.jsonl").read_text().splitlines()]
    assert lines[-1]["frames"] == result.summary["frames"] == load_checkpoint(tmp_path / "run").frames


def test_a_full_disk_at_a_periodic_save_is_told_and_tried_again(tmp_path, monkeypatch):
    save = checkpoint_saver.save_checkpoint
    calls: list[Path] = []

    def limited(path, checkpoint):
        calls.append(path)
        if 2 <= len(calls) <= 4:
            raise InputError(f"cannot write {path}: No space left on device")
        save(path, checkpoint)

    monkeypatch.setattr(checkpoint_saver, "save_checkpoint", limited)
    with pytest.warns(Note, match="No space left on device; the next save will try again") as notes:
        result = train(options(tmp_path, frames=3200, checkpoint_minutes=0.0), TASK)
    assert len(notes) == 3
    assert len(calls) > 6
    assert load_checkpoint(tmp_path / "run").frames == result.summary["frames"] >= 3200


def test_where_the_folder_can_not_be_written_the_last_save_goes_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    run = tmp_path / "run"

    def spoil(log: RunLog, trainer: Trainer) -> None:
        if run.is_dir():
            shutil.rmtree(run)
            run.write_text("in the way")

    monkeypatch.setattr(RunLog, "tick", spoil)
    with pytest.warns(Note) as notes:
        result = train(options(tmp_path, frames=800), TASK)
    assert any("the checkpoint is" in str(note.message) for note in notes)
    assert result.checkpoint.parent.name.startswith("knossos-")
    assert load_checkpoint(result.checkpoint).frames == result.summary["frames"] >= 800


def test_a_folder_that_was_removed_is_made_anew(tmp_path, monkeypatch):
    run = tmp_path / "run"
    removed: list[int] = []
    tick = CheckpointSaver.tick

    def remove(saver: CheckpointSaver, trainer: Trainer) -> None:
        if not removed:
            removed.append(1)
            shutil.rmtree(run)
        tick(saver, trainer)

    monkeypatch.setattr(CheckpointSaver, "tick", remove)
    monkeypatch.setattr(run_log, "WRITE_SECONDS", 0.0)
    result = train(options(tmp_path, frames=1600), TASK)
    assert load_checkpoint(run).frames == result.summary["frames"]
    assert {path.name.split(".")[0] for path in run.iterdir()} == {"checkpoint", "events", "progress", "summary"}


def test_a_curve_whose_end_is_damaged_is_resumed(tmp_path):
    first = train(options(tmp_path, frames=800), TASK)
    curve = tmp_path / "run" / "progress.jsonl"
    before = curve.read_bytes()
    curve.write_bytes(before + b'\xff\xfe\x00{"frames": 9\n[1]\n"\x00')
    train(TrainOptions(resume=tmp_path / "run", settings=SMALL, serial=True, workers=1, frames=first.summary["frames"]))
    assert curve.read_bytes() == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_that_ask_for_the_end(number):
    with interruptible() as received:
        os.kill(os.getpid(), number)
        assert received == [number]
        if number == signal.SIGINT:
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), number)
        else:
            os.kill(os.getpid(), number)
            assert received == [number, number]


def test_pictures_of_an_agent_that_has_diverged_are_left_out(tmp_path):
    checkpoint = load_checkpoint(untrained(tmp_path / "agent.safetensors", task=ring_task(2)))
    broken = {name: torch.full_like(part, torch.nan) for name, part in checkpoint.parameters.items()}
    analysis = LiveAnalysis(tmp_path, minutes=0)
    failed: list[object] = []
    before, threading.excepthook = threading.excepthook, failed.append
    try:
        analysis.start_if_due(lambda: dataclasses.replace(checkpoint, parameters=broken))
        analysis.wait()
    finally:
        threading.excepthook = before
    assert failed == []
    assert not (tmp_path / "live").exists()
