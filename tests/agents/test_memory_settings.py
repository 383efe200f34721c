"""Slow units and the privileged critic: what they start as, what they read, and that agents without them are as they were."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from agents.actor import Actor, ActorSettings
from agents.checkpoint import Checkpoint
from agents.config import AGENTS, NetworkSettings, TrainConfig
from agents.inference import Policy
from agents.model import AgentModel
from agents.networks.actor_critic import AgentNetwork
from agents.networks.cores import NavCore
from agents.networks.inputs import Inputs
from agents.networks.lstm import LSTM
from agents.rng import NumpyStream
from env.backends import make_batch
from env.registry import make_task
from maze_gen.errors import InputError
from maze_gen.paths import distances
from tests.agents.dials import DialsTask
from tests.agents.worlds import counting_task

SPEC = counting_task().spec()
SEES = NetworkSettings(critic_sees=("goal_distance",))


def second(agent: AgentNetwork) -> LSTM:
    """The core's second LSTM."""
    assert isinstance(agent.core, NavCore)
    return agent.core.second


def network(settings=None, core="nav", seed=0):
    torch.manual_seed(seed)
    return AgentNetwork(dataclasses.replace(AGENTS["nav"], core=core), SPEC, *([settings] if settings else []))


def test_half_of_the_last_units_keep_for_a_time_drawn_at_random():
    plain, slow = network(), network(NetworkSettings(slow_units=0.5, slow_steps=400))
    H = 256
    before, after = second(plain).bias, second(slow).bias
    inputs, forgets = after.detach()[H // 2 : H], after.detach()[H + H // 2 : 2 * H]
    assert torch.equal(inputs, -forgets)
    steps = forgets.exp()
    # Uniform in [1, 400]: mean 200.5, standard deviation 115; 128 of them.
    assert 1 <= float(steps.min()) < 40
    assert 360 < float(steps.max()) <= 400
    assert float(steps.mean()) == pytest.approx(200.5, abs=3 * 115 / math.sqrt(128))
    changed = before.ne(after)
    assert changed.nonzero().flatten().tolist() == [*range(H // 2, H), *range(H + H // 2, 2 * H)]
    others = {name: part for name, part in plain.named_parameters() if name != "core.second.bias"}
    assert all(torch.equal(part, dict(slow.named_parameters())[name]) for name, part in others.items())


def test_slow_units_remember_and_the_others_forget():
    """A cell state of 1 and nothing to see: after 50 steps a unit of time scale T keeps about (1 − 1/T)^50 of it."""
    kept = {}
    for fraction in (0, 1):
        memory = second(network(NetworkSettings(slow_units=fraction, slow_steps=400)))
        memory.weight.data.zero_()
        hidden, cell = torch.zeros(1, 256), torch.ones(1, 256)
        for _ in range(50):
            hidden, cell = memory.step(torch.zeros(1, memory.input_size), hidden, cell)
        kept[fraction] = cell[0]
        if fraction:
            expected = torch.sigmoid(memory.bias[256:512].detach()) ** 50
            torch.testing.assert_close(cell[0], expected, atol=0.1, rtol=0.2)
    assert float(kept[0].detach().abs().mean()) < 0.1
    assert float(kept[1].detach().median()) > 0.5


def test_slow_units_need_a_memory():
    with pytest.raises(InputError, match="no LSTM"):
        network(NetworkSettings(slow_units=0.5), core="feedforward")
    with pytest.raises(InputError, match=r"slow units 1.5: expected a number in \[0, 1\]"):
        TrainConfig(slow_units=1.5)


def random_inputs(facts):
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (3, 42, 42, 3), generator=generator, dtype=torch.uint8)
    draw = lambda *shape: torch.randn(3, *shape, generator=generator)  # noqa: E731
    return Inputs(images, draw(6), draw(), draw(8), facts)


def test_values_begin_as_they_would_without_the_facts_and_the_policy_never_reads_them():
    plain, seeing = network(), network(SEES)
    near, far, unknown = torch.full((3, 1), 1.2), torch.full((3, 1), 3.0), torch.zeros(3, 1)
    state = plain.initial_state(3)
    expected, _ = plain.step(random_inputs(near), state)
    for facts in (near, far, unknown):
        found, _ = seeing.step(random_inputs(facts), state)
        assert torch.equal(found.value, expected.value)
        assert torch.equal(found.policy, expected.policy)
    assert seeing.critic is not None
    seeing.critic.weight.data[:] = torch.tensor([2.0, 5.0])
    for facts in (near, far, unknown):
        found, _ = seeing.step(random_inputs(facts), state)
        size = float(facts[0]) - 1
        more = 2 * size + 5 * math.exp(-size) if size >= 0 else 0.0
        torch.testing.assert_close(found.value, expected.value + more)
        assert torch.equal(found.policy, expected.policy)


def test_a_fact_that_the_worlds_have_not_is_named():
    with pytest.raises(InputError, match="critic sees 'goal_distances': expected among position, heading"):
        network(NetworkSettings(critic_sees=("goal_distances",)))
    with pytest.raises(InputError, match="critic sees 'goal_distance': expected among wanted"):
        AgentModel(AGENTS["ff"], DialsTask().spec(), TrainConfig(critic_sees=("goal_distance",)))


def trained_model():
    torch.manual_seed(3)
    task = dataclasses.replace(make_task("random-goal-small"), observation_size=42)
    model = AgentModel(AGENTS["nav"], task.spec(), TrainConfig(critic_sees=("goal_distance",)))
    assert model.network.critic is not None
    model.network.critic.weight.data[:] = torch.tensor([-1.0, 4.0])
    return task, model


def test_a_rollout_keeps_what_the_critic_read():
    """The path's length by search in the maze, step by step; and values and learning read the same."""
    task, model = trained_model()
    with make_batch(task, 4) as env:
        actor = Actor(env, model, ActorSettings(20, stagger=False), NumpyStream(np.random.SeedSequence(5)))
        actor.reset(2, 0)
        fields = [distances(task.mazes[0], divmod(int(goal), task.mazes[0].cols)) for goal in env.privileged["goal_cell"]]
        seen = []
        step = actor.worlds.step

        def stepped(actions):
            seen.append([fields[row].flat[cell] for row, cell in enumerate(env.privileged["cell"])])
            step(actions)

        actor.worlds.step = stepped
        rollout, _ = actor.run()
    assert rollout.inputs.privileged.shape == (20, 4, 1)
    np.testing.assert_allclose(rollout.inputs.privileged[..., 0].numpy(), np.array(seen) / 10 + 1, rtol=1e-6)
    assert len(np.unique(seen)) > 3
    with torch.no_grad():
        outputs = model.network.unroll(rollout.inputs, rollout.state, rollout.starts)
    torch.testing.assert_close(outputs.value, rollout.value, atol=1e-4, rtol=1e-4)


def test_an_evaluated_agent_never_reads_the_facts():
    task, model = trained_model()
    uniforms = np.random.default_rng(0).random((30, 3))
    played = []
    for weights in ([-1.0, 4.0], [100.0, -100.0]):
        assert model.network.critic is not None
        model.network.critic.weight.data[:] = torch.tensor(weights)
        policy = Policy(model, 3)
        with make_batch(task, 3) as env:
            env.reset(1)
            played.append([])
            for drawn in uniforms:
                actions = policy.act(env, drawn)
                played[-1].append((actions.tolist(), policy.value.tolist()))
                env.step(actions)
    assert played[0] == played[1]


def test_a_checkpoint_keeps_the_settings(tmp_path):
    from agents.checkpoint import load_checkpoint, save_checkpoint

    task, model = trained_model()
    config = TrainConfig(critic_sees=("goal_distance",), slow_units=0.25, slow_steps=100, loop_closure_labels="trip")
    parameters = {name: part.detach() for name, part in model.named_parameters()}
    made = Checkpoint("nav", AGENTS["nav"], config, "fast", task, "embedded", 1, 0, 0.0, 1, parameters, {})
    save_checkpoint(tmp_path / "a.safetensors", made)
    loaded = load_checkpoint(tmp_path / "a.safetensors")
    assert loaded.config == config
    critic = loaded.model().network.critic
    assert critic is not None
    assert critic.weight.tolist() == [-1.0, 4.0]
