"""Returns and advantages against sums that read like the formulas."""

import numpy as np
import pytest
import torch

from agents.learning.losses import generalised_advantages

T, N, DISCOUNT = 11, 5, 0.9


@pytest.fixture
def sequences():
    random = np.random.default_rng(3)
    reward, value, next_value = (torch.from_numpy(random.normal(size=(T, N))) for _ in range(3))
    ended = torch.from_numpy(random.random((T, N)) < 0.2)
    ended[:, 0] = False
    ended[4, 1] = True
    ended[T - 1, 2] = True
    # Where the episode goes on, the value after a step is the value before the next one.
    next_value[:-1] = torch.where(ended[:-1], next_value[:-1], value[1:])
    return reward, value, next_value, ended


def brute_force_return(reward, next_value, ended, t, n):
    """Rewards discounted up to the end of the episode or of the chunk, then the value of what was seen there."""
    total, factor = 0.0, 1.0
    for later in range(t, T):
        total += factor * float(reward[later, n])
        factor *= DISCOUNT
        if ended[later, n] or later == T - 1:
            return total + factor * float(next_value[later, n])
    raise AssertionError


def test_n_step_returns_are_the_sum_of_rewards_and_the_last_value(sequences):
    reward, value, next_value, ended = sequences
    advantage = generalised_advantages(reward, value, next_value, ended, DISCOUNT, 1.0)
    for t in range(T):
        for n in range(N):
            expected = brute_force_return(reward, next_value, ended, t, n)
            assert float(advantage[t, n] + value[t, n]) == pytest.approx(expected, abs=1e-12)


def brute_force_advantage(reward, value, next_value, ended, decay, t, n):
    """The exponentially weighted mean of the k-step advantages, (1 − λ) Σ λ^(k−1) A_k, the longest taking what is left."""
    last = next(later for later in range(t, T) if ended[later, n] or later == T - 1)
    steps = last - t + 1
    total = 0.0
    for k in range(1, steps + 1):
        discounted = sum(DISCOUNT**i * float(reward[t + i, n]) for i in range(k))
        advantage = discounted + DISCOUNT**k * float(next_value[t + k - 1, n]) - float(value[t, n])
        total += (decay ** (k - 1) if k == steps else (1 - decay) * decay ** (k - 1)) * advantage
    return total


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.97])
def test_generalised_advantages_are_the_weighted_mean_of_k_step_advantages(sequences, decay):
    reward, value, next_value, ended = sequences
    advantage = generalised_advantages(reward, value, next_value, ended, DISCOUNT, decay)
    for t in range(T):
        for n in range(N):
            expected = brute_force_advantage(reward, value, next_value, ended, decay, t, n)
            assert float(advantage[t, n]) == pytest.approx(expected, abs=1e-12)
