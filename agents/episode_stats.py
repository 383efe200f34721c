"""What is kept of episodes that end: their returns, for the record, and what was seen last, to be valued."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from agents.networks.actor_critic import AgentNetwork, Inputs, State
from env.task import Task


def ends_inside(task: Task, chunk: int) -> bool:
    """Whether an episode can end before the last step of a chunk of that many agent steps.

    Not where whole chunks make an episode, since the first ones of a worker are cut by whole chunks, too.
    """
    return task.episode_steps % chunk != 0


@dataclass
class Finished:
    """An episode that ran its full time: its return and the goals it reached."""

    episode_return: float
    goals: int


class EpisodeStats:
    """Adds up what the episodes in progress bring, and keeps those that end in a chunk.

    Attributes:
        told: [K, N, 3] float64, of the k-th episode that ended in each row, where ends are masked: its return, its goals, and 1
            where it ran its full time; zeros where there was none. Overwritten by the next chunk.
    """

    def __init__(self, num_envs: int, device: torch.device, slots: int) -> None:
        self.returns = torch.zeros(num_envs, dtype=torch.float64, device=device)
        self.goals = torch.zeros(num_envs, dtype=torch.int64, device=device)
        self.whole = torch.ones(num_envs, dtype=torch.bool, device=device)
        self.count = torch.zeros(num_envs, dtype=torch.int64, device=device)
        self.told = torch.zeros(slots, num_envs, 3, dtype=torch.float64, device=device)
        self.list: list[Finished] = []

    def begin_chunk(self) -> None:
        self.list = []
        self.count.zero_()
        self.told.zero_()

    def add(self, reward: Tensor, goals: Tensor) -> None:
        """What a step brought, each [N]."""
        self.returns += reward
        self.goals += goals

    def drop(self, cut: Tensor) -> None:
        """The present episodes of `cut` [N] bool are not to be reported."""
        self.whole &= ~cut

    def close(self, ended: Tensor) -> None:
        """The episodes of `ended` [N] bool end."""
        for row in (ended & self.whole).nonzero().flatten().tolist():
            self.list.append(Finished(float(self.returns[row]), int(self.goals[row])))
        self._clear(ended)

    def close_masked(self, ended: Tensor) -> None:
        """The same, kept in `told`."""
        values = torch.stack((self.returns, self.goals.double(), self.whole.double()), 1)
        for k, place in enumerate(self.told):
            place.copy_(torch.where((ended & (self.count == k)).unsqueeze(1), values, place))
        self.count += ended
        self._clear(ended)

    def _clear(self, ended: Tensor) -> None:
        self.whole |= ended
        self.returns.masked_fill_(ended, 0)
        self.goals.masked_fill_(ended, 0)

    def finished(self) -> list[Finished]:
        """The episodes that ran their full time and ended in the chunk."""
        return self.list or finished_of(self.told)


def finished_of(told: Tensor) -> list[Finished]:
    """The same from a copy of `EpisodeStats.told`."""
    return [Finished(value, int(goals)) for value, goals, whole in told.flatten(0, 1).tolist() if whole]


class FinalObservations:
    """What rows saw and remembered at the ends of their episodes in a chunk, so that it is valued at once, after the chunk.

    Args:
        present, state: of N rows, to be like.
        slots: K, the most ends of a row in a chunk.
    """

    def __init__(self, present: Inputs, state: State, slots: int) -> None:
        self.places = [part.new_zeros(slots, *part.shape) for part in (*parts(present), *state)]
        self.count = torch.zeros(len(present.reward), dtype=torch.int64, device=present.reward.device)

    def begin_chunk(self) -> None:
        self.count.zero_()

    def keep(self, ended: Tensor, present: Inputs, state: State) -> None:
        """Keeps the present of the rows `ended` [N] bool."""
        for place, values in zip(self.places, (*parts(present), *state), strict=True):
            for k, kept in enumerate(place):
                now = (ended & (self.count == k)).view(-1, *[1] * (values.dim() - 1))
                kept.copy_(torch.where(now, values, kept))
        self.count += ended

    def value(self, network: AgentNetwork, ended: Tensor, next_value: Tensor) -> None:
        """Writes the values of what was kept into `next_value` [T, N] where `ended` [T, N]."""
        flat = [place.flatten(0, 1) for place in self.places]
        inputs = len(fields(Inputs))
        outputs, _ = network.step(Inputs(*flat[:inputs]), tuple(flat[inputs:]))
        values = outputs.value.view(-1, ended.shape[1])
        which = (ended.cumsum(0) - 1).clamp_(0, len(values) - 1)
        next_value.copy_(torch.where(ended, values.gather(0, which), next_value))


def parts(inputs: Inputs) -> Sequence[Tensor]:
    """The tensors of inputs, in their order."""
    return [getattr(inputs, item.name) for item in fields(inputs)]
