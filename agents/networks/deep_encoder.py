"""A deep encoder without normalisation layers or skips, made trainable by Deep Kernel Shaping (arXiv 2110.01765)."""

import torch
from torch import Tensor, nn

from agents.networks.encoder import BYTE_SCALE, FEATURES, MIDDLE_BYTE, Encoder
from agents.precision import product_dtype
from agents.shaping import ShapedActivation, ShapingError, initialise, shape_network
from maze_gen.errors import InputError

STEM_WIDTH, STEM_KERNEL = 16, 5
GROUPS = ((24, 5), (32, 5))
"""(channels, convolutions of 3 x 3) of each group; the first one of a group halves the picture."""
LEAST_SIZE = 16
ACTIVATION = "tanh"


class DeepEncoder(Encoder):
    """Twelve nonlinear layers: a stem, ten convolutions of 3 x 3, and a linear layer of 256; 42 x 42 pixels become 3 x 3 places.

    Pixels are as in the convolutional encoder, about 0 on average with a spread of about 1, and features start with a mean square
    of about 1. The activations are computed in float32, products in whatever the precision is.

    Args:
        height, width, channels: of the pictures.

    Raises:
        InputError: pictures of less than 16 x 16.
    """

    features = FEATURES

    def __init__(self, height: int, width: int, channels: int) -> None:
        super().__init__()
        if min(height, width) < LEAST_SIZE:
            raise InputError(f"pictures of {height} x {width}: the encoder 'deep' takes at least {LEAST_SIZE} x {LEAST_SIZE}")
        self.stem = nn.Conv2d(channels, STEM_WIDTH, STEM_KERNEL, 2, STEM_KERNEL // 2)
        layers: list[nn.Module] = [nn.MaxPool2d(3, 2, 1)]
        rows, cols, entering = _halved(_halved(height)), _halved(_halved(width)), STEM_WIDTH
        for out, convolutions in GROUPS:
            for i in range(convolutions):
                layers += [ShapedActivation(ACTIVATION), nn.Conv2d(entering, out, 3, 2 if i == 0 else 1, 1)]
                entering = out
            rows, cols = _halved(rows), _halved(cols)
        layers += [ShapedActivation(ACTIVATION), nn.Flatten(), nn.Linear(entering * rows * cols, FEATURES)]
        self.layers = nn.Sequential(*layers, ShapedActivation(ACTIVATION))
        try:
            shape_network(self.layers)
        except ShapingError as error:
            raise InputError(f"the encoder 'deep': {error}") from error
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """[M, height, width, C] uint8 → [M, 256]."""
        # As the convolutional encoder reads bytes.
        pixels = (images ^ MIDDLE_BYTE).view(torch.int8).permute(0, 3, 1, 2).to(product_dtype(self.stem.weight))
        x = nn.functional.conv2d(pixels, self.stem.weight * BYTE_SCALE, self.stem.bias, 2, STEM_KERNEL // 2)
        return self.layers(x)


def _halved(size: int) -> int:
    return (size + 1) // 2
