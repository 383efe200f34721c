"""Checkpoints: whole, exact, and refused with a clear error when they aren't ours."""

import dataclasses
import errno
import json
import os
import pickle

import numpy as np
import pytest
import safetensors.torch
import torch

from agents.checkpoint import Checkpoint, checksum, library_versions, load_checkpoint, save_checkpoint
from agents.config import AGENTS, PRESETS, AgentConfig, agent_config
from agents.inference import Policy
from agents.learning.parameter_store import ParameterStore
from agents.model import FlatParameters
from agents.runtime.worker import initial_model
from maze_gen.errors import InputError
from maze_gen.text import read_maze
from tests.agents.worlds import WALKERS, CountingEnv, counting_task

MAZE = """
*********
*A  *S P*
* *** * *
*P   G  *
*********
""".strip()


def make_checkpoint(agent="nav-d1d2l", preset="fast") -> Checkpoint:
    config = dataclasses.replace(PRESETS[preset], observation_size=42)
    other = read_maze(MAZE.replace("A", " "), "thin")
    task = dataclasses.replace(
        counting_task(), name="my maze", mazes=(read_maze(MAZE, "thin"), other), goal="episode", split="train"
    )
    flat = FlatParameters(initial_model(agent_config(agent), task.spec(), config, seed=3))
    store = ParameterStore(config, flat)
    store.push(torch.ones_like(flat.values))
    return Checkpoint(
        agent_name=agent,
        agent=agent_config(agent),
        config=config,
        preset=preset,
        task=task,
        backend="embedded",
        seed=3,
        frames=123_456,
        seconds=7.25,
        sessions=2,
        parameters=flat.named(store.parameters),
        statistics=store.optimizer.statistics,
        versions=library_versions(),
    )


@pytest.mark.parametrize(
    ("agent", "preset"),
    # Slow units are an LSTM's.
    [
        (agent, preset)
        for agent in WALKERS
        for preset in PRESETS
        if not preset.startswith("painter") and not (preset == "memory" and AGENTS[agent].core == "feedforward")
    ],
)
def test_what_is_saved_is_loaded(tmp_path, agent, preset):
    saved = make_checkpoint(agent, preset)
    save_checkpoint(tmp_path / "a", saved)
    loaded = load_checkpoint(tmp_path / "a")
    for field in dataclasses.fields(Checkpoint):
        if field.name in ("parameters", "statistics", "origin"):
            continue
        assert getattr(loaded, field.name) == getattr(saved, field.name), field.name
    for group in ("parameters", "statistics"):
        mine, theirs = getattr(saved, group), getattr(loaded, group)
        assert set(mine) == set(theirs)
        assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    assert [maze.digest for maze in loaded.task.mazes] == [maze.digest for maze in saved.task.mazes]
    assert loaded.task.mazes[0].goals == saved.task.mazes[0].goals
    # And it goes into a store again, to the last bit.
    flat = FlatParameters(loaded.model())
    store = ParameterStore(loaded.config, flat)
    loaded.restore(store, flat)
    for name, part in flat.named(store.parameters).items():
        assert torch.equal(part, saved.parameters[name])
    assert int(store.optimizer.statistics["updates"]) == 1


def test_a_loaded_agent_acts_as_the_saved_one(tmp_path):
    saved = make_checkpoint()
    save_checkpoint(tmp_path / "a", saved)
    chosen = []
    for agent in (saved, load_checkpoint(tmp_path / "a")):
        env = CountingEnv(counting_task(), 3)
        env.reset(0)
        policy = Policy(agent, 3)
        uniforms = np.random.default_rng(0).random((10, 3))
        steps = []
        for t in range(10):
            actions = policy.act(env, uniforms[t])
            env.step(actions)
            position = policy.head("position")
            assert position is not None
            steps.append((actions.tolist(), policy.value.tolist(), position.tolist()))
        chosen.append(steps)
    assert chosen[0] == chosen[1]


def write(path, content: bytes):
    path.write_bytes(content)
    return path


def test_every_truncation_is_refused(tmp_path):
    save_checkpoint(tmp_path / "a", make_checkpoint())
    content = (tmp_path / "a").read_bytes()
    for length in (0, 1, 7, 8, 100, len(content) // 2, len(content) - 1):
        with pytest.raises(InputError, match="truncated"):
            load_checkpoint(write(tmp_path / "b", content[:length]))


class Bomb:
    def __reduce__(self):
        return os.abort, ()


def test_what_is_no_checkpoint_is_refused_and_never_run(tmp_path):
    torch.save({"weights": torch.ones(3)}, tmp_path / "torch")
    safetensors.torch.save_file({"a": torch.ones(3)}, tmp_path / "plain")
    places = {
        "text": write(tmp_path / "text", b"hello " * 100),
        "pickle": write(tmp_path / "pickle", pickle.dumps(Bomb())),
        "torch": tmp_path / "torch",
        "plain": tmp_path / "plain",
        "folder": tmp_path,
        "missing": tmp_path / "missing",
    }
    for path in places.values():
        with pytest.raises(InputError, match=str(path)):
            load_checkpoint(path)


def changed(tmp_path, change, resigned=False):
    """The file of a checkpoint whose description `change` has altered."""
    save_checkpoint(tmp_path / "a", make_checkpoint())
    with safetensors.safe_open(str(tmp_path / "a"), framework="pt") as file:
        content = json.loads(file.metadata()["knossos"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(content, tensors)
    if resigned:
        content["checksum"] = checksum(tensors)
    safetensors.torch.save_file(tensors, tmp_path / "b", {"knossos": json.dumps(content)})
    return tmp_path / "b"


CHANGES = {
    "another format": lambda content, tensors: content.update(format="other"),
    "an unknown core": lambda content, tensors: content["agent_config"].update(core=3),
    "an unknown domain": lambda content, tensors: content.update(domain="chess"),
    "a missing field": lambda content, tensors: content.pop("frames"),
    "a missing setting": lambda content, tensors: content["config"].pop("unroll_length"),
    "a setting out of range": lambda content, tensors: content["config"].update(unroll_length=0),
    "a frame count that is none": lambda content, tensors: content.update(frames="many"),
    "no mazes": lambda content, tensors: tensors.pop("task/walls"),
    "a changed maze": lambda content, tensors: tensors["task/faces"].add_(1),
    "a changed rule": lambda content, tensors: content["task"].update(goal="red"),
    "a changed parameter": lambda content, tensors: tensors["parameters/network.value.weight"].add_(1),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_description_is_refused(tmp_path, name):
    path = changed(tmp_path, CHANGES[name])
    with pytest.raises(InputError):
        load_checkpoint(path)


PARAMETER_CHANGES = {
    "missing": lambda content, tensors: tensors.pop("parameters/network.policy.bias"),
    "too much": lambda content, tensors: tensors.update({"parameters/network.extra": torch.ones(3)}),
    "another shape": lambda content, tensors: tensors.update({"parameters/network.policy.bias": torch.ones(9)}),
    "not finite": lambda content, tensors: tensors["parameters/network.policy.bias"].fill_(float("nan")),
}


@pytest.mark.parametrize("name", PARAMETER_CHANGES)
def test_parameters_of_another_agent_are_refused(tmp_path, name):
    loaded = load_checkpoint(changed(tmp_path, PARAMETER_CHANGES[name], resigned=True))
    with pytest.raises(InputError, match=r"parameters|expected|finite"):
        loaded.model()


def test_an_optimiser_of_another_kind_is_refused(tmp_path):
    save_checkpoint(tmp_path / "a", make_checkpoint())
    loaded = load_checkpoint(tmp_path / "a")
    flat = FlatParameters(loaded.model())
    with pytest.raises(InputError, match="optimiser"):
        loaded.restore(ParameterStore(dataclasses.replace(loaded.config, optimizer="rmsprop"), flat), flat)


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_full_disk_leaves_the_checkpoint_before_as_it_was(tmp_path, monkeypatch, failing):
    path = tmp_path / "a"
    save_checkpoint(path, make_checkpoint())
    before = path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, failing, full)
    with pytest.raises(InputError, match="No space left"):
        save_checkpoint(path, dataclasses.replace(make_checkpoint(), frames=9))
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="cannot write"):
        save_checkpoint(tmp_path / "none" / "a", make_checkpoint())


@pytest.mark.parametrize("power", [0.0, -1.0, 1e300, float("nan"), float("inf")])
def test_an_agent_that_would_see_nothing_is_refused(power):
    with pytest.raises(InputError, match="depth power"):
        AgentConfig("nav", depth_input=True, depth_power=power)
