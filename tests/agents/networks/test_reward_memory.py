"""The slot that rewards write: all steps at once against one after the other, and errors that the comparison must notice."""

import math

import numpy as np
import pytest
import torch

from agents.config import AGENTS, TrainConfig
from agents.model import AgentModel
from agents.networks import reward_memory
from agents.networks.cores import keep_state
from agents.networks.inputs import Inputs
from tests.agents.worlds import counting_task
from tests.mutants import Mutant, assert_caught, by_name

T, B, W = 50, 3, 4


def sequence(seed):
    """(slot before the first step, written values, gates' logits, starts) of a sequence with rewards and episodes' starts."""
    random = np.random.default_rng(seed)
    starts = random.random((T, B)) < 0.08
    reward = np.where(random.random((T, B)) < 0.15, random.choice([1.0, 2.0, 4.0, 10.0], (T, B)), 0.0)
    logits = np.where(starts, 0.0, reward) * 2 - 8
    return random.normal(size=(B, W)), random.normal(size=(T, B, W)), logits, starts


def one_after_the_other(first, written, logits, starts):
    """[T, B, W]: the recurrence as it is written down."""
    made, noted = np.zeros((T, B, W)), first.copy()
    for t in range(T):
        for row in range(B):
            if starts[t, row]:
                noted[row] = 0
            gate = 1 / (1 + math.exp(-logits[t, row]))
            noted[row] = (1 - gate) * noted[row] + gate * written[t, row]
        made[t] = noted
    return made


def check_recurrence(module):
    for seed in range(3):
        first, written, logits, starts = sequence(seed)
        made = module.noted_over_time(
            *(torch.tensor(part, dtype=torch.float32) for part in (first, written, logits)), torch.tensor(starts)
        )
        np.testing.assert_allclose(made.numpy(), one_after_the_other(first, written, logits, starts), rtol=1e-4, atol=1e-5)


MUTANTS = by_name(
    [
        Mutant(name, reward_memory, old, new, check_recurrence)
        for name, old, new in (
            ("episodes' starts are ignored", ".masked_fill(starts, FORGOTTEN)", ""),
            ("the future is read", ".triu(1)", ".triu(2)"),
            ("the slot before the first step is forgotten", " + kept)", ")"),
            ("a step's own gate erases what it writes", "opened - left", "opened"),
            ("gates are reversed", "functional.logsigmoid(-logits)", "functional.logsigmoid(logits)"),
        )
    ]
)


def test_the_slot_is_the_recurrence():
    check_recurrence(reward_memory)


@pytest.mark.parametrize("name", MUTANTS)
def test_an_error_is_noticed(name, tmp_path):
    assert_caught(MUTANTS[name], tmp_path)


def test_gradients_are_those_of_the_recurrence():
    first, written, logits, starts = (torch.tensor(part) for part in sequence(7))
    parts = [part.double().requires_grad_() for part in (first, written, logits)]
    assert torch.autograd.gradcheck(lambda *parts: reward_memory.noted_over_time(*parts, starts), parts)


def test_a_long_rollout_keeps_what_was_noted_at_its_begin():
    steps = 2000
    written, logits = torch.randn(steps, 1, W), torch.full((steps, 1), -30.0)
    logits[3] = 12.0
    made = reward_memory.noted_over_time(torch.zeros(1, W), written, logits, torch.zeros(steps, 1, dtype=torch.bool))
    torch.testing.assert_close(made[-1, 0], written[3, 0], rtol=1e-4, atol=1e-4)


def test_a_core_unrolled_is_the_core_stepped():
    torch.manual_seed(1)
    model = AgentModel(AGENTS["nav-m"], counting_task().spec(), TrainConfig(slow_units=0.5))
    core, perception = model.network.core, model.network.perception
    inputs = perception.allocate((T, B), "cpu")
    inputs.vector.normal_()
    starts = torch.tensor(sequence(2)[3])
    inputs.reward.copy_(torch.tensor(sequence(2)[2] / 2 + 4).masked_fill(starts, 0))
    features = torch.randn(T, B, 256)
    state = first = keep_state(tuple(torch.randn_like(part) for part in core.initial_state(B)), starts[0])
    stepped = []
    for t in range(T):
        output, state = core.step(features[t], Inputs(*(part[t] for part in inputs.parts())), keep_state(state, starts[t]))
        stepped.append(output)
    torch.testing.assert_close(core.unroll(features, inputs, first, starts), torch.stack(stepped), rtol=1e-4, atol=1e-5)
    assert list(core.layers(stepped[-1], state)) == list(core.layer_widths)
