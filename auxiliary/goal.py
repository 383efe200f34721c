"""Where is the goal of this episode? Asked from the first time it was reached, so that only a memory can answer.

The goal of a task that draws it stays where it is for an episode, and the agent is put elsewhere whenever it reaches it. An agent
that remembers the goal's place, and knows its own, can return without searching; these losses ask for that memory directly, as
depth prediction asks for geometry. Targets are privileged: they are read while training, and agents never see them.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from auxiliary.loss import AuxiliaryLoss, HeadContext, Recorder, Sums, count, ratio
from auxiliary.saved_state import copy_into
from env.tensors import TensorWorlds
from maze_gen.maze import CELL_UNITS

HIDDEN = 128
UNKNOWN = -1
"""Target of a step at which the goal wasn't reached yet in its episode: no loss."""

SECTORS = 12
"""Classes of direction: sector k has its middle k x 30 degrees to the left of where the agent looks."""
DISTANCE_EDGES = (1.0, 2.0, 3.5, 5.5)
"""In cells: inner edges of the classes of straight distance."""
DISTANCES = len(DISTANCE_EDGES) + 1
PATH_EDGES = (1.0, 2.0, 4.0, 7.0, 11.0)
"""In cells: inner edges of the classes of the path's length."""
LENGTHS = len(PATH_EDGES) + 1


class Reached:
    """Whether the goal was reached in each row's present episode; without data-dependent control flow."""

    def __init__(self, num_envs: int, device: torch.device | str) -> None:
        self.rows = torch.zeros(num_envs, dtype=torch.bool, device=device)

    def update(self, worlds: TensorWorlds, starts: Tensor) -> Tensor:
        """[N] bool as of the present observation; `starts` [N] bool as in `Recorder.record`."""
        self.rows |= worlds.statistics["goals"] > 0
        self.rows &= ~starts
        return self.rows


class _AfterTheGoal(Recorder):
    """A recorder whose targets are known from the first time that the goal was reached in the episode."""

    reached: Reached

    def state_dict(self) -> dict[str, Tensor]:
        return {"reached": self.reached.rows.clone()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        copy_into({"reached": self.reached.rows}, state)


class GoalCellRecorder(_AfterTheGoal):
    """Index of the goal's cell from the first time it was reached in the episode, UNKNOWN before."""

    shape = ()
    dtype = torch.int64

    def __init__(self, num_envs: int, device: torch.device | str = "cpu") -> None:
        self.reached = Reached(num_envs, device)

    def record(self, worlds: TensorWorlds, starts: Tensor, out: Tensor) -> None:
        out.copy_(worlds.privileged["goal_cell"])
        out.masked_fill_(~self.reached.update(worlds, starts), UNKNOWN)


class GoalDirectionRecorder(_AfterTheGoal):
    """[2] classes of the goal's direction and straight distance, seen from the agent; UNKNOWN as in `GoalCellRecorder`."""

    shape = (2,)
    dtype = torch.int64

    def __init__(self, num_envs: int, rows: int, cols: int, device: torch.device | str = "cpu") -> None:
        self.reached = Reached(num_envs, device)
        self.rows, self.cols = rows, cols
        self.edges = torch.tensor(DISTANCE_EDGES, device=device)

    def record(self, worlds: TensorWorlds, starts: Tensor, out: Tensor) -> None:
        facts = worlds.privileged
        right, up = offset_to(facts["goal_cell"], facts["position"], self.rows, self.cols)
        out[:, 0] = sector_of(right, up, facts["heading"])
        out[:, 1] = torch.bucketize(torch.hypot(right, up), self.edges, right=True)
        out.masked_fill_(~self.reached.update(worlds, starts).unsqueeze(1), UNKNOWN)


class GoalPathRecorder(_AfterTheGoal):
    """[2] classes: direction of the next cell on a shortest path to the goal, seen from the agent, and the path's length.

    UNKNOWN as in `GoalCellRecorder`, and where there is no path.
    """

    shape = (2,)
    dtype = torch.int64

    def __init__(self, num_envs: int, rows: int, cols: int, device: torch.device | str = "cpu") -> None:
        self.reached = Reached(num_envs, device)
        self.rows, self.cols = rows, cols
        self.edges = torch.tensor(PATH_EDGES, device=device)

    def record(self, worlds: TensorWorlds, starts: Tensor, out: Tensor) -> None:
        facts = worlds.privileged
        right, up = offset_to(facts["next_cell"], facts["position"], self.rows, self.cols)
        out[:, 0] = sector_of(right, up, facts["heading"])
        out[:, 1] = torch.bucketize(facts["goal_distance"].float(), self.edges, right=True)
        known = self.reached.update(worlds, starts) & (facts["next_cell"] >= 0)
        out.masked_fill_(~known.unsqueeze(1), UNKNOWN)


def offset_to(cell: Tensor, position: Tensor, rows: int, cols: int) -> tuple[Tensor, Tensor]:
    """(to the right, upwards) [N] each, in cells: from positions [N, 2] in units to the centres of cells [N]."""
    at = position / CELL_UNITS
    # Rows of cells are counted from the top, y from the bottom (`maze_gen.maze`).
    return cell % cols + 0.5 - at[:, 0], rows - 0.5 - torch.div(cell, cols, rounding_mode="floor") - at[:, 1]


def sector_of(right: Tensor, up: Tensor, heading: Tensor) -> Tensor:
    """[N] int64, the class of a direction, relative to where the agent looks."""
    left_of_view = torch.rad2deg(torch.atan2(up, right)) - heading
    width = 360 / SECTORS
    return torch.floor((left_of_view + width / 2) / width).long().remainder(SECTORS)


def masked_cross_entropy(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Cross-entropy of the steps whose target is known, over all steps.

    A mean over known steps alone would give the few steps of a lucky world the weight of a whole batch, just when a beginner
    rarely reaches a goal.

    Args:
        logits: [M, C].
        target: [M] int64, UNKNOWN where there is none.

    Returns:
        The sum over known steps divided by M; how many of them are named correctly; how many there are.
    """
    known = (target != UNKNOWN).sum()
    total = functional.cross_entropy(logits, target, ignore_index=UNKNOWN, reduction="sum")
    with torch.no_grad():
        correct = (logits.argmax(1) == target).sum()
    return total / len(target), correct, known


class GoalCellLoss(AuxiliaryLoss):
    """A hidden layer of 128, then a softmax over the cells of the maze; mean over all steps of the masked cross-entropy."""

    reads = "core"

    def __init__(self, context: HeadContext) -> None:
        super().__init__()
        self.hidden = nn.Linear(context.core_features, HIDDEN)
        self.output = nn.Linear(HIDDEN, context.spec.extent("cells"))

    def recorder(self, num_envs: int, device: torch.device | str = "cpu", masked: bool = False) -> Recorder:
        return GoalCellRecorder(num_envs, device)

    def forward(self, features: Tensor) -> Tensor:
        """[M, F] → logits [M, cells]."""
        return self.output(functional.relu(self.hidden(features)))

    def loss(self, features: Tensor, target: Tensor) -> tuple[Tensor, Sums]:
        loss, correct, known = masked_cross_entropy(self(features), target)
        return loss, {"correct": correct, "known": known, "steps": count(len(target), target.device)}

    @staticmethod
    def metrics(sums: Mapping[str, float]) -> dict[str, float]:
        return {"accuracy": ratio(sums["correct"], sums["known"]), "known rate": ratio(sums["known"], sums["steps"])}


class GoalDirectionLoss(AuxiliaryLoss):
    """A hidden layer of 128, then two softmaxes: direction of the goal relative to the view, and distance.

    For mazes that change, in which the cells of one maze mean nothing in another. The loss is the mean of both cross-entropies.
    """

    reads = "core"
    distances = DISTANCES

    def __init__(self, context: HeadContext) -> None:
        super().__init__()
        self.extent = context.spec.extent("rows"), context.spec.extent("cols")
        self.build(context.core_features, SECTORS + self.distances)

    def build(self, features: int, classes: int) -> None:
        """Makes the head's layers."""
        self.hidden = nn.Linear(features, HIDDEN)
        self.output = nn.Linear(HIDDEN, classes)

    def recorder(self, num_envs: int, device: torch.device | str = "cpu", masked: bool = False) -> Recorder:
        return GoalDirectionRecorder(num_envs, *self.extent, device)

    def forward(self, features: Tensor) -> Tensor:
        """[M, F] → logits [M, SECTORS + distances], of the direction's classes first."""
        return self.output(functional.relu(self.hidden(features)))

    def loss(self, features: Tensor, target: Tensor) -> tuple[Tensor, Sums]:
        direction, distance = self(features).split((SECTORS, self.distances), 1)
        direction_loss, right_direction, known = masked_cross_entropy(direction, target[:, 0])
        distance_loss, right_distance, _ = masked_cross_entropy(distance, target[:, 1])
        sums = {
            "right_direction": right_direction,
            "right_distance": right_distance,
            "known": known,
            "steps": count(len(target), target.device),
        }
        return (direction_loss + distance_loss) / 2, sums

    @staticmethod
    def metrics(sums: Mapping[str, float]) -> dict[str, float]:
        return {
            "direction accuracy": ratio(sums["right_direction"], sums["known"]),
            "distance accuracy": ratio(sums["right_distance"], sums["known"]),
            "known rate": ratio(sums["known"], sums["steps"]),
        }


class GoalPathLoss(GoalDirectionLoss):
    """The same for the way: direction of the next cell on a shortest path to the goal, and the path's length.

    Of all that the memory of a goal is good for, this is what a policy acts on. The head is linear because the policy is: what it
    reads, the policy can act on.
    """

    distances = LENGTHS

    def build(self, features: int, classes: int) -> None:
        self.output = nn.Linear(features, classes)

    def forward(self, features: Tensor) -> Tensor:
        return self.output(features)

    def recorder(self, num_envs: int, device: torch.device | str = "cpu", masked: bool = False) -> Recorder:
        return GoalPathRecorder(num_envs, *self.extent, device)
