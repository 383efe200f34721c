"""The agent's network: an encoder, a core with or without memory, and the heads of policy and value (paper, section 2)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from agents.config import AgentConfig, NetworkSettings
from agents.networks.cores import CoreInput, State, core_factory
from agents.networks.critic import PrivilegedCritic
from agents.networks.distributions import ActionDistribution, PolicyHead
from agents.networks.encoders import make_encoder
from agents.networks.inputs import Inputs, Perception
from agents.networks.policy_heads import make_policy_head
from agents.networks.slow_units import slow_down
from agents.precision import whole_precision
from env.batch import WorldSpec
from maze_gen.errors import InputError

BUILT = NetworkSettings()
"""The settings of a network where none are given."""


@dataclass
class Outputs:
    """What the network computes; leading axes as in `Inputs`.

    Attributes:
        policy: [..., P] float32, the parameters of the policy's distribution; its logits where the parts are independent.
        value: [...] float32.
        encoder: [..., F] float32, the encoder's features.
        core: [..., width] float32, what the heads read.
        known: [T, B, K] float32, what a slot of the core could have noted at each step of a sequence (`Core.unroll_known`).
        keys: [..., cells, d] float32, of the encoder, which parts of an action point at.
    """

    policy: Tensor
    value: Tensor
    encoder: Tensor
    core: Tensor
    known: Tensor | None = None
    keys: Tensor | None = None


class AgentNetwork(nn.Module):
    """An agent without its auxiliary heads.

    Args:
        agent: which core, and what is perceived.
        spec: of the worlds.
        settings: how it is built, the encoder among them.

    Raises:
        InputError: an unknown core or encoder, or worlds that don't fit them.
    """

    def __init__(self, agent: AgentConfig, spec: WorldSpec, settings: NetworkSettings = BUILT) -> None:
        super().__init__()
        core = core_factory(agent.core)
        self.critic = PrivilegedCritic(spec, settings.critic_sees) if settings.critic_sees else None
        self.perception = Perception(agent, spec, self.critic.inputs if self.critic else 0)
        self.encoder = make_encoder(settings.encoder, self.perception)
        self.core = core(CoreInput(self.encoder.features, self.perception))
        if not self.core.width:
            wants = "expected an encoder with features, or a core that perceives by itself"
            raise InputError(f"encoder {settings.encoder!r} with core {agent.core!r}: nothing is left to act on; {wants}")
        self.perception.tracked_width = self.core.tracked
        own = self.core.policy_head(spec.action)
        self.policy: PolicyHead = own or make_policy_head(spec.action, self.core.width, self.encoder.key_width)
        self.value = nn.Linear(self.core.width, 1)
        # Drawn last, so that a seed gives the same parameters as ever.
        self.policy.initialise()
        if settings.slow_units:
            slow_down(self.core, settings.slow_units, settings.slow_steps)

    def initial_state(self, batch: int) -> State:
        """The state at an episode's start: zeros."""
        return self.core.initial_state(batch)

    def step(self, inputs: Inputs, state: State) -> tuple[Outputs, State]:
        """One step of N rows; inputs [N, ...], state [N, ...]."""
        features, keys = self.encoder.encode(inputs.image)
        core, state = self.core.step(features, inputs, state)
        outputs = self._outputs(features, core, inputs)
        outputs.keys = keys
        return outputs, state

    def unroll(self, inputs: Inputs, state: State, starts: Tensor) -> Outputs:
        """A sequence: inputs [T, B, ...], state [B, ...] before its first step, starts [T, B] bool."""
        T, B = starts.shape
        features, keys = self.encoder.encode(inputs.image.flatten(0, 1))
        features = features.view(T, B, self.encoder.features)
        core, known = self.core.unroll_known(features, inputs, state, starts)
        outputs = self._outputs(features, core, inputs)
        outputs.known = known
        outputs.keys = None if keys is None else keys.unflatten(0, (T, B))
        return outputs

    def recall(self, outputs: Outputs, ago: Tensor) -> tuple[Tensor, Tensor]:
        """Core features of steps of a sequence, had the slot been written at others.

        Args:
            outputs: of `unroll`.
            ago: [T, B] int64. k > 0: step t, with the slot written at t − k; k < 0: step t − |k|, with it written at t; 0: none.

        Returns:
            [T, B, width], and [T, B] bool: whether both steps are in the sequence.
        """
        steps = torch.arange(len(ago), device=ago.device).unsqueeze(1)
        there = (ago != 0) & (ago.abs() <= steps)
        known = outputs.core if outputs.known is None else outputs.known
        named = known.gather(0, (steps - ago.abs()).clamp(min=0).unsqueeze(-1).expand_as(known))
        back = (ago > 0).unsqueeze(-1)
        return self.core.recall(torch.where(back, known, named), torch.where(back, named, known)), there

    def distribution(self, outputs: Outputs) -> ActionDistribution:
        """The policy that `outputs` parametrise."""
        return self.policy.distribution(outputs.policy, outputs.keys)

    def layers(self, outputs: Outputs, state: State) -> dict[str, Tensor]:
        """Activations after a step, name → [N, width], from the encoder to what the policy reads."""
        return {"encoder": outputs.encoder, **self.core.layers(outputs.core, state)}

    @property
    def layer_widths(self) -> dict[str, int]:
        """Widths of `layers`, by name."""
        return {"encoder": self.encoder.features, **self.core.layer_widths}

    def _outputs(self, features: Tensor, core: Tensor, inputs: Inputs) -> Outputs:
        with whole_precision(core.device):
            whole = core.to(self.value.weight.dtype)
            # In this order: the backward adds gradients in the reverse of it, and their last bits depend on that.
            policy, value = self.policy(whole), self.value(whole).squeeze(-1)
            if self.critic is not None:
                value = value + self.critic(inputs.privileged)
            return Outputs(policy, value, features, core)
