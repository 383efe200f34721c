"""Depth prediction from the encoder (D1) or the core (D2), as a coarse depth map (paper, section 3.1)."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from auxiliary.loss import AuxiliaryLoss, HeadContext, Recorder, Sums, count, ratio
from env.tensors import TensorWorlds

ROWS, COLS = 4, 16
PIXELS = ROWS * COLS
HIDDEN = 128

CLASS_EDGES = (0.05, 0.175, 0.3, 0.425, 0.55, 0.675, 0.8)
"""Inner edges of the eight classes, in z-buffer values raised to `POWER`."""
CLASSES = len(CLASS_EDGES) + 1
POWER = 10.0
NEAR, FAR = 4.0, 1100.0
"""Near and far plane of the z-buffer, in units."""

REGRESSION_ROWS = 8
REGRESSION_PIXELS = REGRESSION_ROWS * COLS


def distance_edges() -> npt.NDArray[np.float32]:
    """[7] planar distances in units between the classes: `CLASS_EDGES` as values of (F/(F−n) · (1−n/z))^10, solved for z."""
    buffer = np.asarray(CLASS_EDGES) ** (1 / POWER)
    return (NEAR / (1 - buffer * (FAR - NEAR) / FAR)).astype(np.float32)


def classes_of_distance(distance: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Planar distances in units, any shape → classes 0 (nearest) to 7, the same shape."""
    return np.searchsorted(distance_edges(), np.asarray(distance, np.float32), side="right").astype(np.uint8)


class ClassRecorder(Recorder):
    """Classes [64] of the 4 x 16 planar distances of the observation `depth_target`, row by row."""

    shape = (PIXELS,)
    dtype = torch.uint8

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.edges = torch.from_numpy(distance_edges()).to(device)

    def record(self, worlds: TensorWorlds, starts: Tensor, out: Tensor) -> None:
        out.copy_(torch.bucketize(worlds.observation["depth_target"].view(-1, PIXELS), self.edges, out_int32=True, right=True))


class RegressionRecorder(Recorder):
    """(byte / 255)^10 [128] at 8 x 16 pixels of the observation `depth`, row by row.

    The picture is cropped by 16/84 of its height above and below and by 2/84 of its width at either side, as in other
    implementations of the paper; the pixels are the centres of 8 x 16 tiles of what is left.
    """

    shape = (REGRESSION_PIXELS,)
    dtype = torch.float32

    def __init__(self, size: int, device: torch.device | str = "cpu") -> None:
        self.table = torch.from_numpy(((np.arange(256) / 255) ** POWER).astype(np.float32)).to(device)
        height, width = size - 2 * (16 * size // 84), size - 2 * (2 * size // 84)
        rows = 16 * size // 84 + ((np.arange(REGRESSION_ROWS) + 0.5) * height / REGRESSION_ROWS).astype(int)
        cols = 2 * size // 84 + ((np.arange(COLS) + 0.5) * width / COLS).astype(int)
        self.pixels = torch.from_numpy((rows[:, None] * size + cols).ravel()).to(device)

    def record(self, worlds: TensorWorlds, starts: Tensor, out: Tensor) -> None:
        out.copy_(self.table[worlds.observation["depth"].flatten(1).index_select(1, self.pixels).int()])


class DepthLoss(AuxiliaryLoss):
    """A hidden layer of 128, then eight classes for each of 4 x 16 pixels; cross-entropy, mean over pixels."""

    observe = frozenset({"depth_target"})

    def __init__(self, features: int, reads: Literal["encoder", "core"]) -> None:
        super().__init__()
        self.reads = reads
        self.hidden = nn.Linear(features, HIDDEN)
        self.output = nn.Linear(HIDDEN, CLASSES * PIXELS)

    def recorder(self, num_envs: int, device: torch.device | str = "cpu", masked: bool = False) -> Recorder:
        return ClassRecorder(device)

    def forward(self, features: Tensor) -> Tensor:
        """[M, F] → logits [M, 8, 64]."""
        return self.output(functional.relu(self.hidden(features))).view(-1, CLASSES, PIXELS)

    def loss(self, features: Tensor, target: Tensor) -> tuple[Tensor, Sums]:
        logits = self(features)
        classes = target.long()
        loss = functional.cross_entropy(logits, classes)
        with torch.no_grad():
            # The same as argmax(1) == classes, at a tenth of its cost.
            correct = (logits.gather(1, classes.unsqueeze(1)) >= logits.amax(1, keepdim=True)).sum()
        return loss, {"correct": correct, "pixels": count(classes.numel(), target.device)}

    @staticmethod
    def metrics(sums: Mapping[str, float]) -> dict[str, float]:
        return {"accuracy": ratio(sums["correct"], sums["pixels"])}


class DepthRegressionLoss(AuxiliaryLoss):
    """A hidden layer of 128, then a depth value for each of 8 x 16 pixels; squared error, mean over pixels."""

    observe = frozenset({"depth"})

    def __init__(self, features: int, reads: Literal["encoder", "core"], size: int) -> None:
        super().__init__()
        self.reads = reads
        self.size = size
        self.hidden = nn.Linear(features, HIDDEN)
        self.output = nn.Linear(HIDDEN, REGRESSION_PIXELS)

    def recorder(self, num_envs: int, device: torch.device | str = "cpu", masked: bool = False) -> Recorder:
        return RegressionRecorder(self.size, device)

    def forward(self, features: Tensor) -> Tensor:
        """[M, F] → values [M, 128]."""
        return self.output(functional.relu(self.hidden(features)))

    def loss(self, features: Tensor, target: Tensor) -> tuple[Tensor, Sums]:
        values = self(features)
        loss = functional.mse_loss(values, target)
        with torch.no_grad():
            spread = (target - target.mean()).square().sum()
            error = loss.detach() * target.numel()
        return loss, {"error": error, "spread": spread, "pixels": count(target.numel(), target.device)}

    @staticmethod
    def metrics(sums: Mapping[str, float]) -> dict[str, float]:
        return {
            "mean squared error": ratio(sums["error"], sums["pixels"]),
            "explained variance": 1 - ratio(sums["error"], sums["spread"]),
        }


def make_depth(context: HeadContext, reads: Literal["encoder", "core"]) -> AuxiliaryLoss:
    """A head of the form `context.depth_form`, `classes` or `regression`, on the encoder (D1) or on the core (D2)."""
    features = context.encoder_features if reads == "encoder" else context.core_features
    if context.depth_form == "regression":
        return DepthRegressionLoss(features, reads, context.spec.extent("image_size"))
    return DepthLoss(features, reads)
