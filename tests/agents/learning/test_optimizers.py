"""Shared optimisers against torch's own; clipping, and the learning rates of the parameter store."""

import math

import numpy as np
import pytest
import torch

from agents.config import AGENTS, TrainConfig
from agents.learning.optimizers import SharedAdam, SharedRMSProp, clip_grad_norm, make_optimizer
from agents.learning.parameter_store import ParameterStore
from agents.model import FlatParameters
from agents.runtime.worker import initial_model
from tests.agents.worlds import counting_task

SIZE, UPDATES, RATE = 37, 25, 3e-3


def gradients():
    generator = torch.Generator().manual_seed(5)
    return [torch.randn(SIZE, generator=generator, dtype=torch.float64) * 10.0 ** (i % 3 - 1) for i in range(UPDATES)]


CASES = {
    "rmsprop": (
        lambda: SharedRMSProp(SIZE, 0.99, 0.1, torch.float64),
        lambda groups: torch.optim.RMSprop(groups, alpha=0.99, eps=0.1),
    ),
    "rmsprop, small epsilon": (
        lambda: SharedRMSProp(SIZE, 0.9, 1e-6, torch.float64),
        lambda groups: torch.optim.RMSprop(groups, alpha=0.9, eps=1e-6),
    ),
    "adam": (
        lambda: SharedAdam(SIZE, 1e-5, torch.float64),
        lambda groups: torch.optim.Adam(groups, eps=1e-5, foreach=False, fused=False),
    ),
}


@pytest.mark.parametrize("segments", [(SIZE,), (SIZE - 5, 5)])
@pytest.mark.parametrize("name", CASES)
def test_follows_torch(name, segments):
    make_shared, make_reference = CASES[name]
    shared = make_shared()
    shared.share_memory()
    start = torch.linspace(-1, 1, SIZE, dtype=torch.float64)
    rates = [(size, RATE * (1 + index)) for index, size in enumerate(segments)]
    ours, theirs = start.clone(), [part.clone().requires_grad_() for part in start.split(segments)]
    reference = make_reference([{"params": [part], "lr": rate} for part, (_, rate) in zip(theirs, rates, strict=True)])
    for gradient in gradients():
        for part, its_gradient in zip(theirs, gradient.split(segments), strict=True):
            part.grad = its_gradient.clone()
        reference.step()
        shared.apply(ours, gradient.clone(), rates)
    assert int(shared.statistics["updates"]) == UPDATES
    torch.testing.assert_close(ours, torch.cat(theirs).detach(), rtol=1e-12, atol=1e-14)
    assert not torch.equal(ours, start)


def test_epsilon_under_the_root_is_the_papers_rule():
    shared = SharedRMSProp(SIZE, 0.99, 0.1, torch.float64, inside_root=True)
    parameters, square = [1.0] * SIZE, [0.0] * SIZE
    ours = torch.ones(SIZE, dtype=torch.float64)
    for gradient in gradients():
        shared.apply(ours, gradient.clone(), [(SIZE, RATE)])
        for i, g in enumerate(gradient.tolist()):
            square[i] = 0.99 * square[i] + 0.01 * g * g
            parameters[i] -= RATE * g / math.sqrt(square[i] + 0.1)
    np.testing.assert_allclose(ours.numpy(), parameters, rtol=1e-12)


def test_the_settings_reach_the_optimiser():
    adam = make_optimizer(TrainConfig(optimizer="adam", optimizer_eps=0.25), SIZE)
    rmsprop = make_optimizer(TrainConfig(optimizer="rmsprop", rmsprop_alpha=0.75, optimizer_eps=0.5), SIZE)
    assert isinstance(adam, SharedAdam)
    assert isinstance(rmsprop, SharedRMSProp)
    assert (adam.eps, rmsprop.alpha, rmsprop.eps) == (0.25, 0.75, 0.5)
    # By these names checkpoints save them.
    assert set(adam.statistics) == {"mean", "square", "updates"}
    assert set(rmsprop.statistics) == {"square", "updates"}


def test_a_gradient_is_scaled_only_where_its_norm_is_too_large():
    gradient = torch.tensor([3.0, 4.0])
    assert float(clip_grad_norm(gradient, 10.0)) == pytest.approx(5.0)
    assert gradient.tolist() == [3.0, 4.0]
    assert float(clip_grad_norm(gradient, 0.0)) == pytest.approx(5.0)
    assert gradient.tolist() == [3.0, 4.0]
    clip_grad_norm(gradient, 1.0)
    torch.testing.assert_close(gradient, torch.tensor([0.6, 0.8]))


def test_the_decoders_gradient_does_not_clip_the_agents():
    """A huge gradient of the decoder alone must leave the agent's update as it was."""
    config = TrainConfig(optimizer="rmsprop", optimizer_eps=1.0)
    model = initial_model(AGENTS["ff"], counting_task().spec(), config, seed=0)
    flat = FlatParameters(model)
    changes = []
    for decoder in (0.0, 1e6):
        store = ParameterStore(config, flat)
        gradient = torch.full_like(flat.values, 1e-4)
        gradient[flat.agent_size :] = decoder
        store.push(gradient)
        changes.append((store.parameters - flat.values)[: flat.agent_size])
    torch.testing.assert_close(changes[0], changes[1])
    assert changes[0].abs().median() > 0


@pytest.mark.parametrize(("spent", "left"), [(0.0, 1.0), (0.5, 1.0), (0.75, 0.6), (1.0, 0.2)])
def test_the_learning_rate_falls_in_the_budgets_second_half(spent, left):
    config = TrainConfig(final_learning_rate_fraction=0.2, anneal_start_fraction=0.5, learning_rate=1e-2, max_grad_norm=0.0)
    flat = FlatParameters(initial_model(AGENTS["ff"], counting_task().spec(), config, seed=0))
    store = ParameterStore(config, flat)
    store.set_progress(spent)
    store.push(torch.ones_like(flat.values))
    # The first change by Adam is the learning rate.
    changes = (flat.values - store.parameters)[: flat.agent_size]
    torch.testing.assert_close(changes, torch.full_like(changes, left * 1e-2), rtol=1e-3, atol=1e-6)
