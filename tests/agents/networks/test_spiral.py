"""The paper's network: shapes, numbers of parameters counted by hand, what conditions it, and its policy against enumeration."""

import dataclasses
import itertools

import pytest
import torch

from agents.config import AGENTS, PRESETS
from agents.model import AgentModel
from agents.networks.inputs import Inputs
from agents.networks.spiral import DecoderPolicyHead, SpiralCore
from agents.trainer import Budget, Trainer, Training
from env.batch import ActionPart, ActionSpec
from env.painting.registry import make_painting
from maze_gen.errors import InputError

TASK = make_painting("doodle-digits")
CONFIG = dataclasses.replace(PRESETS["painter-paper"], num_envs=4)


def conv(entering: int, out: int, kernel: int) -> int:
    return entering * out * kernel**2 + out


def linear(entering: int, out: int) -> int:
    return entering * out + out


def count(*parts: torch.nn.Module) -> int:
    return sum(parameter.numel() for part in parts for parameter in part.parameters())


def model(task=TASK, agent: str = "spiral") -> AgentModel:
    torch.manual_seed(0)
    return AgentModel(AGENTS[agent], task.spec(), CONFIG)


def core_of(made: AgentModel) -> SpiralCore:
    core = made.network.core
    assert isinstance(core, SpiralCore)
    return core


@pytest.mark.parametrize(("preset", "halvings", "grid_doublings"), [("fast", 2, 2), ("paper", 3, 3)])
def test_parameters_are_those_counted_by_hand(preset, halvings, grid_doublings):
    """32 x 32 with a grid of 16, and the paper's 64 x 64 with a grid of 32."""
    made = model(make_painting("doodle-digits", {"preset": preset}))
    network, sizes = made.network, made.network.policy.sizes
    core = core_of(made)
    conditioner = linear(64, 32) + linear(32, 32)
    block = conv(32, 32, 3) + conv(32, 32, 1)
    torso = conv(1 + 2, 32, 5) + halvings * conv(32, 32, 4) + 8 * block + linear(32 * 64, 256)
    # The pen's three numbers and both of the time go with the last action.
    torso += linear(sum(sizes) + 5, 64) + conditioner + linear(10, 64) + conditioner
    memory = 4 * 256 * (256 + 256) + 4 * 256
    assert count(core) == torso + memory
    decoder = 8 * (conv(16, 16, 3) + conv(16, 16, 1)) + grid_doublings * conv(16, 16, 4) + conv(16, 1, 3)
    flag, _, _, size, pressure = sizes
    heads = 2 * decoder + linear(256, flag) + linear(256, size) + linear(256, pressure)
    embedded = linear(flag, 16) + 2 * linear(2, 16) + linear(size, 16)
    residual = linear(256 + 16, 16) + linear(16, 32) + linear(32, 256)
    assert count(network.policy) == heads + embedded + 4 * residual
    assert count(network) == count(core, network.policy) + linear(256, 1)


def inputs(made: AgentModel, *leading: int) -> Inputs:
    generator = torch.Generator().manual_seed(1)
    given = made.network.perception.allocate(leading)
    given.image.random_(0, 256, generator=generator)
    given.vector.uniform_(0, 1, generator=generator)
    first = made.network.perception.first_of("effect")
    given.vector[..., first : first + 5] = 1
    for part in given.action.split(made.network.policy.sizes, -1):
        part[..., 0] = 1
    return given


def test_a_sequence_is_its_steps():
    made = model()
    given, network = inputs(made, 3, 2), made.network
    starts = torch.zeros(3, 2, dtype=torch.bool)
    whole = network.unroll(given, network.initial_state(2), starts)
    state = network.initial_state(2)
    for t in range(3):
        one, state = network.step(Inputs(*(part[t] for part in given.parts())), state)
        torch.testing.assert_close(one.policy, whole.policy[t], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(one.value, whole.value[t], rtol=1e-4, atol=1e-5)
    assert whole.policy.shape == (3, 2, 256)


def test_what_conditions_the_torso_and_what_has_no_effect():
    made = model()
    core, perception = core_of(made), made.network.perception
    given = inputs(made, 2)
    before = core.torso(given)
    assert before.shape == (2, 256)
    for name in ("noise", "pen", "time"):
        other = dataclasses.replace(given, vector=given.vector.clone())
        other.vector[:, perception.first_of(name)] += 0.5
        assert not torch.allclose(core.torso(other), before), name
    # Another control point: it shows where it had an effect, and there alone.
    moved = dataclasses.replace(given, action=given.action.clone())
    control = sum(made.network.policy.sizes[:2])
    moved.action[:, control], moved.action[:, control + 5] = 0, 1
    assert not torch.allclose(core.torso(moved), before)
    effect = perception.first_of("effect") + 2
    for one in (given, moved):
        one.vector = one.vector.clone()
        one.vector[:, effect] = 0
    torch.testing.assert_close(core.torso(moved), core.torso(given))


def test_probabilities_of_all_effects_sum_to_one():
    spec = ActionSpec(
        (
            ActionPart("flag", 2),
            ActionPart("end", 16, grid=(4, 4)),
            ActionPart("size", 3, only_if=(0, 1)),
        ),
        autoregressive=True,
    )
    torch.manual_seed(0)
    head = DecoderPolicyHead(spec).double()
    distribution = head.distribution(head(torch.randn(3, 256, dtype=torch.float64)))
    actions = [(0, end, 0) for end in range(16)] + [(1, *rest) for rest in itertools.product(range(16), range(3))]
    total = sum(distribution.log_prob(torch.tensor([action] * 3)).exp() for action in actions)
    torch.testing.assert_close(total, torch.ones(3, dtype=torch.float64))
    # Both coordinates of a place count for what is chosen after it.
    carry = torch.randn(1, 256, dtype=torch.float64).abs()
    after = [head.advance(1, carry, torch.tensor([place])) for place in (0, 1, 4)]
    assert not torch.allclose(after[0], after[1])
    assert not torch.allclose(after[0], after[2])
    assert not torch.allclose(after[1], after[2])


@pytest.mark.parametrize(("agent", "task"), [("spiral", "doodle-digits"), ("spiral-complement", "redraw-digits")])
def test_it_trains(agent, task):
    training = Training(agent, AGENTS[agent], CONFIG, "painter-paper", make_painting(task), "embedded", 1, 1, serial=True)
    trainer = Trainer(training, Budget(frames=64))
    before = {name: part.clone() for name, part in trainer.model.network.named_parameters()}
    trainer.train()
    after = trainer.checkpoint().parameters
    still = [name for name, part in before.items() if torch.equal(after[f"network.{name}"], part)]
    assert not still


def test_worlds_that_do_not_fit():
    with pytest.raises(InputError, match="takes squares of 8, 16, 32"):
        model(make_painting("doodle-digits", {"side": 48}))
    with pytest.raises(InputError, match="takes grids of 4, 8, 16"):
        model(make_painting("doodle-digits", {"grid": 12}))
