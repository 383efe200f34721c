"""Do two views show the same place, looking the same way? A key for each view, such that keys alike answer that.

Pairs of steps of a batch are the examples: positive within half a cell and some twenty degrees, in the same maze. Each pair's
probability is learned as it is (arXiv 2303.15343, with fixed constants), so that it can weigh what a memory recalls
(`agents.networks.view_map`). Targets are privileged.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from auxiliary.loss import AuxiliaryLoss, HeadContext, Recorder, Sums, ratio
from env.tensors import TensorWorlds
from maze_gen.maze import CELL_UNITS

KEY = 32
"""Entries of a key."""
SHARPNESS, THRESHOLD = 10.0, 5.0
"""Logit of a match: SHARPNESS · cosine − THRESHOLD."""
NEAR_CELLS, NEAR_DEGREES = 0.6, 25.0
"""What counts as the same place."""
APART_SECONDS = 3.0
"""Metrics are of pairs further apart than this, which can't be recognised by their being neighbours."""
OTHER_MAZES = 0.1
"""Weight of pairs of views of two mazes, which agents never have to tell apart."""


def match_logits(some: Tensor, others: Tensor) -> Tensor:
    """Logits [..., M, P] that views with keys [..., M, KEY] and [..., P, KEY], each of length 1 or 0, are of the same place."""
    return SHARPNESS * torch.matmul(some, others.transpose(-1, -2)) - THRESHOLD


class PoseRecorder(Recorder):
    """[5] float32: x and y in cells, heading in degrees, index of the maze, seconds of the episode."""

    shape = (5,)
    dtype = torch.float32

    def record(self, worlds: TensorWorlds, starts: Tensor, out: Tensor) -> None:
        facts = worlds.privileged
        out[:, :2] = facts["position"] / CELL_UNITS
        out[:, 2] = facts["heading"]
        out[:, 3] = facts["maze"]
        out[:, 4] = facts["seconds"]


class SamePlaceLoss(AuxiliaryLoss):
    """Cross-entropy of all pairs of a batch, divided by the number of positive ones; it has no parameters of its own."""

    reads = "key"

    def __init__(self, context: HeadContext) -> None:
        super().__init__()

    def recorder(self, num_envs: int, device: torch.device | str = "cpu", masked: bool = False) -> Recorder:
        return PoseRecorder()

    def forward(self, features: Tensor) -> Tensor:
        """Keys [M, KEY] → logits [M, M]."""
        return match_logits(features, features)

    def loss(self, features: Tensor, target: Tensor) -> tuple[Tensor, Sums]:
        logits = self(features)
        same_maze = target[:, None, 3] == target[None, :, 3]
        away = torch.cdist(target[:, :2], target[:, :2], compute_mode="donot_use_mm_for_euclid_dist")
        turned = ((target[:, None, 2] - target[None, :, 2] + 180).remainder(360) - 180).abs()
        same = same_maze & (away < NEAR_CELLS) & (turned < NEAR_DEGREES)
        weight = torch.where(same_maze, 1.0, OTHER_MAZES).fill_diagonal_(0)
        pairs = functional.binary_cross_entropy_with_logits(logits, same.to(logits.dtype), weight, reduction="sum")
        with torch.no_grad():
            apart = same_maze & ((target[:, None, 4] - target[None, :, 4]).abs() > APART_SECONDS)
            named, true = apart & (logits > 0), apart & same
            sums = {"named": named.sum(), "true": true.sum(), "right": (named & true).sum()}
        return pairs / same.sum(), sums

    @staticmethod
    def metrics(sums: Mapping[str, float]) -> dict[str, float]:
        return {"precision": ratio(sums["right"], sums["named"]), "recall": ratio(sums["right"], sums["true"])}
