"""What stands between a rollout and its returns: a model that pays the agent, and that is trained beside it."""

from typing import Protocol

import torch
from torch import Tensor

from agents.config import AgentConfig, TrainConfig
from agents.learning.discriminator import DiscriminatorReward
from agents.learning.novelty import NoveltyReward
from agents.rollout import Rollout
from auxiliary.loss import Recorder
from env.batch import WorldSpec
from maze_gen.errors import InputError


class Rewarder(Protocol):
    """Pays an agent; a torch module.

    Attributes:
        recorded: names of the privileged arrays that rollouts hold for it, as they are after each step.
        draws: random numbers that its loss takes for each world.
    """

    recorded: tuple[str, ...]
    draws: int

    def recorders(self, num_envs: int, device: torch.device | str) -> dict[str, Recorder]:
        """What writes further targets of its own into rollouts, by their names."""
        ...

    def rewards(self, rollout: Rollout) -> Tensor:
        """[T, N] float32, instead of the worlds' own rewards."""
        ...

    def loss(self, rollout: Rollout, rows: Tensor, uniforms: Tensor | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """Its own loss on the worlds `rows` [B] of a rollout, a scalar, and metrics, which are means.

        Args:
            uniforms: [N, draws] float32 in [0, 1), of all worlds of the rollout; None where it draws none.
        """
        ...


def make_rewarder(agent: AgentConfig, spec: WorldSpec, config: TrainConfig) -> Rewarder | None:
    """What pays an agent; None where the worlds do.

    Raises:
        InputError: the worlds don't make what it reads.
    """
    if not agent.reward:
        return NoveltyReward(spec, config.novelty_bonus) if config.novelty_bonus else None
    if config.novelty_bonus:
        raise InputError(f"novelty bonus {config.novelty_bonus:g}: this agent is paid by a discriminator; expected 0")
    return DiscriminatorReward(spec, agent.reward, config)
