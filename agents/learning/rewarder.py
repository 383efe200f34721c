"""What stands between a rollout and its returns: a model that pays the agent, and that is trained beside it."""

from typing import Protocol

from torch import Tensor

from agents.config import AgentConfig, TrainConfig
from agents.learning.discriminator import DiscriminatorReward
from agents.rollout import Rollout
from env.batch import WorldSpec


class Rewarder(Protocol):
    """Pays an agent; a torch module.

    Attributes:
        recorded: names of the privileged arrays that rollouts hold for it, as they are after each step.
    """

    recorded: tuple[str, ...]

    def rewards(self, rollout: Rollout) -> Tensor:
        """[T, N] float32, instead of the worlds' own rewards."""
        ...

    def loss(self, rollout: Rollout, rows: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Its own loss on the worlds `rows` [B] of a rollout, a scalar, and metrics, which are means."""
        ...


def make_rewarder(agent: AgentConfig, spec: WorldSpec, config: TrainConfig) -> Rewarder | None:
    """What pays an agent; None where the worlds do.

    Raises:
        InputError: the worlds don't make what it reads.
    """
    if not agent.reward:
        return None
    return DiscriminatorReward(spec, agent.reward, config.credit, config.regulariser)
