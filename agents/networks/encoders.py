"""What encodes one observation: a table by name, so that a new encoder is a class and a line."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.networks.deep_encoder import DeepEncoder
from agents.networks.encoder import BYTE_SCALE, FEATURES, MIDDLE_BYTE, Encoder, initialise_rectified
from agents.networks.inputs import Perception
from agents.networks.painter import canvas_encoder
from agents.precision import product_dtype
from maze_gen.errors import InputError

CONVOLUTIONS = {84: ((16, 8, 4), (32, 4, 2)), 42: ((16, 4, 4), (32, 3, 2))}
"""Size of the picture → (channels, kernel, stride) of both convolutions; 84 is the paper's."""


class ConvolutionalEncoder(Encoder):
    """Two convolutions and a linear layer of 256, each with a rectifier (paper, section 2).

    Pixels are centred at 0; for the weights see `initialise_rectified`.
    """

    features = FEATURES

    def __init__(self, size: int, channels: int) -> None:
        super().__init__()
        if size not in CONVOLUTIONS:
            raise InputError(f"observation size {size}: expected one of {', '.join(map(str, CONVOLUTIONS))}")
        (first, kernel1, stride1), (second, kernel2, stride2) = CONVOLUTIONS[size]
        self.first = nn.Conv2d(channels, first, kernel1, stride1)
        self.second = nn.Conv2d(first, second, kernel2, stride2)
        side = ((size - kernel1) // stride1 + 1 - kernel2) // stride2 + 1
        self.linear = nn.Linear(second * side * side, FEATURES)
        initialise_rectified(self.first, self.second, self.linear)

    def forward(self, images: Tensor) -> Tensor:
        # A picture with channels last is what the engine writes and what the convolutions read fastest. Scaling the weights
        # costs less than scaling the pixels. A byte with its highest bit flipped is, signed, itself less 128; those numbers are
        # exact in bfloat16 too.
        pixels = (images ^ MIDDLE_BYTE).view(torch.int8).permute(0, 3, 1, 2).to(product_dtype(self.first.weight))
        x = functional.relu_(functional.conv2d(pixels, self.first.weight * BYTE_SCALE, self.first.bias, self.first.stride))
        x = functional.relu_(functional.conv2d(x, self.second.weight, self.second.bias, self.second.stride))
        return functional.relu_(self.linear(x.permute(0, 2, 3, 1).flatten(1)))


class NoEncoder(Encoder):
    """For worlds without pictures, and for cores that read them by themselves: no features."""

    features = 0

    def forward(self, images: Tensor) -> Tensor:
        return images.new_zeros(len(images), 0, dtype=torch.float32)


def _convolutional(perception: Perception) -> Encoder:
    height, width, channels = perception.image_shape
    if height != width:
        raise InputError(f"pictures of {height} x {width}: the encoder 'convolutional' takes square ones")
    return ConvolutionalEncoder(height, channels)


def _deep(perception: Perception) -> Encoder:
    return DeepEncoder(*perception.image_shape)


ENCODERS: Mapping[str, Callable[[Perception], Encoder]] = MappingProxyType(
    {"convolutional": _convolutional, "deep": _deep, "painter": canvas_encoder, "none": lambda _: NoEncoder()}
)
"""By the name in `TrainConfig.encoder`. A new one is a subclass of `Encoder` and a row."""


def make_encoder(name: str, perception: Perception) -> Encoder:
    """The encoder of a name for what an agent perceives.

    Raises:
        InputError: an unknown name, or pictures that it doesn't take.
    """
    if name not in ENCODERS:
        raise InputError(f"encoder {name!r}: expected one of {', '.join(ENCODERS)}")
    return ENCODERS[name](perception) if perception.image_shape[2] else NoEncoder()
