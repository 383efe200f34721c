"""Networks: sizes, memory carried over chunks, and the sequence's own backward."""

import pytest
import torch

from agents.config import AGENTS, AgentConfig
from agents.networks.actor_critic import AgentNetwork
from agents.networks.cores import keep_state
from agents.networks.encoders import ConvolutionalEncoder
from agents.networks.inputs import Inputs
from agents.networks.lstm import LSTM
from tests.agents.worlds import WALKERS, counting_task

T, B = 12, 4


def spec(size):
    return counting_task(size=size).spec()


def random_inputs(size, channels, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (T, B, size, size, channels), generator=generator, dtype=torch.uint8)
    velocity = torch.randn(T, B, 6, generator=generator, dtype=dtype) * 100
    reward = torch.randn(T, B, generator=generator, dtype=dtype)
    action = torch.nn.functional.one_hot(torch.randint(0, 8, (T, B), generator=generator), 8).to(dtype)
    return Inputs(images, velocity, reward, action)


def at(inputs, t):
    return Inputs(inputs.image[t], inputs.vector[t], inputs.reward[t], inputs.action[t])


def part(inputs, begin, end):
    return Inputs(*(getattr(inputs, name)[begin:end] for name in ("image", "vector", "reward", "action")))


def some_starts():
    starts = torch.zeros(T, B, dtype=torch.bool)
    starts[0, 0] = starts[5, 1] = starts[5, 2] = starts[T - 1, 3] = True
    return starts


def state_of(network):
    generator = torch.Generator().manual_seed(2)
    return tuple(torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in network.initial_state(B))


@pytest.mark.parametrize("core", ["feedforward", "lstm", "nav"])
def test_a_sequence_is_its_steps_with_memory_cleared_at_starts(core):
    torch.manual_seed(0)
    network = AgentNetwork(AgentConfig(core), spec(42)).double()
    inputs, starts, first = random_inputs(42, 3), some_starts(), state_of(network)
    with torch.no_grad():
        whole = network.unroll(inputs, first, starts)
        state = first
        for t in range(T):
            outputs, state = network.step(at(inputs, t), keep_state(state, starts[t]))
            torch.testing.assert_close(outputs.policy, whole.policy[t])
            torch.testing.assert_close(outputs.value, whole.value[t])
            torch.testing.assert_close(outputs.core, whole.core[t])


@pytest.mark.parametrize("core", ["lstm", "nav"])
def test_memory_carried_over_chunks_is_one_long_sequence(core):
    """Chunks of 5, 4 and 3 steps from the stored states give what one unroll of 12 gives."""
    torch.manual_seed(0)
    network = AgentNetwork(AgentConfig(core), spec(42)).double()
    inputs, starts, state = random_inputs(42, 3), some_starts(), state_of(network)
    with torch.no_grad():
        whole = network.unroll(inputs, state, starts)
        for begin, end in ((0, 5), (5, 9), (9, 12)):
            chunk = network.unroll(part(inputs, begin, end), state, starts[begin:end])
            torch.testing.assert_close(chunk.core, whole.core[begin:end])
            for t in range(begin, end):
                _, state = network.step(at(inputs, t), keep_state(state, starts[t]))


@pytest.mark.parametrize("starts", [torch.zeros(T, B, dtype=torch.bool), some_starts()], ids=["none", "some"])
def test_the_sequences_backward_is_autograds_of_the_steps(starts):
    torch.manual_seed(0)
    memory = LSTM(5, 7).double()
    inputs = torch.randn(T, B, 5, dtype=torch.float64, requires_grad=True)
    first = torch.randn(2, B, 7, dtype=torch.float64)
    weights = torch.randn(T, B, 7, dtype=torch.float64)
    wanted = [inputs, memory.weight, memory.bias]
    ours = torch.autograd.grad((memory.unroll(inputs, first[0], first[1], starts) * weights).sum(), wanted)
    hidden, cell, outputs = first[0], first[1], []
    for t in range(T):
        kept = (~starts[t]).unsqueeze(1)
        hidden, cell = memory.step(inputs[t], hidden * kept, cell * kept)
        outputs.append(hidden)
    theirs = torch.autograd.grad((torch.stack(outputs) * weights).sum(), wanted)
    for mine, reference in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, reference)


def test_a_step_is_torchs_lstm_cell():
    torch.manual_seed(0)
    memory, reference = LSTM(5, 7), torch.nn.LSTMCell(5, 7)
    order = [0, 1, 3, 2]  # theirs: input, forget, candidate, output
    with torch.no_grad():
        weight = torch.cat((reference.weight_ih, reference.weight_hh), 1)
        memory.weight.copy_(torch.cat([weight.chunk(4)[i] for i in order]))
        memory.bias.copy_(torch.cat([(reference.bias_ih + reference.bias_hh).chunk(4)[i] for i in order]))
        inputs, hidden, cell = torch.randn(3, 5), torch.randn(3, 7), torch.randn(3, 7)
        for mine, theirs in zip(memory.step(inputs, hidden, cell), reference(inputs, (hidden, cell)), strict=True):
            torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize(("size", "flat"), [(84, 32 * 9 * 9), (42, 32 * 4 * 4)])
def test_the_encoder_has_the_papers_shapes(size, flat):
    network = AgentNetwork(AgentConfig("nav"), spec(size))
    assert isinstance(network.encoder, ConvolutionalEncoder)
    assert network.encoder.linear.in_features == flat
    assert network.encoder.linear.out_features == 256


@pytest.mark.parametrize("name", WALKERS)
def test_every_agent_acts_and_unrolls(name):
    network = AgentNetwork(AGENTS[name], spec(42))
    inputs = random_inputs(42, 4 if AGENTS[name].depth_input else 3, torch.float32)
    inputs.tracked = torch.rand(T, B, network.core.tracked)
    outputs = network.unroll(inputs, network.initial_state(B), some_starts())
    assert outputs.policy.shape == (T, B, 8)
    assert outputs.value.shape == (T, B)
    assert outputs.core.shape == (T, B, network.core.width)
    assert outputs.encoder.shape == (T, B, 256)


def test_a_sequence_without_starts_is_torchs_lstm():
    """Where episodes start at the first step alone: the same outputs and gradients as by our own backward, in double."""
    torch.manual_seed(0)
    memory = LSTM(5, 7).double()
    inputs, first, weights = torch.randn(12, 4, 5).double(), torch.randn(2, 4, 7).double(), torch.randn(12, 4, 7).double()
    ways = []
    for starts_at in ("seen", "first"):
        memory.starts_at = starts_at
        given = inputs.clone().requires_grad_()
        outputs = memory.unroll(given, first[0], first[1], torch.zeros(12, 4, dtype=torch.bool))
        ways.append([outputs, *torch.autograd.grad((outputs * weights).sum(), [given, memory.weight, memory.bias])])
    assert type(ways[1][0].grad_fn) is not type(ways[0][0].grad_fn)
    for mine, theirs in zip(*ways, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-12)
