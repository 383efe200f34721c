"""Products in bfloat16: the same gradients but for their rounding, and nothing that adds up is rounded."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from agents.actor import Actor, ActorSettings
from agents.config import AgentConfig, TrainConfig, agent_config
from agents.learning.learner import Learner
from agents.learning.parameter_store import ParameterStore
from agents.model import AgentModel, FlatParameters
from agents.networks.lstm import LSTM
from agents.precision import product_dtype, products_in, resolve, whole_precision
from agents.rng import NumpyStream
from env.backends import make_batch
from env.registry import make_task

CPU = torch.device("cpu")


def gradient(agent: AgentConfig, config: TrainConfig) -> tuple[torch.Tensor, list[str]]:
    """Of a first chunk in a real maze, acted in float32."""
    task = make_task("static-small", observation_size=config.observation_size)
    torch.manual_seed(3)
    model = AgentModel(agent, task.spec(), config)
    flat = FlatParameters(model)
    learner = Learner(model, flat, ParameterStore(config, flat), config, NumpyStream(np.random.SeedSequence(0)))
    with make_batch(task, config.num_envs, observe=model.observe) as env:
        actor = Actor(env, model, ActorSettings(config.unroll_length), NumpyStream(np.random.SeedSequence(1)))
        actor.reset(seed=5, first_stream=0)
        rollout, _ = actor.run()
        learner._gradient(rollout, learner._make_targets(rollout), torch.arange(config.num_envs))
    return flat.gradients, [name for name, _ in flat.parts]


@pytest.mark.parametrize("size", [42, 84])
@pytest.mark.parametrize("name", ["ff", "lstm", "nav-d1d2l"])
def test_a_gradient_differs_by_roundings_only(name, size):
    config = TrainConfig(num_envs=4, unroll_length=20, minibatches=1, observation_size=size, precision="float32")
    whole, _ = gradient(agent_config(name), config)
    narrow, _ = gradient(agent_config(name), replace(config, precision="bfloat16"))
    assert narrow.dtype == torch.float32
    assert not torch.equal(whole, narrow)
    difference = (whole - narrow).norm() / whole.norm()
    assert difference < 0.03, difference


def test_a_memory_adds_up_what_bfloat16_would_lose():
    memory = LSTM(1, 4)
    with torch.no_grad():
        memory.weight.zero_()
        # Gates open, and every step adds 0.02: from 8 on, where bfloat16 goes in steps of 0.0625, it wouldn't change any more.
        memory.bias.copy_(torch.tensor([20.0] * 12 + [0.02] * 4))
    steps = 600
    with products_in(torch.bfloat16, CPU):
        hidden, cell = memory.initial_state(2)
        stepped = hidden
        for _ in range(steps):
            stepped, cell = memory.step(torch.zeros(2, 1), stepped, cell)
        unrolled = memory.unroll(torch.zeros(steps, 2, 1), hidden, torch.zeros(2, 4), torch.zeros(steps, 2, dtype=torch.bool))
    assert cell.dtype == torch.float32
    torch.testing.assert_close(cell, torch.full((2, 4), steps * 0.02), rtol=0.01, atol=0)
    torch.testing.assert_close(unrolled[99], torch.full((2, 4), 2.0).tanh(), rtol=0.01, atol=0)


def test_policy_and_value_are_whole():
    task = make_task("static-small", observation_size=42)
    model = AgentModel(agent_config("nav"), task.spec(), TrainConfig())
    with make_batch(task, 2) as env, products_in(torch.bfloat16, CPU), torch.no_grad():
        actor = Actor(env, model, ActorSettings(5, precision="bfloat16"), NumpyStream(np.random.SeedSequence(1)))
        outputs, state = model.network.step(actor.acting.present, actor.state)
    assert outputs.encoder.dtype == torch.bfloat16
    assert {outputs.policy.dtype, outputs.value.dtype, state[1].dtype, state[3].dtype} == {torch.float32}
    assert not torch.equal(outputs.policy, outputs.policy.bfloat16().float())


@pytest.mark.parametrize(("avx512", "amx"), [(True, False), (False, True), (False, False)])
def test_auto_asks_the_processor(monkeypatch, avx512, amx):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert resolve("auto", CPU) == (torch.bfloat16 if avx512 or amx else torch.float32)
    assert resolve("auto", torch.device("cuda")) == torch.float32
    assert resolve("float32", CPU) == torch.float32
    assert resolve("bfloat16", CPU) == torch.bfloat16


def test_contexts_nest():
    weight = torch.zeros(1)
    assert product_dtype(weight) == torch.float32
    with products_in(torch.bfloat16, CPU):
        assert product_dtype(weight) == torch.bfloat16
        assert product_dtype(weight.double()) == torch.float64
        with whole_precision(CPU):
            assert product_dtype(weight) == torch.float32
    with products_in(torch.float32, CPU):
        assert product_dtype(weight) == torch.float32
