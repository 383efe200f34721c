"""What a worker learns from a chunk: minibatches of whole sequences, each a gradient of the agent's and its auxiliary losses."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from agents.config import TrainConfig
from agents.cuda_graphs import Capture
from agents.learning.losses import Targets, agent_loss
from agents.learning.parameter_store import Store
from agents.learning.returns import generalised_advantages, step_discounts
from agents.model import AgentModel, FlatParameters
from agents.networks.distributions import Categorical
from agents.precision import products_in, resolve
from agents.rng import RandomStream
from agents.rollout import Rollout
from auxiliary.loss import AuxiliaryLoss, Memory


@dataclass
class Figures:
    """What was learned from, added up so that reports of several chunks can be added too.

    Attributes:
        gradients: how many.
        means: by name, the sum over gradients of figures that are means over a batch.
        sums: by auxiliary loss, by name, sums that the loss makes its metrics of.
    """

    gradients: int = 0
    means: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    sums: dict[str, dict[str, float]] = field(default_factory=dict)

    def add(self, other: "Figures") -> None:
        self.gradients += other.gradients
        for name, value in other.means.items():
            self.means[name] = self.means.get(name, 0.0) + value
        for loss, parts in other.sums.items():
            mine = self.sums.setdefault(loss, {})
            for name, value in parts.items():
                mine[name] = mine.get(name, 0.0) + value


@dataclass
class Told:
    """What the gradients of a chunk tell, still where they were computed: on a GPU, perhaps not computed yet.

    Attributes:
        names: (auxiliary loss, or nothing for a mean over the batch; figure), of each number.
        gradients: a vector [len(names)] float64 for each gradient.
    """

    names: list[tuple[str, str]] = field(default_factory=list)
    gradients: list[Tensor] = field(default_factory=list)

    def figures(self) -> Figures:
        """All of it added up; waits for the device."""
        figures = Figures(len(self.gradients))
        for values in self.gradients:
            for (loss, name), value in zip(self.names, values.tolist(), strict=True):
                if loss:
                    sums = figures.sums.setdefault(loss, defaultdict(float))
                    sums[name] += value
                else:
                    figures.means[name] += value
        return figures


class Learner:
    """Turns chunks into gradients and pushes them.

    With `capture`, a gradient is the same work every time, on tensors that stay where they are, and is made by what `capture`
    makes of it. So whatever changes while the agent trains must come to the loss as a tensor, not as a number of Python.
    """

    def __init__(
        self,
        model: AgentModel,
        flat: FlatParameters,
        store: Store,
        config: TrainConfig,
        draws: RandomStream,
        capture: Capture | None = None,
    ) -> None:
        self.model = model
        self.flat = flat
        self.store = store
        self.config = config
        self.draws = draws
        self.capture = capture
        device = flat.values.device
        self.products = resolve(config.precision, device)
        made = {name: loss.memory(config.envs, device, capture is not None) for name, loss in model.auxiliary.items()}
        self.memories: dict[str, Memory] = {name: memory for name, memory in made.items() if memory is not None}
        self.uniforms = {name: torch.zeros(memory.draws, device=device) for name, memory in self.memories.items()}
        self.names: list[tuple[str, str]] = []
        self._targets: Targets | None = None
        self._captured: dict[int, tuple[Tensor, Callable[[], Tensor]]] = {}

    def learn(self, rollout: Rollout, stopping: Callable[[], bool] = lambda: False) -> Told:
        """Learns from a chunk; ends early, between two gradients, where `stopping` says so. On a GPU it waits for nothing.

        Args:
            rollout: with `capture`, always the same one, with other contents.
        """
        targets = self._make_targets(rollout)
        for memory in self.memories.values():
            memory.add(rollout.inputs.images, rollout.reward, rollout.starts)
        told = Told()
        for first, rows in self._minibatches():
            if stopping():
                break
            if not first:
                # The first gradient belongs to the parameters that acted; later ones start from what all workers have made.
                self.store.pull(self.flat.values)
            for uniforms in self.uniforms.values():
                self.draws.uniforms(uniforms)
            figures = self._gradient_of(rollout, targets, rows)
            length = self.store.push(self.flat.gradients)
            told.names = [*self.names, ("", "grad_norm")]
            told.gradients.append(torch.cat((figures, length.double().view(1))))
        return told

    def _make_targets(self, rollout: Rollout) -> Targets:
        config = self.config
        advantage = generalised_advantages(
            rollout.reward,
            rollout.value,
            rollout.next_value,
            # Episodes end on time only.
            step_discounts(config.discount, torch.zeros_like(rollout.ended)),
            rollout.ended,
            config.advantage_decay,
        )
        value = advantage + rollout.value
        if self.capture is None or self._targets is None:
            self._targets = Targets(rollout.action, rollout.log_probability, advantage, value)
        else:
            self._targets.advantage.copy_(advantage)
            self._targets.value.copy_(value)
        return self._targets

    def _minibatches(self) -> Iterator[tuple[bool, Tensor]]:
        """(whether it is the chunk's first, rows [B] of its worlds)."""
        config = self.config
        for epoch in range(config.epochs):
            order = self.draws.order(config.envs)
            for index, rows in enumerate(order.tensor_split(min(config.minibatches, config.envs))):
                yield epoch == index == 0, rows

    def _gradient_of(self, rollout: Rollout, targets: Targets, rows: Tensor) -> Tensor:
        if self.capture is None:
            return self._gradient(rollout, targets, rows)
        if len(rows) not in self._captured:
            place = rows.clone()
            self._captured[len(rows)] = place, self.capture(lambda: self._gradient(rollout, targets, place))
        place, gradient = self._captured[len(rows)]
        place.copy_(rows)
        return gradient()

    def _gradient(self, rollout: Rollout, targets: Targets, rows: Tensor) -> Tensor:
        """Writes the gradient of the worlds `rows`; returns its figures [F] float64, named by `names`."""
        self.flat.gradients.zero_()
        with products_in(self.products, self.flat.values.device):
            loss, told = self._loss(rollout, targets, rows)
        loss.backward()
        self.names = list(told)
        return torch.stack([value.detach().double() for value in told.values()])

    def _loss(self, rollout: Rollout, targets: Targets, rows: Tensor) -> tuple[Tensor, dict[tuple[str, str], Tensor]]:
        """The whole loss of the worlds `rows`, and figures about it, by name as in `Told`."""
        config = self.config
        outputs = self.model.network.unroll(
            rollout.inputs.rows(rows), tuple(part[rows] for part in rollout.state), rollout.starts[:, rows]
        )
        chosen = Targets(
            targets.action[:, rows],
            targets.log_probability[:, rows],
            targets.advantage[:, rows],
            targets.value[:, rows],
        )
        total, means = agent_loss(config, Categorical(outputs.logits), outputs.value, chosen)
        told: dict[tuple[str, str], Tensor] = {}
        for name, auxiliary in self.model.auxiliary.items():
            batch = self._auxiliary_batch(name, auxiliary, rollout, outputs.encoder, outputs.core, rows)
            if batch is None:
                continue
            loss, sums = auxiliary.loss(*batch)
            total = total + config.weight(name) * loss
            means[f"{name} loss"] = loss
            told |= {(name, key): value for key, value in sums.items()}
        told |= {("", key): value for key, value in means.items()}
        # A3C sums over the steps of its one environment.
        return total * config.chunk if config.sum_over_time else total, told

    def _auxiliary_batch(
        self, name: str, loss: AuxiliaryLoss, rollout: Rollout, encoder: Tensor, core: Tensor, rows: Tensor
    ) -> tuple[Tensor, Tensor] | None:
        """Features [M, F] and target [M, ...] of an auxiliary loss; None where its memory has nothing to offer."""
        if loss.reads == "memory":
            drawn = self.memories[name].draw(self.uniforms[name])
            return None if drawn is None else (self.model.network.encoder(drawn[0]), drawn[1])
        features = encoder if loss.reads == "encoder" else core
        return features.flatten(0, 1), rollout.targets[name][:, rows].flatten(0, 1)
