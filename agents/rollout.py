"""Rollouts: everything that the losses need to know about so many steps of a batch of worlds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from agents.networks.actor_critic import AgentNetwork
from agents.networks.cores import State
from agents.networks.inputs import Inputs
from auxiliary.loss import Recorder


@dataclass
class Rollout:
    """T steps of N worlds, allocated once and overwritten by the next rollout.

    Attributes:
        inputs: what the agent perceived, [T, N, ...].
        starts: [T, N] bool, an episode begins with this observation.
        state: [N, ...], what the core remembered before the first step; rows of `starts[0]` hold zeros.
        action: [T, N] int64, or [T, N, K] for actions of K parts.
        log_prob: [T, N] float32, of the action.
        value: [T, N] float32, of the observation.
        next_value: [T, N] float32, of the observation after the step, in the same episode.
        reward: [T, N] float32, of the step.
        terminated: [T, N] bool, the episode ended with the step, and nothing follows.
        ended: [T, N] bool, the episode ended with the step, terminated or truncated.
        targets: [T, N, ...] by auxiliary loss.
        recorded: [T, N, ...] by name, privileged arrays as they were after each step, which what pays the agent reads.
    """

    inputs: Inputs
    starts: Tensor
    state: State
    action: Tensor
    log_prob: Tensor
    value: Tensor
    next_value: Tensor
    reward: Tensor
    terminated: Tensor
    ended: Tensor
    targets: dict[str, Tensor]
    recorded: dict[str, Tensor] = field(default_factory=dict)


def allocate(
    T: int, network: AgentNetwork, state: State, recorders: Mapping[str, Recorder], device: torch.device | str, num_envs: int
) -> Rollout:
    """A rollout of T steps of `num_envs` worlds, of zeros; its state is a copy of `state`."""
    N = num_envs
    flat = lambda dtype=torch.float32: torch.zeros(T, N, dtype=dtype, device=device)  # noqa: E731
    parts = len(network.policy.sizes)
    return Rollout(
        inputs=network.perception.allocate((T, N), device),
        starts=flat(torch.bool),
        state=tuple(part.clone() for part in state),
        action=torch.zeros(T, N, *([parts] if parts > 1 else []), dtype=torch.int64, device=device),
        log_prob=flat(),
        value=flat(),
        next_value=flat(),
        reward=flat(),
        terminated=flat(torch.bool),
        ended=flat(torch.bool),
        targets={name: torch.zeros(T, N, *part.shape, dtype=part.dtype, device=device) for name, part in recorders.items()},
    )
