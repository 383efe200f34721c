"""Checkpoints of earlier versions: they load, act as they did, and can be trained further."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

import experiments
from agents.checkpoint import FORMATS, load_checkpoint, save_checkpoint
from agents.checkpoint_formats import HISTORY
from agents.config import AgentConfig, TrainConfig
from agents.inference import Policy
from agents.trainer import Budget, Trainer, Training
from env.backends import make_batch
from maze_gen.config_io import from_json, to_json
from maze_gen.errors import InputError, Note

PUBLISHED = Path(__file__).parent / "published"
WITNESS = PUBLISHED / "format-1.safetensors"
SHIPPED = sorted((Path(experiments.__file__).parent / "pretrained").glob("*.safetensors"))


def test_a_file_of_the_first_format_acts_as_it_did():
    """The actions and values were recorded by the version that wrote the file."""
    expected = json.loads((PUBLISHED / "format-1.json").read_text())
    loaded = load_checkpoint(WITNESS)
    assert loaded.task.mazes[0].digest == expected["digest"]
    policy, uniforms = Policy(loaded, 3), np.random.default_rng(0).random((40, 3))
    with make_batch(loaded.task, 3, observe=policy.observe) as env:
        env.reset(5)
        for step, numbers in enumerate(uniforms):
            actions = policy.act(env, numbers)
            assert actions.tolist() == expected["actions"][step]
            assert policy.value.tolist() == pytest.approx(expected["values"][step], rel=1e-4, abs=1e-5)
            env.step(actions)


def test_its_settings_are_what_they_were_in_the_words_of_today():
    config = load_checkpoint(WITNESS).config
    assert (config.num_envs, config.unroll_length, config.minibatches, config.epochs) == (2, 5, 1, 1)
    assert (config.optimizer, config.rmsprop_alpha, config.optimizer_eps) == ("rmsprop", 0.99, 1e-5)
    assert (config.gae_lambda, config.max_grad_norm, config.clip_range) == (0.97, 2.0, 0.2)
    assert (config.anneal_start_fraction, config.final_learning_rate_fraction) == (0.5, 0.1)
    assert config.loss_weight == {"depth-encoder": 0.1, "depth-core": 0.3, "loop-closure": 0.3, "reward-prediction": 1.0}
    assert config.encoder == "convolutional"


def test_it_can_be_trained_further():
    earlier = load_checkpoint(WITNESS)
    training = Training(
        earlier.agent_name,
        earlier.agent,
        earlier.config,
        earlier.preset,
        earlier.task,
        earlier.backend,
        earlier.seed,
        1,
        serial=True,
        earlier=earlier,
    )
    trainer = Trainer(training, Budget(frames=earlier.frames + 200))
    trainer.train()
    after = trainer.checkpoint()
    assert after.frames >= earlier.frames + 200
    assert int(after.statistics["updates"]) > int(earlier.statistics["updates"])
    assert any(not torch.equal(part, after.parameters[name]) for name, part in earlier.parameters.items())


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_agents_that_come_along_load_and_are_written_in_todays_format(path, tmp_path):
    loaded = load_checkpoint(path)
    save_checkpoint(tmp_path / "again.safetensors", loaded)
    again = load_checkpoint(tmp_path / "again.safetensors")
    assert again.config == loaded.config
    assert again.agent == loaded.agent
    assert again.task == loaded.task
    with safetensors.safe_open(str(tmp_path / "again.safetensors"), framework="pt") as file:
        assert json.loads(file.metadata()["knossos"])["format"] == FORMATS[-1]


def test_an_agent_is_what_its_file_says_whatever_todays_table_says(tmp_path):
    """The name of a row that is gone, or made otherwise, is a name only."""
    loaded = load_checkpoint(WITNESS)
    save_checkpoint(tmp_path / "a", dataclasses.replace(loaded, agent_name="nav-of-old"))
    again = load_checkpoint(tmp_path / "a")
    assert again.agent_name == "nav-of-old"
    assert again.agent == AgentConfig("feedforward")
    again.model()


def test_every_setting_that_the_first_format_lacks_has_a_value_for_it():
    with safetensors.safe_open(str(WITNESS), framework="pt") as file:
        content = json.loads(file.metadata()["knossos"])
    history = HISTORY[TrainConfig]
    written = {history.renamed.get(name, name) for name in content["config"]}
    today = {item.name for item in dataclasses.fields(TrainConfig)}
    assert today - written - {"loss_weight"} == set(history.added)


def test_settings_that_nobody_knows_are_named_and_those_that_lack_are_too():
    content = to_json(TrainConfig())
    with pytest.warns(Note, match=r"FILE has 'unrol_length', .*did you mean 'unroll_length'"):
        assert from_json(TrainConfig, content | {"unrol_length": 3}, "FILE", HISTORY[TrainConfig]) == TrainConfig()
    del content["discount"]
    with pytest.raises(InputError, match="FILE lacks 'discount'"):
        from_json(TrainConfig, content, "FILE", HISTORY[TrainConfig])


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("num_envs", "8", "expected a whole number"),
        ("num_envs", 8.5, "expected a whole number"),
        ("num_envs", True, "expected a whole number"),
        ("num_envs", 10**30, "expected a whole number"),
        ("num_envs", 0, r"expected a whole number in \[1"),
        ("discount", "0.9", "expected a finite number"),
        ("discount", float("nan"), "expected a finite number"),
        ("discount", float("inf"), "expected a finite number"),
        ("clip_range", -1, r"expected a number in \(0"),
        ("rmsprop_alpha", 7, r"expected a number in \[0, 1\]"),
        ("optimizer", "sgd", "expected one of adam, rmsprop"),
        ("locked_updates", 1, "expected true or false"),
        ("loss_weight", {"depth-core": -1}, "loss weight depth-core -1"),
        ("loss_weight", {"depth-core": "1"}, "loss_weight.depth-core is '1', expected a finite number"),
        ("loss_weight", [1], "expected an object"),
    ],
)
def test_a_setting_of_another_type_or_range_is_named(name, value, words):
    with pytest.raises(InputError, match=words):
        from_json(TrainConfig, to_json(TrainConfig()) | {name: value}, "FILE", HISTORY[TrainConfig])
