"""The entropy's weight with a target: its formula, and policies that collapse without it."""

import math

import pytest
import torch

from agents.config import TrainConfig
from agents.learning.losses import Targets, agent_loss, entropy_weight
from agents.networks.distributions import Categorical
from maze_gen.errors import InputError

CHOICES = 16


def batch(generator: torch.Generator, logits: torch.Tensor) -> Targets:
    """Actions of the policy, of which the first alone is good."""
    shape = (4, 32)
    with torch.no_grad():
        policy = Categorical(logits.expand(*shape, CHOICES))
        action = policy.sample(torch.rand(*shape, 1, generator=generator))
        return Targets(action, policy.log_prob(action), (action == 0).double() - 1 / CHOICES, torch.zeros(shape).double())


def entropy_after(config: TrainConfig, steps: int = 400) -> float:
    """Of a policy without features, whose best action is always the same."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.zeros(CHOICES, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([logits], 0.03)
    for _ in range(steps):
        targets = batch(generator, logits)
        distribution = Categorical(logits.expand(*targets.action.shape, CHOICES))
        loss, _ = agent_loss(config, distribution, torch.zeros(targets.action.shape).double(), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return float(Categorical(logits.detach()).entropy())


@pytest.mark.parametrize("target", [0.8, 2.0])
def test_the_entropy_stays_near_its_target(target):
    """With a cost that alone lets the policy collapse."""
    without = entropy_after(TrainConfig(entropy_cost=0.03))
    with_target = entropy_after(TrainConfig(entropy_cost=0.03, entropy_target=target))
    assert without < 0.3
    assert with_target == pytest.approx(target, abs=0.6)
    assert with_target > without + 0.3


def test_the_weight_is_the_formula():
    config = TrainConfig(entropy_cost=0.02, entropy_target=5.0)
    for entropy in (4.0, 5.0, 5.7):
        found = entropy_weight(config, torch.tensor(entropy, dtype=torch.float64))
        assert float(found) == pytest.approx(0.02 * math.exp(5 * (5 - entropy)))
    assert float(entropy_weight(config, torch.tensor(0.0))) == pytest.approx(0.02 * math.exp(6))


def test_the_gradient_is_that_of_the_penalty():
    config = TrainConfig(entropy_cost=0.02, entropy_target=1.5, value_cost=0.0)
    logits = torch.randn(3, 2, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    action = torch.zeros(3, 2, dtype=torch.int64)
    nothing = torch.zeros(3, 2, dtype=torch.float64)
    log_prob = Categorical(logits).log_prob(action).detach()
    loss, metrics = agent_loss(config, Categorical(logits), nothing, Targets(action, log_prob, nothing, nothing))
    (found,) = torch.autograd.grad(loss, logits)
    penalty = 0.02 / 5 * torch.exp(5 * (1.5 - Categorical(logits).entropy().mean()))
    (expected,) = torch.autograd.grad(penalty, logits)
    torch.testing.assert_close(found, expected)
    assert float(metrics["entropy_weight"]) == pytest.approx(5 * float(penalty.detach()))
    _, metrics = agent_loss(TrainConfig(), Categorical(logits), nothing, Targets(action, log_prob, nothing, nothing))
    assert "entropy_weight" not in metrics


def test_bad_targets():
    with pytest.raises(InputError, match="entropy target -1"):
        TrainConfig(entropy_target=-1)
