"""A whole agent: its network with the heads of its auxiliary losses, and its parameters as one flat vector."""

import torch
from torch import Tensor, nn

from agents.config import AgentConfig, TrainConfig
from agents.learning.rewarder import make_rewarder
from agents.networks.actor_critic import AgentNetwork
from auxiliary.loss import AuxiliaryLoss, HeadContext
from auxiliary.registry import loss_factory
from env.batch import WorldSpec


class AgentModel(nn.Module):
    """The network, its auxiliary heads, and what pays it.

    Attributes:
        network: encoder, core, policy and value.
        rewarder: what pays the agent beside the worlds, or instead of them; None where the worlds alone do.
        losses: auxiliary losses by name, in the order of the agent's row.
    """

    def __init__(self, agent: AgentConfig, spec: WorldSpec, config: TrainConfig) -> None:
        """Draws the parameters with torch's random numbers.

        Raises:
            InputError: an unknown auxiliary loss, core or encoder, or worlds that don't fit them.
        """
        super().__init__()
        factories = {name: loss_factory(name) for name in agent.losses}
        self.agent = agent
        self.spec = spec
        self.network = network = AgentNetwork(agent, spec, config.network)
        context = HeadContext(spec, network.encoder.features, network.core.width, config.depth_form, config.loop_closure_labels)
        self.rewarder = make_rewarder(agent, spec, config)
        self.losses = nn.ModuleDict({name: make(context) for name, make in factories.items()})

    @property
    def auxiliary(self) -> dict[str, AuxiliaryLoss]:
        return {name: loss for name, loss in self.losses.items() if isinstance(loss, AuxiliaryLoss)}

    @property
    def observe(self) -> frozenset[str]:
        """Names of the arrays that worlds must make for it to learn."""
        return self.network.perception.names.union(*(loss.observe for loss in self.auxiliary.values()))


class FlatParameters:
    """The parameters of a model as views of one vector, so that copying and updating them is one operation.

    The parameters of what only reads (the decoder, a discriminator) lie at the end: `agent_size` of the others come first.

    Attributes:
        values: [P], the parameters.
        gradients: [P], where `backward` adds theirs.
        agent_size: how many of them the agent itself consists of.
    """

    def __init__(self, model: AgentModel) -> None:
        readers = {f"losses.{name}." for name, loss in model.auxiliary.items() if loss.detached} | {"rewarder."}
        named = list(model.named_parameters())
        self.parts = sorted(named, key=lambda item: any(item[0].startswith(prefix) for prefix in readers))
        sizes = [part.numel() for _, part in self.parts]
        self.agent_size = sum(part.numel() for name, part in self.parts if not any(name.startswith(prefix) for prefix in readers))
        self.values = torch.cat([part.detach().flatten() for _, part in self.parts])
        self.gradients = torch.zeros_like(self.values)
        places = zip(self.parts, self.values.split(sizes), self.gradients.split(sizes), strict=True)
        for (_, part), values, gradients in places:
            part.data = values.view(part.shape)
            part.grad = gradients.view(part.shape)

    def named(self, flat: Tensor) -> dict[str, Tensor]:
        """Views of a vector [P] laid out as the parameters are, by the parameters' names."""
        sizes = [part.numel() for _, part in self.parts]
        pieces = flat.split(sizes)
        return {name: piece.view(part.shape) for (name, part), piece in zip(self.parts, pieces, strict=True)}
