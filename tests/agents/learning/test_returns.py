"""Returns and advantages against sums that read like the formulas."""

import torch

from agents.learning import returns
from tests.agents.learning import checks
from tests.agents.learning.reference import random_sequence


def test_generalised_advantages_are_the_weighted_mean_of_k_step_advantages():
    checks.check_advantages(returns)


def test_n_step_returns_are_the_sum_of_rewards_and_the_last_value():
    checks.check_n_step_returns(returns)


def test_v_trace_is_the_papers_sum():
    checks.check_v_trace(returns)


def test_lambda_1_gives_n_step_returns():
    s = random_sequence(7)
    reward, value, next_value, ended = (torch.from_numpy(part) for part in (s.reward, s.value, s.next_value, s.ended))
    discount = returns.step_discounts(s.discount, torch.from_numpy(s.terminated))
    advantage = returns.generalised_advantages(reward, value, next_value, discount, ended, 1.0)
    expected = returns.n_step_returns(reward, next_value, discount, ended)
    torch.testing.assert_close(advantage + value, expected, rtol=0, atol=1e-12)
    on_policy = returns.v_trace(torch.zeros_like(reward), reward, value, next_value, discount, ended)
    torch.testing.assert_close(on_policy.value, expected, rtol=0, atol=1e-12)


def test_what_follows_a_termination_has_no_influence():
    """A truncated episode is valued by its final observation, a terminated one is worth nothing more."""
    reward, value, ended = torch.ones(1, 2), torch.zeros(1, 2), torch.ones(1, 2, dtype=torch.bool)
    discount = returns.step_discounts(0.5, torch.tensor([[True, False]]))
    advantage = returns.generalised_advantages(reward, value, torch.full((1, 2), 100.0), discount, ended, 0.9)
    assert advantage.tolist() == [[1.0, 51.0]]


def test_a_constant_discount_keeps_the_bits_of_a_number():
    """What published agents were trained with: float32 sequences, λ γ rounded to float32 once."""
    generator = torch.Generator().manual_seed(0)
    reward, value, next_value = torch.randn(3, 20, 16, generator=generator)
    ended = torch.rand(20, 16, generator=generator) < 0.1
    discount = returns.step_discounts(0.99, torch.zeros_like(ended))
    ours = returns.generalised_advantages(reward, value, next_value, discount, ended, 0.97)
    delta, following = reward + 0.99 * next_value - value, torch.zeros(16)
    for t in reversed(range(20)):
        following = torch.addcmul(delta[t], (~ended[t]).float() * (0.99 * 0.97), following)
        assert torch.equal(ours[t], following)
