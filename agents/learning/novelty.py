"""A bonus for cells that are new, until the goal is found: what makes an agent search all of a maze instead of one circuit of it.

Which cells were visited is privileged and read while training alone (compare arXiv 1606.01868); the agent has to know by itself
where it has been.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from agents.rollout import Rollout
from auxiliary.loss import Recorder, take_over
from env.batch import WorldSpec
from env.tensors import TensorWorlds

NOVELTY = "new cell"
"""The recorder's name among a rollout's targets."""


class NewCellRecorder(Recorder):
    """1 at the first observation in a cell of an episode whose goal wasn't reached yet, else 0; 0 at an episode's start.

    Args:
        cells: of a maze.
    """

    shape = ()
    dtype = torch.float32

    def __init__(self, num_envs: int, cells: int, device: torch.device | str = "cpu") -> None:
        self.visited = torch.zeros(num_envs, cells, dtype=torch.bool, device=device)
        self.reached = torch.zeros(num_envs, dtype=torch.bool, device=device)

    def record(self, worlds: TensorWorlds, starts: Tensor, out: Tensor) -> None:
        cell = worlds.privileged["cell"].long().unsqueeze(1)
        self.visited &= ~starts.unsqueeze(1)
        self.reached |= worlds.statistics["goals"] > 0
        self.reached &= ~starts
        out.copy_(~(self.visited.gather(1, cell).squeeze(1) | starts | self.reached))
        self.visited.scatter_(1, cell, True)

    def state_dict(self) -> dict[str, Tensor]:
        return {"visited": self.visited.clone(), "reached": self.reached.clone()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        # A training that goes on with a bonus that it had not before has none.
        if "visited" in state:
            take_over({"visited": self.visited, "reached": self.reached}, state, {})


class NoveltyReward(nn.Module):
    """The worlds' rewards, and `bonus` for each step that comes into a new cell (`NewCellRecorder`).

    Attributes:
        recorded: nothing beside what its recorder writes.
    """

    recorded: tuple[str, ...] = ()

    def __init__(self, spec: WorldSpec, bonus: float) -> None:
        super().__init__()
        self.cells = spec.extent("cells")
        self.bonus = bonus

    def recorders(self, num_envs: int, device: torch.device | str) -> dict[str, Recorder]:
        return {NOVELTY: NewCellRecorder(num_envs, self.cells, device)}

    def rewards(self, rollout: Rollout) -> Tensor:
        """[T, N] float32. Where the last step of a rollout leads is recorded with the next rollout, and pays nothing."""
        bonus = self.bonus * rollout.targets[NOVELTY][1:]
        return torch.cat((rollout.reward[:-1] + bonus, rollout.reward[-1:]))

    def loss(self, rollout: Rollout, rows: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Nothing to learn; the metric is the fraction of steps that came into a new cell."""
        found = rollout.targets[NOVELTY].index_select(1, rows).mean()
        return torch.zeros_like(found), {"new_cells": found}
