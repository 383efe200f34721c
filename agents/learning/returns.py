"""Returns and advantages over sequences that may hold ends of episodes.

Shapes and names everywhere, with T steps of N rows:

- reward r, value V, next_value V': [T, N] float, the reward of a step, the value of the observation before it, and that of the
  observation after it *in the same episode* (of a final observation, not of the next episode's first one).
- discount γ: [T, N] float, of what follows a step: 0 where the episode terminated with it, so that V' has no influence there.
- ended: [T, N] bool, the episode ended with the step, terminated or truncated: what follows belongs to another episode.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


def step_discounts(discount: float, terminated: Tensor) -> Tensor:
    """The discount of each step: `discount`, and 0 where `terminated` [T, N] bool.

    Returns:
        [T, N] float64, so that products of discounts with other factors are rounded once.
    """
    return (~terminated).double() * discount


def generalised_advantages(
    reward: Tensor, value: Tensor, next_value: Tensor, discount: Tensor, ended: Tensor, gae_lambda: float
) -> Tensor:
    """Generalised advantage estimates (arXiv 1506.02438, equation 16).

    δ = r + γ V' − V, and A(t) = δ(t) + γ λ A(t+1), where the sum stops at the end of an episode. With λ = 1, A + V is
    `n_step_returns`.

    Args:
        reward, value, next_value, discount, ended: as above.
        gae_lambda: λ in [0, 1].

    Returns:
        [T, N], of the reward's dtype.
    """
    delta = reward + discount.to(reward.dtype) * next_value - value
    carried = (~ended).to(delta.dtype) * (discount * gae_lambda).to(delta.dtype)
    return _accumulate(delta, carried)


def n_step_returns(reward: Tensor, next_value: Tensor, discount: Tensor, ended: Tensor, steps: int | None = None) -> Tensor:
    """Returns of at most `steps` rewards, then the value (arXiv 1602.01783, algorithm S3).

    R(t) = r(t) + γ r(t+1) + … + γ^n V', with n = `steps`, or fewer where the episode or the sequence ends before.

    Args:
        reward, next_value, discount, ended: as above.
        steps: at least 1; as many as there are by default.

    Returns:
        [T, N], of the reward's dtype.
    """
    factor = discount.to(reward.dtype)
    returns = reward + factor * next_value
    for _ in range(min(steps or len(reward), len(reward)) - 1):
        following = torch.cat((returns[1:], next_value[-1:]))
        returns = reward + factor * torch.where(ended, next_value, following)
    return returns


@dataclass(frozen=True)
class VTraceSettings:
    """How V-trace truncates importance weights (arXiv 1802.01561, section 4.1).

    Attributes:
        rho_clip: ρ̄, the upper limit of the weights of temporal differences; it sets the policy whose value is estimated.
        trace_clip: c̄, the upper limit of the weights that carry differences back in time; it sets the speed of convergence.
        policy_rho_clip: the upper limit of the weights of the policy gradient.
        trace_decay: λ, a factor of the trace weights (remark 2).
    """

    rho_clip: float = 1.0
    trace_clip: float = 1.0
    policy_rho_clip: float = 1.0
    trace_decay: float = 1.0


@dataclass
class VTrace:
    """Targets by V-trace, both [T, N].

    Attributes:
        value: v, what the value should predict.
        advantage: ρ (r + γ v' − V), the weight of the policy gradient (section 4.2).
    """

    value: Tensor
    advantage: Tensor


def v_trace(
    log_ratio: Tensor,
    reward: Tensor,
    value: Tensor,
    next_value: Tensor,
    discount: Tensor,
    ended: Tensor,
    settings: VTraceSettings = VTraceSettings(),
) -> VTrace:
    """Off-policy corrected value targets and advantages (arXiv 1802.01561, equation 1 and section 4.2).

    v(s) = V(s) + Σ_t γ^(t−s) (Π_(s ≤ i < t) c(i)) δ(t), with δ = ρ (r + γ V' − V), ρ = min(ρ̄, π/μ) and c = λ min(c̄, π/μ); the
    sum stops at the end of an episode and of the sequence. With π = μ, unclipped and λ = 1, v is `n_step_returns`. Whatever is
    passed is treated as constant.

    Args:
        log_ratio: [T, N], log π(a) − log μ(a), of the policy that learns and the policy that acted.
        reward, value, next_value, discount, ended: as above.
        settings: the limits of the weights.
    """
    with torch.no_grad():
        ratio = log_ratio.exp()
        factor = discount.to(reward.dtype)
        delta = ratio.clamp(max=settings.rho_clip) * (reward + factor * next_value - value)
        trace = settings.trace_decay * ratio.clamp(max=settings.trace_clip)
        target = value + _accumulate(delta, (~ended).to(delta.dtype) * factor * trace)
        next_target = torch.where(ended, next_value, torch.cat((target[1:], next_value[-1:])))
        advantage = ratio.clamp(max=settings.policy_rho_clip) * (reward + factor * next_target - value)
    return VTrace(target, advantage)


def _accumulate(delta: Tensor, carried: Tensor) -> Tensor:
    """[T, N], A(t) = delta(t) + carried(t) A(t+1), with A(T) = 0."""
    total = torch.empty_like(delta)
    following = torch.zeros_like(delta[0])
    for t in reversed(range(len(delta))):
        torch.addcmul(delta[t], carried[t], following, out=total[t])
        following = total[t]
    return total
