"""The path between two steps of an episode: every step serves as a goal that was reached, for bodies with a slot.

An episode has one goal, and a million steps have some three hundred episodes; but whatever could lie in the slot that rewards
write (`agents.networks.reward_memory`) can be asked about in hindsight (arXiv 1707.01495 relabels goals so). Each step names an
earlier one of its episode, and the body is asked at one of the two for the path to the cell of the other, as if that had been
noted. Targets are privileged. Where mazes change, the straight line is asked for instead of the path.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from auxiliary.goal import DISTANCE_EDGES, DISTANCES, PATH_EDGES, UNKNOWN, GoalPathLoss, offset_to, sector_of
from auxiliary.loss import Recorder, Sums
from auxiliary.saved_state import copy_into
from env.tensors import TensorWorlds
from maze_gen.errors import InputError
from maze_gen.maze import Maze
from maze_gen.paths import all_distances, next_cells

SPAN = 200
"""The most agent steps between a step and the earlier one that it names."""
MULTIPLIER, INCREMENT, MODULUS = 1103515245, 12345, 2**31
"""Of the random numbers: a linear congruence, whose state is a tensor that stays on its device."""


class HindsightRecorder(Recorder):
    """[3]: which step is named, direction and length of the path as in `auxiliary.goal`.

    The first is the number of steps since the named one where that is the goal, and its negative where the present step is the
    goal of the named one; 0 for none.

    Args:
        straight: whether direction and length are those of the straight line.
    """

    shape = (3,)
    dtype = torch.int64

    def __init__(
        self, num_envs: int, rows: int, cols: int, device: torch.device | str = "cpu", *, straight: bool = False
    ) -> None:
        self.rows, self.cols, self.straight = rows, cols, straight
        self.edges = torch.tensor(DISTANCE_EDGES if straight else PATH_EDGES, device=device)
        self.random = torch.arange(1, num_envs + 1, device=device) * MULTIPLIER % MODULUS
        self.elapsed = torch.zeros(num_envs, dtype=torch.int64, device=device)
        self.now = torch.zeros(num_envs, dtype=torch.int64, device=device)
        self.cells = torch.zeros(num_envs, SPAN + 1, dtype=torch.int64, device=device)
        self.poses = torch.zeros(num_envs, SPAN + 1, 3, device=device)
        self._paths: tuple[Tensor, Tensor] | None = None

    def record(self, worlds: TensorWorlds, starts: Tensor, out: Tensor) -> None:
        paths = None if self.straight else self._tables(worlds)
        facts = worlds.privileged
        cell, pose = facts["cell"].long(), torch.cat((facts["position"], facts["heading"].unsqueeze(1)), 1)
        self.elapsed.add_(1).masked_fill_(starts, 0)
        self.now.add_(1).remainder_(SPAN + 1)
        self.cells.scatter_(1, self.now.unsqueeze(1), cell.unsqueeze(1))
        self.poses.scatter_(1, self.now.view(-1, 1, 1).expand(-1, 1, 3), pose.unsqueeze(1))
        self.random.mul_(MULTIPLIER).add_(INCREMENT).remainder_(MODULUS)
        uniform = 2 * self.random.double() / MODULUS
        back = uniform < 1
        uniform = uniform.remainder(1)
        possible = self.elapsed.clamp(max=SPAN)
        ago = torch.minimum((uniform * possible).long() + 1, possible)
        place = (self.now - ago).remainder(SPAN + 1).unsqueeze(1)
        named = self.cells.gather(1, place).squeeze(1)
        named_pose = self.poses.gather(1, place.unsqueeze(2).expand(-1, 1, 3)).squeeze(1)
        goal, cell = torch.where(back, named, cell), torch.where(back, cell, named)
        pose = torch.where(back.unsqueeze(1), pose, named_pose)
        if paths is None:
            right, up = offset_to(goal, pose, self.rows, self.cols)
            length = torch.hypot(right, up)
        else:
            following, distance = paths
            right, up = offset_to(following[goal, cell], pose, self.rows, self.cols)
            length = distance[goal, cell]
        out[:, 0] = torch.where(back, ago, -ago)
        out[:, 1] = sector_of(right, up, pose[:, 2])
        out[:, 2] = torch.bucketize(length, self.edges, right=True)

    def state_dict(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in self._kept().items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        cells = self.rows * self.cols - 1
        copy_into(self._kept(), state, {"random": MODULUS - 1, "elapsed": 2**53, "now": SPAN, "cells": cells})

    def _kept(self) -> dict[str, Tensor]:
        return {"random": self.random, "elapsed": self.elapsed, "now": self.now, "cells": self.cells, "poses": self.poses}

    def _tables(self, worlds: TensorWorlds) -> tuple[Tensor, Tensor]:
        if self._paths is None:
            mazes = getattr(worlds.env.task, "mazes", ())
            if len(mazes) != 1:
                wants = "expected a task of one maze"
                raise InputError(f"auxiliary loss 'hindsight': {wants}, not of {len(mazes)}; 'hindsight-direction' takes many")
            self._paths = paths_of(mazes[0], self.random.device)
        return self._paths


def paths_of(maze: Maze, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """(next cell int64, length of path float32), each [cells, cells]: from the column's cell to the row's."""
    cells = maze.rows * maze.cols
    following = np.full((cells, cells), -1, dtype=np.int64)
    for goal in np.flatnonzero(maze.open.ravel()).tolist():
        following[goal] = next_cells(maze, divmod(goal, maze.cols)).ravel()
    return torch.from_numpy(following).to(device), torch.from_numpy(all_distances(maze).astype(np.float32)).to(device)


class HindsightLoss(GoalPathLoss):
    """`GoalPathLoss` on what the body makes of a slot that was written at the other step of a pair."""

    reads = "hindsight"
    straight = False

    def recorder(self, num_envs: int, device: torch.device | str = "cpu", masked: bool = False) -> Recorder:
        return HindsightRecorder(num_envs, *self.extent, device, straight=self.straight)

    def loss(self, features: Tensor, target: Tensor) -> tuple[Tensor, Sums]:
        """As the interface has it; pairs that aren't whole in the rollout come with a first entry of 0, and have no loss."""
        return super().loss(features, target[:, 1:].masked_fill(target[:, :1] == 0, UNKNOWN))


class HindsightDirectionLoss(HindsightLoss):
    """The same for the straight line, in mazes that change."""

    straight = True
    distances = DISTANCES
