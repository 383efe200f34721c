"""What a worker learns from a chunk: minibatches of whole sequences, each a gradient of the agent's and its auxiliary losses."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from agents.config import TrainConfig
from agents.model import AgentModel, FlatParameters
from agents.objectives import Targets, generalised_advantages, objective
from agents.rollout import Rollout
from agents.store import Store
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


class Learner:
    """Turns chunks into gradients and pushes them."""

    def __init__(
        self, model: AgentModel, flat: FlatParameters, store: Store, config: TrainConfig, random: np.random.Generator
    ) -> None:
        self.model = model
        self.flat = flat
        self.store = store
        self.config = config
        self.random = random
        made = {name: loss.memory(config.envs) for name, loss in model.auxiliary.items()}
        self.memories: dict[str, Memory] = {name: memory for name, memory in made.items() if memory is not None}

    def learn(self, rollout: Rollout, stopping: Callable[[], bool] = lambda: False) -> Figures:
        """Learns from a chunk; ends early, between two gradients, where `stopping` says so."""
        config = self.config
        advantage = generalised_advantages(
            rollout.reward,
            rollout.value,
            rollout.next_value,
            rollout.ended,
            config.discount,
            config.advantage_decay,
        )
        targets = Targets(rollout.action, rollout.log_probability, advantage, advantage + rollout.value)
        for memory in self.memories.values():
            memory.add(rollout.inputs.images, rollout.reward, rollout.starts)
        figures = Figures()
        for first, rows in self._minibatches():
            if stopping():
                break
            if not first:
                # The first gradient belongs to the parameters that acted; later ones start from what all workers have made.
                self.store.pull(self.flat.values)
            self.flat.gradients.zero_()
            loss = self._loss(rollout, targets, rows, figures)
            loss.backward()
            figures.gradients += 1
            figures.means["gradient length"] += self.store.push(self.flat.gradients)
        return figures

    def _minibatches(self) -> Iterator[tuple[bool, Tensor]]:
        """(whether it is the chunk's first, rows [B] of its worlds)."""
        config = self.config
        for epoch in range(config.epochs):
            order = torch.from_numpy(self.random.permutation(config.envs))
            for index, rows in enumerate(order.tensor_split(config.minibatches)):
                yield epoch == index == 0, rows

    def _loss(self, rollout: Rollout, targets: Targets, rows: Tensor, figures: Figures) -> Tensor:
        """The whole loss of the worlds `rows`, and adds its parts to `figures`."""
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
        total, means = objective(config, outputs.logits, outputs.value, chosen)
        for name, auxiliary in self.model.auxiliary.items():
            batch = self._auxiliary_batch(name, auxiliary, rollout, outputs.encoder, outputs.core, rows)
            if batch is None:
                continue
            loss, sums = auxiliary.loss(*batch)
            total = total + config.weight(name) * loss
            means[f"{name} loss"] = loss.detach()
            mine = figures.sums.setdefault(name, defaultdict(float))
            for key, value in sums.items():
                mine[key] += float(value)
        for key, value in means.items():
            figures.means[key] += float(value)
        # A3C sums over the steps of its one environment.
        return total * config.chunk if config.sum_over_time else total

    def _auxiliary_batch(
        self, name: str, loss: AuxiliaryLoss, rollout: Rollout, encoder: Tensor, core: Tensor, rows: Tensor
    ) -> tuple[Tensor, Tensor] | None:
        """Features [M, F] and target [M, ...] of an auxiliary loss; None where its memory has nothing to offer."""
        if loss.reads == "memory":
            drawn = self.memories[name].draw(self.random)
            return None if drawn is None else (self.model.network.encoder(drawn[0]), drawn[1])
        features = encoder if loss.reads == "encoder" else core
        return features.flatten(0, 1), rollout.targets[name][:, rows].flatten(0, 1)
