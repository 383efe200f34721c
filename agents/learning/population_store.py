"""Parameters of a population: several agents that share one discriminator, each with settings of its own (arXiv 1910.01007,
section 3.4, after arXiv 1711.09846)."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.config import TrainConfig
from agents.learning.optimizers import clip_grad_norm, make_optimizer
from agents.learning.parameter_store import ParameterStore
from agents.model import FlatParameters

SPREAD = 2.0
"""Settings of all members but the first are drawn between the configuration's divided and multiplied by this."""
STEPS = (0.8, 1.25)
"""A copy's settings are its original's, each times one of these (arXiv 1711.09846, section 4.1)."""
REPLACED = 4
"""One member in so many is replaced at a time, and one at least."""
COLLAPSED_ENTROPY = 1.0
"""Nats of an action: a member whose mean entropy is below them always paints much the same."""
MEMBERS, GENERATION, BEST = "members", "generation", "best"
_SETTINGS = ("learning_rate", "entropy_cost")


class PopulationStore(ParameterStore):
    """M members and the discriminator in memory that all processes of this machine see.

    `parameters` [P] is the discriminator's in its last P - A entries, and the best member's in the first A, as of the last
    snapshot. Everything else lies in `statistics`, so that checkpoints hold it:

    - `members` [M, A] float32, their parameters;
    - the optimisers' statistics, one for each member and one for the discriminator, which is `optimizer`;
    - `learning_rate`, `entropy_cost` [M] float64; `generation` [M] int64, how often a member was replaced;
    - `score`, `entropy`, `reports` [M] float64: sums over reports since the last evolution; `best` int64, `evolutions` int64.

    Args:
        flats: the members' initial parameters; the discriminator is the first one's.
        seed: of the initial settings, and of how they change.
    """

    def __init__(self, config: TrainConfig, flats: Sequence[FlatParameters], seed: int) -> None:
        super().__init__(config, flats[0])
        agent, rest, count = self.agent_size, len(self.parameters) - self.agent_size, len(flats)
        self._seed = seed
        self._optimizers = [make_optimizer(config, agent) for _ in flats]
        self.optimizer = make_optimizer(config, rest)
        factors = SPREAD ** np.random.default_rng([seed, 0]).uniform(-1, 1, (2, count))
        factors[:, 0] = 1
        chosen = zip(_SETTINGS, factors, strict=True)
        statistics: dict[str, Tensor] = {"updates": torch.zeros((), dtype=torch.int64)}
        statistics[MEMBERS] = torch.stack([flat.values[:agent] for flat in flats])
        statistics |= {name: torch.from_numpy(getattr(config, name) * factor) for name, factor in chosen}
        statistics |= {name: torch.zeros(count, dtype=torch.float64) for name in ("score", "entropy", "reports")}
        statistics |= {GENERATION: torch.zeros(count, dtype=torch.int64)}
        statistics |= {name: torch.zeros((), dtype=torch.int64) for name in (BEST, "evolutions")}
        for index, optimizer in enumerate(self._optimizers):
            statistics |= {f"member {index} {name}": part for name, part in optimizer.statistics.items()}
        statistics |= {f"discriminator {name}": part for name, part in self.optimizer.statistics.items()}
        self._statistics = statistics

    @property
    def statistics(self) -> dict[str, Tensor]:
        return self._statistics

    def __len__(self) -> int:
        return len(self.statistics[MEMBERS])

    def share(self, context: Any) -> None:
        self._lock = context.Lock()
        for part in (self.parameters, self._progress, *self.statistics.values()):
            part.share_memory_()

    def of_worker(self, index: int) -> "MemberStore":
        """One of the members, in turns."""
        return MemberStore(self, index % len(self))

    def pull_member(self, index: int, parameters: Tensor) -> None:
        """Copies a member and the discriminator into `parameters` [P]."""
        parameters[: self.agent_size] = self.statistics[MEMBERS][index]
        parameters[self.agent_size :] = self.parameters[self.agent_size :]

    def push_member(self, index: int, gradients: Tensor) -> Tensor:
        """As `push`, of a member and the discriminator."""
        agent = self.agent_size
        norm = clip_grad_norm(gradients[:agent], self.config.max_grad_norm)
        factor = self.config.learning_rate_factor(self.progress)
        rate = float(self.statistics["learning_rate"][index]) * factor
        with self._updating():
            self._optimizers[index].apply(self.statistics[MEMBERS][index], gradients[:agent], [(agent, rate)])
            judge = self.parameters[agent:]
            self.optimizer.apply(judge, gradients[agent:], [(len(judge), self.config.decoder_learning_rate * factor)])
            self.statistics["updates"].add_(1)
        return norm

    def snapshot(self) -> tuple[Tensor, dict[str, Tensor]]:
        best = int(self.statistics[BEST])
        with self._quiet():
            self.parameters[: self.agent_size] = self.statistics[MEMBERS][best]
        return super().snapshot()

    def score(self, index: int, score: float, entropy: float) -> None:
        """Takes over what the discriminator gave a member's paintings in a rollout, and the member's entropy."""
        for name, value in (("score", score), ("entropy", entropy), ("reports", 1.0)):
            self.statistics[name][index % len(self)] += value

    def means(self) -> tuple[Tensor, Tensor]:
        """[M] float64 each: mean score and entropy since the last evolution; NaN of members without a report."""
        reports = self.statistics["reports"]
        return self.statistics["score"] / reports, self.statistics["entropy"] / reports

    def figures(self) -> dict[str, float]:
        """Settings, generation and score of each member, as TensorBoard names them; the score since the last evolution."""
        shown = {name: self.statistics[name] for name in (*_SETTINGS, GENERATION)} | {"score": self.means()[0]}
        values = {
            f"population/{name} {index + 1}": float(part[index]) for name, part in shown.items() for index in range(len(self))
        }
        return {name: value for name, value in values.items() if value == value}

    def evolve(self) -> list[tuple[int, int]]:
        """Replaces the members with the lowest scores, and all that have collapsed, by copies of the best with other settings.

        Returns:
            (replaced, original) of each copy.
        """
        score, entropy = self.means()
        alive = entropy >= COLLAPSED_ENTROPY
        alive &= torch.isfinite(score) & torch.isfinite(self.statistics[MEMBERS]).all(1)
        score = torch.where(alive, score, torch.full_like(score, -torch.inf))
        order = score.argsort(descending=True, stable=True).tolist()
        best, statistics = order[0], self.statistics
        generator = np.random.default_rng([self._seed, 1, int(statistics["evolutions"])])
        statistics["evolutions"].add_(1)
        for name in ("score", "entropy", "reports"):
            statistics[name].zero_()
        if not bool(alive[best]):
            return []
        statistics[BEST].fill_(best)
        replaced = [index for place, index in enumerate(order) if place and self._loses(place, bool(alive[index]))]
        with self._quiet():
            for index in replaced:
                self._copy(best, index)
                for name in _SETTINGS:
                    statistics[name][index] = statistics[name][best] * float(generator.choice(STEPS))
        return [(index, best) for index in replaced]

    def _loses(self, place: int, alive: bool) -> bool:
        return not alive or place >= len(self) - max(len(self) // REPLACED, 1)

    def _copy(self, source: int, index: int) -> None:
        statistics = self.statistics
        statistics[MEMBERS][index] = statistics[MEMBERS][source]
        for name, part in self._optimizers[index].statistics.items():
            part.copy_(self._optimizers[source].statistics[name])
        statistics[GENERATION][index] += 1


class MemberStore:
    """One member of a population, as its workers see it; a `Store`."""

    def __init__(self, population: PopulationStore, index: int) -> None:
        self._population, self.index = population, index

    def pull(self, parameters: Tensor) -> None:
        self._population.pull_member(self.index, parameters)

    def push(self, gradients: Tensor) -> Tensor:
        return self._population.push_member(self.index, gradients)

    def tuned(self, config: TrainConfig) -> TrainConfig:
        """The configuration with this member's present settings."""
        values = {name: float(self._population.statistics[name][self.index]) for name in _SETTINGS}
        return dataclasses.replace(config, **values)
