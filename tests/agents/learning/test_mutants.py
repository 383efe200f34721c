"""Errors that somebody might make in returns and losses: the comparison with the reference notices each."""

import pytest

from agents.learning import losses, returns
from tests.agents.learning import checks
from tests.mutants import Mutant, assert_caught, by_name

LOSSES = [
    Mutant(name, losses, old, new, check)
    for check, rows in (
        (
            checks.check_actor_critic,
            (
                (
                    "actor-critic: the policy loss has the opposite sign",
                    "return -(log_prob * targets",
                    "return (log_prob * targets",
                ),
                ("the value loss lacks its half", "return 0.5 * ", "return "),
                ("the value loss is a sum", "square().mean()", "square().sum()"),
                ("the value loss is an absolute error", "square().mean()", "abs().mean()"),
                ("the value's cost is missing", "config.value_cost * value_error", "value_error"),
                ("the value gets no gradient", "value_loss(value, targets.value)", "value_loss(value.detach(), targets.value)"),
                ("the entropy is punished", "- weight * entropy", "+ weight * entropy"),
                ("the entropy gets no gradient", ".entropy(targets.action).mean()", ".entropy(targets.action).mean().detach()"),
                (
                    "advantages and returns are confused",
                    "value_loss(value, targets.value)",
                    "value_loss(value, targets.advantage)",
                ),
                ("the objectives are confused", '"actor-critic": actor_critic_loss', '"actor-critic": clipped_surrogate_loss'),
            ),
        ),
        (
            checks.check_clipped,
            (
                ("clipped: the policy loss has the opposite sign", "loss = -torch.minimum", "loss = torch.minimum"),
                ("maximum for minimum", "torch.minimum", "torch.maximum"),
                ("the ratio is inverted", "log_prob - targets.log_probability", "targets.log_probability - log_prob"),
                ("the ratio stays a logarithm", "targets.log_probability).exp()", "targets.log_probability)"),
                ("the ratio gets no gradient", "targets.log_probability).exp()", "targets.log_probability).exp().detach()"),
                ("clipped from above only", "ratio.clamp(1 - clip_range, 1 + clip_range)", "ratio.clamp(max=1 + clip_range)"),
                ("clipped from below only", "ratio.clamp(1 - clip_range, 1 + clip_range)", "ratio.clamp(min=1 - clip_range)"),
                ("clipped around 0", "ratio.clamp(1 - clip_range, 1 + clip_range)", "ratio.clamp(-clip_range, clip_range)"),
                ("the clipped ratio always counts", "minimum(ratio * targets", "minimum(clipped * targets"),
                ("the fraction counts one side", "(ratio - 1).abs() > clip", "(ratio - 1) > clip"),
                ("the divergence has the opposite sign", "(ratio - 1 - ratio.log())", "(1 + ratio.log() - ratio)"),
                ("the divergence is −log ρ", "(ratio - 1 - ratio.log())", "(-ratio.log())"),
            ),
        ),
    )
    for name, old, new in rows
]

RETURNS = [
    Mutant(name, returns, old, new, check)
    for check, rows in (
        (
            checks.check_advantages,
            (
                ("no discount of the bootstrap", "reward + discount.to(reward.dtype) * next_value", "reward + next_value"),
                ("advantages go on over episode ends", "(~ended).to(delta.dtype) * (discount", "1.0 * (discount"),
                ("λ counts twice", "(discount * gae_lambda)", "(discount * gae_lambda**2)"),
                ("λ is missing", "(discount * gae_lambda)", "discount"),
                ("advantages aren't discounted", "(discount * gae_lambda)", "torch.full_like(discount, gae_lambda)"),
                ("V is added", "next_value - value\n    carried", "next_value + value\n    carried"),
                (
                    "a termination is a truncation",
                    "(~terminated).double() * discount",
                    "torch.full_like(terminated, discount).double()",
                ),
                ("all but terminations are terminations", "(~terminated).double()", "terminated.double()"),
                ("sums go forwards", "reversed(range(len(delta)))", "range(len(delta))"),
                ("sums take the step before's factor", "carried[t], following", "carried[t - 1], following"),
            ),
        ),
        (
            checks.check_n_step_returns,
            (
                ("returns go on over episode ends", "factor * torch.where(ended, next_value, following)", "factor * following"),
                ("returns take one reward more", "len(reward)) - 1):", "len(reward))):"),
                (
                    "the last step's value is missing",
                    "torch.cat((returns[1:], next_value[-1:]))\n        r",
                    "returns.roll(-1, 0)\n        r",
                ),
            ),
        ),
        (
            checks.check_v_trace,
            (
                ("temporal differences aren't weighted", "delta = ratio.clamp(max=settings.rho_clip) * ", "delta = "),
                ("weights are limited from below", "delta = ratio.clamp(max", "delta = ratio.clamp(min"),
                ("ρ̄ limits the traces", "ratio.clamp(max=settings.trace_clip)", "ratio.clamp(max=settings.rho_clip)"),
                ("ρ̄ limits the policy's weights", "clamp(max=settings.policy_rho_clip)", "clamp(max=settings.rho_clip)"),
                ("λ of the traces is missing", "settings.trace_decay * ratio", "ratio"),
                ("traces go on over episode ends", "(~ended).to(delta.dtype) * factor * trace", "factor * trace"),
                ("traces aren't discounted", "(~ended).to(delta.dtype) * factor * trace", "(~ended).to(delta.dtype) * trace"),
                ("the policy's advantage is a temporal difference", "factor * next_target", "factor * next_value"),
                ("the policy's advantage reads the next episode", "torch.where(ended, next_value, torch.cat", "(torch.cat"),
                ("the policy's weights have no limit", "ratio.clamp(max=settings.policy_rho_clip)", "ratio"),
            ),
        ),
    )
    for name, old, new in rows
]

MUTANTS = by_name(LOSSES + RETURNS)


@pytest.mark.parametrize("name", MUTANTS)
def test_an_error_is_noticed(name, tmp_path):
    assert_caught(MUTANTS[name], tmp_path)
