"""The acting loop, which training, evaluation, analysis and play share: an agent in a batch of worlds, on their device."""

from typing import NamedTuple

import torch
from torch import Tensor

from agents.networks.actor_critic import AgentNetwork, Outputs
from agents.networks.cores import State, keep_state
from agents.networks.distributions import ActionDistribution, write_one_hot
from env.tensors import TensorWorlds
from maze_gen.errors import InputError


class Decision(NamedTuple):
    """What an agent decided at one step.

    Attributes:
        outputs: of the network, [N, ...].
        distribution: of the policy.
        action: [N] or [N, K] int64, sampled from it.
        state: the core's memory after the observation.
    """

    outputs: Outputs
    distribution: ActionDistribution
    action: Tensor
    state: State


class Acting:
    """What an agent perceives and remembers in N worlds, from one step to the next; tensors that stay where they are.

    Attributes:
        worlds: the worlds as tensors.
        present: the inputs of the present observation, [N, ...].
        starts: [N] bool, an episode begins with the present observation.
        parts: K, the parts of an action, and so the random numbers that an action takes.
    """

    def __init__(self, network: AgentNetwork, worlds: TensorWorlds, training: bool = False) -> None:
        """Binds an agent to worlds.

        Args:
            training: whether a privileged critic is shown what it reads; else its part of the value is 0.

        Raises:
            InputError: the worlds take other actions than the agent chooses, or don't make what it perceives.
        """
        self.network = network
        self._critic = network.critic if training else None
        if self._critic is not None:
            self._critic.check(worlds.privileged)
        self.worlds = worlds
        self.sizes = worlds.spec.action.sizes
        if self.sizes != network.policy.sizes:
            raise InputError(f"the agent chooses actions of sizes {network.policy.sizes}, these worlds take {self.sizes}")
        N, device = worlds.env.num_envs, worlds.device
        self.parts = len(self.sizes)
        self.present = network.perception.present(worlds.observation, N, device)
        self.starts = torch.ones(N, dtype=torch.bool, device=device)

    def observe(self) -> None:
        """Takes the present observation over from the worlds, where it isn't their own memory."""
        self.network.perception.observe(self.worlds.observation, self.present)
        if self._critic is not None:
            self._critic.observe(self.worlds.privileged, self.present.privileged)

    def forget(self, state: State) -> State:
        """Erases last reward and last action of the rows that start an episode, and returns the state with theirs erased."""
        self.present.reward.masked_fill_(self.starts, 0)
        self.present.action.masked_fill_(self.starts.unsqueeze(1), 0)
        return keep_state(state, self.starts)

    def decide(self, state: State, uniforms: Tensor) -> Decision:
        """Chooses actions for the present observation.

        Args:
            state: the core's memory before it.
            uniforms: [N, K] float32 in [0, 1).
        """
        outputs, after = self.network.step(self.present, state)
        distribution = self.network.distribution(outputs)
        return Decision(outputs, distribution, distribution.sample(uniforms), after)

    def remember(self, action: Tensor) -> None:
        """Takes over the worlds' reward and `action`, once they were stepped with it."""
        self.present.reward.copy_(self.worlds.reward)
        write_one_hot(action, self.sizes, self.present.action)
