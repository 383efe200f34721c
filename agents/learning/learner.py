"""Learning from a rollout: minibatches of whole sequences, each a gradient of the agent's and its auxiliary losses."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from agents.config import TrainConfig
from agents.cuda_graphs import Capture
from agents.learning.losses import Targets, agent_loss
from agents.learning.parameter_store import Store
from agents.learning.returns import generalised_advantages, step_discounts
from agents.model import AgentModel, FlatParameters
from agents.networks.actor_critic import Outputs
from agents.precision import products_in, resolve
from agents.rng import RandomStream
from agents.rollout import Rollout
from agents.state import join, part
from auxiliary.loss import AuxiliaryLoss, Memory


@dataclass
class Metrics:
    """Metrics of gradients, added up so that those of several rollouts can be added too.

    Attributes:
        gradients: how many.
        means: by name, the sum over gradients of metrics that are means over a batch.
        sums: by auxiliary loss, by name, sums of which the loss makes its metrics.
    """

    gradients: int = 0
    means: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    sums: dict[str, dict[str, float]] = field(default_factory=dict)

    def add(self, other: "Metrics") -> None:
        self.gradients += other.gradients
        for name, value in other.means.items():
            self.means[name] = self.means.get(name, 0.0) + value
        for loss, parts in other.sums.items():
            mine = self.sums.setdefault(loss, {})
            for name, value in parts.items():
                mine[name] = mine.get(name, 0.0) + value


Key = tuple[str, str]
"""(auxiliary loss, or nothing for a mean over the batch; metric)."""


@dataclass
class PendingMetrics:
    """Metrics of each gradient as device tensors, perhaps not computed yet; `metrics()` synchronises.

    Attributes:
        keys: of each number.
        gradients: a vector [len(keys)] float64 for each gradient.
    """

    keys: list[Key] = field(default_factory=list)
    gradients: list[Tensor] = field(default_factory=list)

    def metrics(self) -> Metrics:
        """All of it added up; waits for the device."""
        metrics = Metrics(len(self.gradients))
        for values in self.gradients:
            for (loss, name), value in zip(self.keys, values.tolist(), strict=True):
                if loss:
                    sums = metrics.sums.setdefault(loss, defaultdict(float))
                    sums[name] += value
                else:
                    metrics.means[name] += value
        return metrics


GradientWork = Callable[[], tuple[list[Key], Tensor]]
"""Writes a gradient; returns the keys and the values [len(keys)] float64 of its metrics."""


class Learner:
    """Turns rollouts into gradients and pushes them.

    With `capture`, a gradient has no data-dependent control flow, works on tensors that stay where they are, and is made by what
    `capture` makes of it. So whatever changes while the agent trains must come to the loss as a tensor, not as a number of
    Python, and nothing is kept from one gradient to the next but tensors.
    """

    def __init__(
        self,
        model: AgentModel,
        flat: FlatParameters,
        store: Store,
        config: TrainConfig,
        rng: RandomStream,
        capture: Capture | None = None,
    ) -> None:
        self.model = model
        self.flat = flat
        self.store = store
        self.config = config
        self.rng = rng
        self.capture = capture
        device = flat.values.device
        self.products = resolve(config.precision, device)
        made = {name: loss.memory(config.num_envs, device, capture is not None) for name, loss in model.auxiliary.items()}
        self.memories: dict[str, Memory] = {name: memory for name, memory in made.items() if memory is not None}
        self.uniforms = {name: torch.zeros(memory.draws, device=device) for name, memory in self.memories.items()}
        rewarder = model.rewarder
        draws = torch.zeros(config.num_envs, rewarder.draws, device=device) if rewarder is not None and rewarder.draws else None
        self._reward_uniforms = draws
        self._targets: Targets | None = None
        self._captured: dict[int, tuple[Tensor, GradientWork]] = {}

    def learn(self, rollout: Rollout, stopping: Callable[[], bool] = lambda: False) -> PendingMetrics:
        """Learns from a rollout; ends early, between two gradients, where `stopping` returns True. On a GPU it waits for nothing.

        Args:
            rollout: with `capture`, always the same one, with other contents.
        """
        targets = self._make_targets(rollout)
        for memory in self.memories.values():
            memory.add(rollout.inputs.image, rollout.reward, rollout.starts)
        pending = PendingMetrics()
        for first, rows in self._minibatches():
            if stopping():
                break
            if not first:
                # The first gradient belongs to the parameters that acted; later ones start from what all workers have made.
                self.store.pull(self.flat.values)
            for uniforms in self.uniforms.values():
                self.rng.uniforms(uniforms)
            if self._reward_uniforms is not None:
                self.rng.uniforms(self._reward_uniforms)
            keys, values = self._gradient_of(rollout, targets, rows)
            norm = self.store.push(self.flat.gradients)
            pending.keys = [*keys, ("", "grad_norm")]
            pending.gradients.append(torch.cat((values, norm.double().view(1))))
        return pending

    def state_dict(self) -> dict[str, Tensor]:
        """Random numbers, and what the losses' memories keep."""
        memories = join({name: memory.state_dict() for name, memory in self.memories.items()})
        return join({"rng": self.rng.state_dict(), "memory": memories})

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continues from `state_dict`."""
        self.rng.load_state_dict(part(state, "rng"))
        for name, memory in self.memories.items():
            memory.load_state_dict(part(part(state, "memory"), name))

    def _make_targets(self, rollout: Rollout) -> Targets:
        config, reward = self.config, rollout.reward
        if self.model.rewarder is not None:
            with products_in(self.products, reward.device):
                reward = self.model.rewarder.rewards(rollout)
        if config.reward_scale != 1:
            reward = reward * config.reward_scale
        if config.reward_clip:
            reward = reward.clamp(-config.reward_clip, config.reward_clip)
        advantage = generalised_advantages(
            reward,
            rollout.value,
            rollout.next_value,
            step_discounts(config.discount, rollout.terminated),
            rollout.ended,
            config.gae_lambda,
        )
        value = advantage + rollout.value
        if self.capture is None or self._targets is None:
            self._targets = Targets(rollout.action, rollout.log_prob, advantage, value)
        else:
            self._targets.advantage.copy_(advantage)
            self._targets.value.copy_(value)
        return self._targets

    def _minibatches(self) -> Iterator[tuple[bool, Tensor]]:
        """(whether it is the rollout's first, rows [B] of its worlds)."""
        config = self.config
        for epoch in range(config.epochs):
            order = self.rng.order(config.num_envs)
            for index, rows in enumerate(order.tensor_split(min(config.minibatches, config.num_envs))):
                yield epoch == index == 0, rows

    def _gradient_of(self, rollout: Rollout, targets: Targets, rows: Tensor) -> tuple[list[Key], Tensor]:
        if self.capture is None:
            return self._gradient(rollout, targets, rows)
        if len(rows) not in self._captured:
            place = rows.clone()
            self._captured[len(rows)] = place, self.capture(lambda: self._gradient(rollout, targets, place))
        place, gradient = self._captured[len(rows)]
        place.copy_(rows)
        return gradient()

    def _gradient(self, rollout: Rollout, targets: Targets, rows: Tensor) -> tuple[list[Key], Tensor]:
        """Writes the gradient of the worlds `rows`; returns the keys and values [len(keys)] float64 of its metrics."""
        self.flat.gradients.zero_()
        with products_in(self.products, self.flat.values.device):
            loss, metrics = self._loss(rollout, targets, rows)
        loss.backward()
        return list(metrics), torch.stack([value.detach().double() for value in metrics.values()])

    def _loss(self, rollout: Rollout, targets: Targets, rows: Tensor) -> tuple[Tensor, dict[Key, Tensor]]:
        """The whole loss of the worlds `rows`, and its metrics."""
        config, network = self.config, self.model.network
        outputs = network.unroll(rollout.inputs.rows(rows), tuple(part[rows] for part in rollout.state), rollout.starts[:, rows])
        chosen = Targets(
            targets.action[:, rows],
            targets.log_probability[:, rows],
            targets.advantage[:, rows],
            targets.value[:, rows],
        )
        total, means = agent_loss(config, network.distribution(outputs), outputs.value, chosen)
        metrics: dict[Key, Tensor] = {}
        if self.model.rewarder is not None:
            loss, judged = self.model.rewarder.loss(rollout, rows, self._reward_uniforms)
            total = total + loss
            means |= judged
        for name, auxiliary in self.model.auxiliary.items():
            batch = self._auxiliary_batch(name, auxiliary, rollout, outputs, rows)
            if batch is None:
                continue
            loss, sums = auxiliary.loss(*batch)
            total = total + config.weight(name) * loss
            means[f"{name} loss"] = loss
            metrics |= {(name, key): value for key, value in sums.items()}
        metrics |= {("", key): value for key, value in means.items()}
        # A3C sums over the steps of its one environment.
        return total * config.unroll_length if config.sum_over_time else total, metrics

    def _auxiliary_batch(
        self, name: str, loss: AuxiliaryLoss, rollout: Rollout, outputs: Outputs, rows: Tensor
    ) -> tuple[Tensor, Tensor] | None:
        """Features [M, F] and target [M, ...] of an auxiliary loss; None where its memory has nothing to offer."""
        if loss.reads == "memory":
            drawn = self.memories[name].draw(self.uniforms[name])
            return None if drawn is None else (self.model.network.encoder(drawn[0]), drawn[1])
        target = rollout.targets[name][:, rows]
        if loss.reads == "hindsight":
            features, there = self.model.network.recall(outputs, target[..., 0])
            target = target * there.unsqueeze(-1)
        elif loss.reads == "key":
            features = self.model.network.core.view_keys(outputs.encoder)
        else:
            features = outputs.encoder if loss.reads == "encoder" else outputs.core
        return features.flatten(0, 1), target.flatten(0, 1)
