"""A small classifier of handwritten digits: its features are what paintings are compared in, and its readings are classes.

Its weights are a file of this package, so that a distance means the same on every machine. `classifier_training` made them.
"""

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from env.painting.pictures import resample

WEIGHTS = Path(__file__).parent / "data" / "classifier.npz"
SIDE = 32
"""Pixels of the pictures that it reads, each way; others are resampled."""
FEATURES, CLASSES = 32, 10
_BATCH = 500


class DigitNetwork(nn.Module):
    """Three convolutions to 4 x 4 places, a layer of `FEATURES`, each with a rectifier, and a linear layer to the classes."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 16, 5, 2, 2)
        self.second = nn.Conv2d(16, 32, 3, 2, 1)
        self.third = nn.Conv2d(32, 32, 3, 2, 1)
        self.narrow = nn.Linear(32 * 4 * 4, FEATURES)
        self.output = nn.Linear(FEATURES, CLASSES)

    def forward(self, ink: Tensor) -> tuple[Tensor, Tensor]:
        """Ink [N, 1, SIDE, SIDE] from 0 to 1 → features [N, FEATURES], which are 0 or more, and logits [N, CLASSES]."""
        x = functional.relu(self.first(ink))
        x = functional.relu(self.second(x))
        x = functional.relu(self.third(x))
        features = functional.relu(self.narrow(x.flatten(1)))
        return features, self.output(features)


@dataclass(frozen=True)
class Reading:
    """What the classifier makes of N pictures.

    Attributes:
        features: [N, FEATURES] float64; one entry of a picture of the training split has variance 1 on average.
        classes: [N] int64, the digit that is read.
    """

    features: npt.NDArray[np.float64]
    classes: npt.NDArray[np.int64]


def read_digits(images: npt.NDArray[np.uint8]) -> Reading:
    """Features and classes of grey pictures [N, side, side, 1], black on white."""
    network, scale = classifier()
    features, classes = [], []
    with torch.inference_mode():
        for first in range(0, len(images), _BATCH):
            found, logits = network(ink_of(images[first : first + _BATCH]))
            features.append(found.double().numpy() * scale)
            classes.append(logits.argmax(1).numpy())
    return Reading(np.concatenate(features), np.concatenate(classes))


def ink_of(images: npt.NDArray[np.uint8]) -> Tensor:
    """Pictures [N, side, side, 1] → ink [N, 1, SIDE, SIDE] float32 from 0 to 1."""
    ink = 1 - images.astype(np.float32) / 255
    if images.shape[1] != SIDE:
        ink = resample(ink, SIDE).clip(0, 1)
    return torch.from_numpy(np.ascontiguousarray(ink.transpose(0, 3, 1, 2)))


@functools.cache
def classifier() -> tuple[DigitNetwork, float]:
    """The trained network, and what its features are multiplied by."""
    network = DigitNetwork()
    with np.load(WEIGHTS) as file:
        scale = float(file["scale"])
        network.load_state_dict({name: torch.from_numpy(file[name].astype(np.float32)) for name in network.state_dict()})
    return network.eval(), scale
