"""What every encoder of pictures has in common."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

FEATURES = 256

MIDDLE_BYTE, BYTE_SCALE = 128, 1 / 64
"""What is subtracted from pixels, and what they are multiplied by then: about 0 on average, with a spread of about 1."""


class Encoder(nn.Module, ABC):
    """Encodes pictures.

    Attributes:
        features: the width of what it returns.
        key_width: d, entries of the key of each cell of a grid, which parts of an action point at; 0 without keys.
    """

    features: int
    key_width: int = 0

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """[M, height, width, C] uint8 → [M, features] float32."""

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """`forward`, and the keys [M, cells, d] float32, which pass by the core; None without keys."""
        return self(images), None


def initialise_rectified(*layers: nn.Conv2d | nn.Linear) -> None:
    """Draws orthogonal weights (arXiv 1312.6120) with the rectifier's gain, so that features don't start much smaller than the
    pixels that they are made of; biases are 0."""
    for layer in layers:
        nn.init.orthogonal_(layer.weight, nn.init.calculate_gain("relu"))
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
