"""Which cell is the agent in? The position decoder asks it of detached features (paper, section 3.3), a loss with a gradient."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from auxiliary.loss import AuxiliaryLoss, HeadContext, Recorder, Sums, count, ratio
from env.tensors import TensorWorlds


class CellRecorder(Recorder):
    """Index of the cell that the agent is in, from the privileged array `cell`."""

    shape = ()
    dtype = torch.int64

    def record(self, worlds: TensorWorlds, starts: Tensor, out: Tensor) -> None:
        out.copy_(worlds.privileged["cell"])


class PositionLoss(AuxiliaryLoss):
    """A linear softmax over the cells of the maze on detached features; cross-entropy."""

    reads = "core"
    detached = True

    def __init__(self, context: HeadContext) -> None:
        super().__init__()
        self.output = nn.Linear(context.core_features, context.spec.extent("cells"))

    def recorder(self, num_envs: int, device: torch.device | str = "cpu", masked: bool = False) -> Recorder:
        return CellRecorder()

    def forward(self, features: Tensor) -> Tensor:
        """[M, F] → logits [M, cells]."""
        return self.output(features.detach())

    def loss(self, features: Tensor, target: Tensor) -> tuple[Tensor, Sums]:
        logits = self(features)
        loss = functional.cross_entropy(logits, target)
        with torch.no_grad():
            correct = (logits.argmax(1) == target).sum()
        return loss, {"correct": correct, "steps": count(len(target), target.device)}

    @staticmethod
    def metrics(sums: Mapping[str, float]) -> dict[str, float]:
        return {"accuracy": ratio(sums["correct"], sums["steps"])}


class OwnCellLoss(PositionLoss):
    """The decoder's question with a gradient: the agent learns to know where it is, in mazes that don't change.

    A goal's place can only be remembered, and gone to, by an agent that knows its own.
    """

    detached = False

    def forward(self, features: Tensor) -> Tensor:
        """[M, F] → logits [M, cells]."""
        return self.output(features)
