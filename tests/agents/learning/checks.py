"""Comparisons of `agents.learning.returns` and `agents.learning.losses`, or of mutants of them, with the reference."""

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import torch

from agents.config import TrainConfig
from agents.networks.distributions import Categorical
from tests.agents.learning import reference
from tests.agents.learning.reference import Batch, Costs, Sequence, VTraceLimits, random_sequence

ATOL = 1e-12


def _tensors(returns: Any, s: Sequence) -> tuple[torch.Tensor, ...]:
    """reward, value, next_value, discount, ended."""
    discount = returns.step_discounts(s.discount, torch.from_numpy(s.terminated))
    reward, value, next_value = (torch.from_numpy(part) for part in (s.reward, s.value, s.next_value))
    return reward, value, next_value, discount, torch.from_numpy(s.ended)


def _assert_same(ours: torch.Tensor, expected: reference.Array) -> None:
    np.testing.assert_allclose(ours.detach().numpy(), expected, rtol=0, atol=ATOL)


def check_advantages(returns: Any) -> None:
    for seed, gae_lambda in ((0, 0.0), (1, 0.5), (2, 0.97), (3, 1.0)):
        s = random_sequence(seed)
        reward, value, next_value, discount, ended = _tensors(returns, s)
        ours = returns.generalised_advantages(reward, value, next_value, discount, ended, gae_lambda)
        _assert_same(ours, reference.generalised_advantages(s, gae_lambda))


def check_n_step_returns(returns: Any) -> None:
    for seed, steps in ((0, 1), (1, 2), (2, 4), (3, 11), (4, 50), (5, None)):
        s = random_sequence(seed)
        reward, _, next_value, discount, ended = _tensors(returns, s)
        ours = returns.n_step_returns(reward, next_value, discount, ended, steps)
        _assert_same(ours, reference.n_step_returns(s, steps or len(reward)))


LIMITS = (VTraceLimits(1.0, 1.0, 1.0, 1.0), VTraceLimits(1.3, 0.8, 1.1, 0.9), VTraceLimits(0.7, 1.2, 2.0, 1.0))


def check_v_trace(returns: Any) -> None:
    for seed, limits in enumerate(LIMITS):
        s = random_sequence(seed)
        ratio = np.exp(np.random.default_rng(seed).normal(size=s.reward.shape) * 0.5)
        settings = returns.VTraceSettings(**asdict(limits))
        log_ratio = torch.from_numpy(np.log(ratio)).requires_grad_()
        ours = returns.v_trace(log_ratio, *_tensors(returns, s), settings)
        _assert_same(ours.value, reference.v_trace_values(s, ratio, limits))
        _assert_same(ours.advantage, reference.v_trace_advantages(s, ratio, limits))
        assert not ours.value.requires_grad
        assert not ours.advantage.requires_grad


def random_batch(seed: int, T: int = 4, B: int = 3) -> Batch:
    """Ratios within, below and above 1 ± 0.2, each with advantages of both signs."""
    random = np.random.default_rng(seed)
    M = T * B
    logits, action = random.normal(size=(M, 8)), random.integers(8, size=M)
    log_pi = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    shift = np.resize([0.05, 0.5, -0.5, -0.1, 0.7, -0.9], M)
    log_mu = log_pi[np.arange(M), action] - shift
    advantage = np.abs(random.normal(size=M)) * np.repeat([1.0, -1.0], M // 2)
    return Batch(logits, random.normal(size=M), action, log_mu, advantage, random.normal(size=M))


def check_agent_loss(losses: Any, objective: Any, seed: int = 0) -> None:
    """Values, metrics, and the gradients of logits and values against finite differences of the reference."""
    b, (T, B) = random_batch(seed), (4, 3)
    costs = Costs(objective, 0.2, 0.7, 0.3)
    config = replace(TrainConfig(), objective=objective, clip_range=0.2, value_cost=0.7, entropy_cost=0.3)
    logits = torch.from_numpy(b.logits.copy()).view(T, B, 8).requires_grad_()
    value = torch.from_numpy(b.value.copy()).view(T, B).requires_grad_()
    target = [torch.from_numpy(part).view(T, B) for part in (b.action, b.log_mu, b.advantage, b.target)]
    loss, metrics = losses.agent_loss(config, Categorical(logits), value, losses.Targets(*target))
    expected, means = reference.agent_loss(b, costs)
    assert {name: float(part) for name, part in metrics.items()} == _approx(means)
    assert float(loss.detach()) == _approx(expected)
    assert not any(part.requires_grad for part in metrics.values())
    assert loss.requires_grad
    loss.backward()
    for ours, array in ((logits, b.logits), (value, b.value)):
        slope = reference.finite_differences(lambda: reference.agent_loss(b, costs)[0], array)
        assert ours.grad is not None
        np.testing.assert_allclose(ours.grad.numpy().reshape(slope.shape), slope, rtol=1e-6, atol=1e-8)


def check_actor_critic(losses: Any) -> None:
    check_agent_loss(losses, "actor-critic")


def check_clipped(losses: Any) -> None:
    check_agent_loss(losses, "clipped")


def _approx(expected: Any) -> Any:
    return pytest.approx(expected, rel=1e-10, abs=1e-12)
