"""A bonus for cells that are new, until the goal is found: what makes an agent search all of a maze instead of one circuit of it.

Which cells were visited is privileged and read while training alone (compare arXiv 1606.01868); the agent has to know by itself
where it has been.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from agents.rollout import Rollout
from auxiliary.goal import Reached
from auxiliary.loss import Recorder
from auxiliary.saved_state import copy_into
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
        self.reached = Reached(num_envs, device)

    def record(self, worlds: TensorWorlds, starts: Tensor, out: Tensor) -> None:
        cell = worlds.privileged["cell"].long().unsqueeze(1)
        self.visited &= ~starts.unsqueeze(1)
        reached = self.reached.update(worlds, starts)
        out.copy_(~(self.visited.gather(1, cell).squeeze(1) | starts | reached))
        self.visited.scatter_(1, cell, True)

    def state_dict(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in self._kept().items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        # A training that goes on with a bonus that it had not before has none.
        if "visited" in state:
            copy_into(self._kept(), state)

    def _kept(self) -> dict[str, Tensor]:
        return {"visited": self.visited, "reached": self.reached.rows}


class NoveltyReward(nn.Module):
    """The worlds' rewards, and `bonus` for each step that comes into a new cell (`NewCellRecorder`).

    Attributes:
        recorded: nothing beside what its recorder writes.
        draws: no random numbers.
    """

    recorded: tuple[str, ...] = ()
    draws = 0

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

    def loss(self, rollout: Rollout, rows: Tensor, uniforms: Tensor | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """Nothing to learn; the metric is the fraction of steps that came into a new cell."""
        found = rollout.targets[NOVELTY].index_select(1, rows).mean()
        return torch.zeros_like(found), {"new_cells": found}
