"""An agent with the deep encoder: it trains, goes on, is exported and decoded like any other."""

import dataclasses

import pytest
import torch

from agents.checkpoint import load_checkpoint
from agents.config import TrainConfig
from agents.networks.deep_encoder import DeepEncoder
from env.task import Task
from experiments.analysis.playback import Playback
from experiments.decode import decode
from experiments.export import ExportOptions
from experiments.export import run as export
from experiments.train import TrainOptions, train
from maze_gen.errors import InputError
from maze_gen.text import read_maze

TASK = Task("toy", (read_maze("*******\n*    G*\n*******"),), episode_seconds=1, spawn_distance=1, observation_size=42)
SETTINGS = TrainConfig(encoder="deep", num_envs=4, unroll_length=5, minibatches=1, epochs=1)


def options(tmp_path, **changes):
    given = {"settings": SETTINGS, "serial": True, "workers": 1, "run_dir": tmp_path / "run", "frames": 80, "agent": "ff"}
    return TrainOptions(**(given | changes))


def test_trains_goes_on_is_exported_and_decoded(tmp_path):
    made = train(options(tmp_path), TASK)
    checkpoint = load_checkpoint(made.checkpoint)
    assert checkpoint.config.encoder == "deep"
    assert isinstance(checkpoint.model().network.encoder, DeepEncoder)
    before = checkpoint.model().state_dict()
    again = train(options(tmp_path, agent=None, resume=made.folder, run_dir=None, frames=160))
    after = load_checkpoint(again.checkpoint)
    assert after.frames > checkpoint.frames
    stem = "network.encoder.stem.weight"
    assert not torch.equal(after.model().state_dict()[stem], before[stem])
    small = tmp_path / "small.safetensors"
    export(ExportOptions(again.folder, small))
    exported = load_checkpoint(small)
    images = torch.randint(256, (3, 42, 42, 3), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(exported.model().network.encoder(images), after.model().network.encoder(images))
    decode(exported, Playback(TASK, episodes=2, threads=1), tmp_path / "board")
    assert list((tmp_path / "board").rglob("events.out.tfevents.*"))


def test_the_encoder_of_a_checkpoint_stays(tmp_path):
    made = train(options(tmp_path, frames=0), TASK)
    other = dataclasses.replace(SETTINGS, encoder="convolutional")
    with pytest.raises(InputError, match="--encoder convolutional"):
        train(options(tmp_path, agent=None, resume=made.folder, run_dir=None, settings=other))


def test_an_unknown_encoder_is_refused(tmp_path):
    with pytest.raises(InputError, match="encoder 'wide': expected one of convolutional, deep"):
        train(options(tmp_path, settings=dataclasses.replace(SETTINGS, encoder="wide")), TASK)
