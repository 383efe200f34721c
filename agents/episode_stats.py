"""Statistics of episodes, and the final observations of truncated ones, from whose values returns are bootstrapped."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from agents.networks.actor_critic import AgentNetwork
from agents.networks.cores import State
from agents.networks.inputs import Inputs
from env.batch import WorldSpec


def ends_inside(spec: WorldSpec, unroll_length: int) -> bool:
    """Whether an episode can end before the last step of a rollout of that many agent steps.

    It can't where episodes never terminate and whole rollouts make an episode, since the first ones of a worker are cut by whole
    rollouts, too.
    """
    return spec.terminates or spec.episode_steps % unroll_length != 0


@dataclass
class Episode:
    """An episode that ran from its start to its end.

    Attributes:
        episode_return: sum of its rewards.
        steps: agent steps.
        statistics: by the names of `WorldSpec.statistics`.
    """

    episode_return: float
    steps: int = 0
    statistics: dict[str, int] = field(default_factory=dict)


class EpisodeStats:
    """Adds up rewards and statistics of the episodes in progress, and keeps those that end in a rollout.

    Attributes:
        record: [K, N, 3 + S] float64, of the k-th episode that ended in each row, where ends are masked: 1 where it was whole,
            its return, its steps and its S statistics; zeros where there was none. Overwritten by the next rollout.
    """

    def __init__(self, num_envs: int, device: torch.device, slots: int, names: Sequence[str]) -> None:
        """Starts with nothing added up.

        Args:
            slots: K, the most episodes of a row that can end in a rollout.
            names: of the statistics.
        """
        self.names = tuple(names)
        self.sums = torch.zeros(num_envs, 3 + len(self.names), dtype=torch.float64, device=device)
        self.columns = self.sums.unbind(1)
        self.columns[0].fill_(1)
        self.count = torch.zeros(num_envs, dtype=torch.int64, device=device)
        self.record = torch.zeros(slots, num_envs, 3 + len(self.names), dtype=torch.float64, device=device)
        self.list: list[Episode] = []

    def begin_rollout(self) -> None:
        self.list = []
        self.count.zero_()
        self.record.zero_()

    def add(self, reward: Tensor, statistics: dict[str, Tensor]) -> None:
        """Adds a step's reward and statistics, each [N]."""
        self.columns[1].add_(reward)
        self.columns[2].add_(1)
        for column, name in zip(self.columns[3:], self.names, strict=True):
            column.add_(statistics[name])

    def drop(self, cut: Tensor) -> None:
        """The present episodes of `cut` [N] bool are not to be reported."""
        self.columns[0].masked_fill_(cut, 0)

    def close(self, ended: Tensor) -> None:
        """Ends the episodes of `ended` [N] bool."""
        rows = (ended & (self.columns[0] > 0)).nonzero().flatten()
        if len(rows):
            self.list += episodes_of(self.sums[rows], self.names)
        self._clear(ended)

    def close_masked(self, ended: Tensor) -> None:
        """The same, kept in `record`."""
        for k, place in enumerate(self.record):
            place.copy_(torch.where((ended & (self.count == k)).unsqueeze(1), self.sums, place))
        self.count += ended
        self._clear(ended)

    def _clear(self, ended: Tensor) -> None:
        self.sums.masked_fill_(ended.unsqueeze(1), 0)
        self.columns[0].masked_fill_(ended, 1)

    def finished(self) -> list[Episode]:
        """The whole episodes that ended in the rollout."""
        return self.list or episodes_of(self.record, self.names)


def episodes_of(record: Tensor, names: Sequence[str]) -> list[Episode]:
    """The whole episodes of a copy of `EpisodeStats.record`."""
    return [
        Episode(total, int(steps), {name: int(value) for name, value in zip(names, values, strict=True)})
        for whole, total, steps, *values in record.flatten(0, -2).tolist()
        if whole
    ]


class FinalObservations:
    """What rows perceived and remembered when their episodes were truncated, so that it is valued at once, after the rollout.

    Args:
        present, state: of N rows, to be like.
        slots: K, the most truncations of a row in a rollout.
    """

    def __init__(self, present: Inputs, state: State, slots: int) -> None:
        self.inputs = len(present.parts())
        self.places = [part.new_zeros(slots, *part.shape) for part in (*present.parts(), *state)]
        self.count = torch.zeros(len(present.reward), dtype=torch.int64, device=present.reward.device)

    def begin_rollout(self) -> None:
        self.count.zero_()

    def keep(self, truncated: Tensor, present: Inputs, state: State) -> None:
        """Keeps the present of the rows `truncated` [N] bool."""
        for place, values in zip(self.places, (*present.parts(), *state), strict=True):
            for k, kept in enumerate(place):
                now = (truncated & (self.count == k)).view(-1, *[1] * (values.dim() - 1))
                kept.copy_(torch.where(now, values, kept))
        self.count += truncated

    def value(self, network: AgentNetwork, truncated: Tensor, next_value: Tensor) -> None:
        """Writes the values of what was kept into `next_value` [T, N] where `truncated` [T, N]."""
        flat = [place.flatten(0, 1) for place in self.places]
        outputs, _ = network.step(Inputs(*flat[: self.inputs]), tuple(flat[self.inputs :]))
        values = outputs.value.view(-1, truncated.shape[1])
        which = (truncated.cumsum(0) - 1).clamp_(0, len(values) - 1)
        next_value.copy_(torch.where(truncated, values.gather(0, which), next_value))
