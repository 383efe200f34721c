"""The agent's loss against a slow NumPy version that reads like the formulas: values, metrics, gradients."""

import pytest
import torch

from agents.config import TrainConfig
from agents.learning import losses
from agents.networks.distributions import Categorical, IndependentCategoricals
from tests.agents.learning import checks


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("objective", losses.OBJECTIVES)
def test_the_loss_is_the_formulas(objective, seed):
    checks.check_agent_loss(losses, objective, seed)


@pytest.mark.parametrize("objective", losses.OBJECTIVES)
def test_actions_of_several_parts_are_scored_as_one(objective):
    """A choice of 6 as two independent choices of 2 and 3: the same policy, the same loss, the same slope of the logits."""
    generator = torch.Generator().manual_seed(0)
    two, three = torch.randn(4, 3, 2, generator=generator), torch.randn(4, 3, 3, generator=generator)
    value, log_mu, advantage, target = torch.randn(4, 4, 3, generator=generator)
    pair = torch.stack((torch.randint(2, (4, 3), generator=generator), torch.randint(3, (4, 3), generator=generator)), -1)
    config = TrainConfig(objective=objective)
    results = []
    for joint in (False, True):
        logits = torch.cat((two, three), -1).requires_grad_()
        if joint:
            flat = (logits[..., :2].unsqueeze(-1) + logits[..., 2:].unsqueeze(-2)).flatten(-2)
            distribution, action = Categorical(flat), pair[..., 0] * 3 + pair[..., 1]
        else:
            distribution, action = IndependentCategoricals(logits, (2, 3)), pair
        loss, metrics = losses.agent_loss(config, distribution, value, losses.Targets(action, log_mu - 2, advantage, target))
        loss.backward()
        results.append((loss.detach(), metrics, logits.grad))
    torch.testing.assert_close(*results)
