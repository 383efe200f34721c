"""The agent's own loss: of the policy, by one of two objectives, of the value, and of the policy's entropy."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from agents.config import TrainConfig
from agents.networks.distributions import ActionDistribution

ENTROPY_GAIN = 5.0
"""κ, for a nat: how fast the entropy's weight grows where the entropy falls below its target."""
MOST_EXPONENT = 6.0
"""The weight changes by at most e to this, either way."""


@dataclass
class Targets:
    """What the outputs of the network are compared with, each [T, B].

    Attributes:
        action: [T, B] int64 ([T, B, K] for actions of K parts), the actions taken.
        log_probability: float32, of the action under the policy that acted, μ.
        advantage: float32.
        value: float32, the return that the value should predict.
    """

    action: Tensor
    log_probability: Tensor
    advantage: Tensor
    value: Tensor


Metrics = dict[str, Tensor]
"""Means over the batch, detached scalars, for TensorBoard."""

PolicyLoss = Callable[[Tensor, Targets, float], tuple[Tensor, Metrics]]
"""(log π(a) [T, B], targets, clip range) → the mean loss, a scalar, and metrics of its own."""


def actor_critic_loss(log_prob: Tensor, targets: Targets, clip_range: float) -> tuple[Tensor, Metrics]:
    """−log π(a) A, mean over steps (arXiv 1602.01783, algorithm S3); `clip_range` has no effect."""
    return -(log_prob * targets.advantage).mean(), {}


def clipped_surrogate_loss(log_prob: Tensor, targets: Targets, clip_range: float) -> tuple[Tensor, Metrics]:
    """−min(ρ A, clip(ρ, 1 − ε, 1 + ε) A) with ρ = π(a) / μ(a), mean over steps (arXiv 1707.06347, equation 7).

    Metrics: `clip_fraction`, how often |ρ − 1| > ε; `approx_kl`, the mean of ρ − 1 − log ρ, an estimate of KL(μ ‖ π) that is
    never negative.
    """
    ratio = (log_prob - targets.log_probability).exp()
    clipped = ratio.clamp(1 - clip_range, 1 + clip_range)
    loss = -torch.minimum(ratio * targets.advantage, clipped * targets.advantage).mean()
    with torch.no_grad():
        clip_fraction = ((ratio - 1).abs() > clip_range).to(ratio.dtype).mean()
        approx_kl = (ratio - 1 - ratio.log()).mean()
    return loss, {"clip_fraction": clip_fraction, "approx_kl": approx_kl}


OBJECTIVES: Mapping[str, PolicyLoss] = MappingProxyType({"actor-critic": actor_critic_loss, "clipped": clipped_surrogate_loss})
"""Losses of the policy by name. A new objective is a function and a row here."""


def value_loss(value: Tensor, target: Tensor) -> Tensor:
    """½ (R − V)², mean over steps; value and target are [T, B]."""
    return 0.5 * (target - value).square().mean()


def entropy_weight(config: TrainConfig, entropy: Tensor) -> Tensor:
    """What the entropy is multiplied by in the loss: entropy_cost · exp(κ (target − H)), with κ = `ENTROPY_GAIN`; a constant.

    It is a function of the present entropy alone, so that nothing of it has to be kept, shared or saved. Minimising with this
    weight minimises entropy_cost / κ · exp(κ (target − H)): a policy that loses a nat below the target is held e^κ times as hard.

    Args:
        entropy: H, the mean over the batch, a scalar.
    """
    away = (ENTROPY_GAIN * (config.entropy_target - entropy.detach())).clamp(-MOST_EXPONENT, MOST_EXPONENT)
    return config.entropy_cost * away.exp()


def agent_loss(config: TrainConfig, distribution: ActionDistribution, value: Tensor, targets: Targets) -> tuple[Tensor, Metrics]:
    """The loss of policy, value and entropy, mean over steps: policy loss + value_cost · ½ (R − V)² − weight · H(π).

    Args:
        distribution: the policy π, of [T, B] steps.
        value: [T, B].

    Returns:
        A scalar; and the metrics `policy_loss`, `value_loss`, `entropy`, those of the objective, and with a target of the entropy
        its weight, `entropy_weight`.
    """
    log_prob = distribution.log_prob(targets.action)
    entropy = distribution.entropy(targets.action).mean()
    value_error = value_loss(value, targets.value)
    policy, metrics = OBJECTIVES[config.objective](log_prob, targets, config.clip_range)
    weight = entropy_weight(config, entropy) if config.entropy_target else config.entropy_cost
    loss = policy + config.value_cost * value_error - weight * entropy
    means = {"policy_loss": policy.detach(), "value_loss": value_error.detach(), "entropy": entropy.detach()}
    if isinstance(weight, Tensor):
        means["entropy_weight"] = weight
    return loss, metrics | means
