"""What the policy and the value learn from: returns, advantages, and the two objectives that plug in."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from agents.config import TrainConfig


def generalised_advantages(
    reward: Tensor, value: Tensor, next_value: Tensor, ended: Tensor, discount: float, decay: float
) -> Tensor:
    """Advantages as in arXiv 1506.02438, equation 16, over sequences that may hold ends of episodes.

    With r, V and V' the reward, the value before and the value after a step: δ = r + γ V' − V, and A(t) = δ(t) + γ λ A(t+1),
    where the sum stops at the end of an episode. Episodes end on time only, so V' of their last step is the value of their last
    observation, never 0. λ = 1 gives n-step returns: A + V = r(t) + γ r(t+1) + … + γⁿ V'.

    Args:
        reward, value, next_value: [T, N] float.
        ended: [T, N] bool, the episode ended with this step.

    Returns:
        [T, N] float.
    """
    delta = reward + discount * next_value - value
    carried = (~ended).to(delta.dtype) * (discount * decay)
    advantage = torch.empty_like(delta)
    following = torch.zeros_like(delta[0])
    for t in reversed(range(len(delta))):
        torch.addcmul(delta[t], carried[t], following, out=advantage[t])
        following = advantage[t]
    return advantage


@dataclass
class Targets:
    """What the objective compares the network's output with, each [T, B].

    Attributes:
        action: int64, what was done.
        log_probability: float32, of the action by the policy that acted.
        advantage: float32.
        value: float32, the return that the value should predict.
    """

    action: Tensor
    log_probability: Tensor
    advantage: Tensor
    value: Tensor


Figures = dict[str, Tensor]
"""Means over the batch, detached, for TensorBoard."""


def objective(config: TrainConfig, logits: Tensor, value: Tensor, targets: Targets) -> tuple[Tensor, Figures]:
    """The loss of policy, value and entropy, mean over steps.

    `actor-critic`: −log π(a) A (arXiv 1602.01783, algorithm S3). `clipped`: −min(ρ A, clip(ρ, 1 − ε, 1 + ε) A) with ρ the
    ratio to the policy that acted (arXiv 1707.06347, equation 7). Both add value_cost · ½ (R − V)² − entropy_cost · H(π).

    Args:
        logits: [T, B, 8].
        value: [T, B].
    """
    log_policy = functional.log_softmax(logits, -1)
    log_probability = log_policy.gather(-1, targets.action.unsqueeze(-1)).squeeze(-1)
    entropy = -(log_policy.exp() * log_policy).sum(-1).mean()
    value_loss = 0.5 * (targets.value - value).square().mean()
    figures: Figures = {}
    if config.objective == "clipped":
        ratio = (log_probability - targets.log_probability).exp()
        clipped = ratio.clamp(1 - config.clip, 1 + config.clip)
        policy_loss = -torch.minimum(ratio * targets.advantage, clipped * targets.advantage).mean()
        with torch.no_grad():
            figures["clipped share"] = ((ratio - 1).abs() > config.clip).to(ratio.dtype).mean()
            figures["divergence from the acting policy"] = (ratio - 1 - ratio.log()).mean()
    else:
        policy_loss = -(log_probability * targets.advantage).mean()
    loss = policy_loss + config.value_cost * value_loss - config.entropy_cost * entropy
    figures |= {"policy loss": policy_loss.detach(), "value loss": value_loss.detach(), "entropy": entropy.detach()}
    return loss, figures
