"""An agent that paints: an encoder of canvas and target whose map has a key for every place, and a core that hands them on."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.networks.cores import Core, CoreInput, State
from agents.networks.encoders import BYTE_SCALE, MIDDLE_BYTE, Encoder
from agents.networks.inputs import Inputs, Perception
from agents.networks.lstm import LSTM
from agents.precision import product_dtype
from maze_gen.errors import InputError

KEY_CHANNELS = 8
"""d, entries of the key of a place."""
FEATURES = 256
MEMORY = 128
LAST_ACTION = 32
_POOLED = 4
"""Cells of the second map, each way."""
_SECOND_CHANNELS = 32


class CanvasEncoder(Encoder):
    """A convolution whose map has the grid of the actions, a second one to 4 x 4 places, and a linear layer of 256.

    It returns those features and then the first map, [d, cells], the keys. Pixels are as in the convolutional encoder.

    Args:
        side: of the pictures.
        channels: of canvas and target together.
        grid: cells of the actions, each way.

    Raises:
        InputError: the grid doesn't divide the picture, or 4 x 4 places the grid.
    """

    def __init__(self, side: int, channels: int, grid: int) -> None:
        super().__init__()
        if not grid or side % grid or grid % _POOLED:
            expected = f"a grid that is a multiple of {_POOLED} and divides the canvas"
            raise InputError(f"canvases of {side} x {side} and a grid of {grid} x {grid}: the encoder 'painter' takes {expected}")
        self.features = FEATURES + KEY_CHANNELS * grid * grid
        stride, second = side // grid, grid // _POOLED
        # Two pixels more on each side: a place is near the strokes that touch its cell.
        self.first = nn.Conv2d(channels, KEY_CHANNELS, stride + 4, stride, 2)
        self.second = nn.Conv2d(KEY_CHANNELS, _SECOND_CHANNELS, second, second)
        self.linear = nn.Linear(_SECOND_CHANNELS * _POOLED**2, FEATURES)
        for layer in (self.first, self.second, self.linear):
            nn.init.orthogonal_(layer.weight, nn.init.calculate_gain("relu"))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def forward(self, images: Tensor) -> Tensor:
        pixels = (images ^ MIDDLE_BYTE).view(torch.int8).permute(0, 3, 1, 2).to(product_dtype(self.first.weight))
        weight, first = self.first.weight * BYTE_SCALE, self.first
        keys = functional.relu(functional.conv2d(pixels, weight, first.bias, first.stride, first.padding))
        narrow = functional.relu(functional.conv2d(keys, self.second.weight, self.second.bias, self.second.stride))
        features = functional.relu(self.linear(narrow.flatten(1)))
        return torch.cat((features, keys.flatten(1)), 1).float()


def canvas_encoder(perception: Perception) -> Encoder:
    """A row of `encoders.ENCODERS`."""
    side, _, channels = perception.image_shape
    return CanvasEncoder(side, channels, perception.grid[0])


class PainterCore(Core):
    """An LSTM of 128 over the encoder's features, the other observations and the last action; the keys pass by it."""

    has_cell = True

    def __init__(self, size: CoreInput) -> None:
        super().__init__()
        perception = size.perception
        rows, cols = perception.grid
        self.key_width = KEY_CHANNELS * rows * cols
        if not self.key_width or size.features <= self.key_width:
            raise InputError("the core 'painter' takes actions on a grid, and the encoder 'painter'")
        self.width = MEMORY + self.key_width
        self.layer_widths = {"LSTM": MEMORY}
        self.last_action = nn.Linear(sum(perception.action_sizes), LAST_ACTION)
        features = size.features - self.key_width
        self.memory = LSTM(features + LAST_ACTION + len(perception.vector_scale) + 1, MEMORY)

    def initial_state(self, batch: int) -> State:
        return self.memory.initial_state(batch)

    def step(self, features: Tensor, inputs: Inputs, state: State) -> tuple[Tensor, State]:
        perceived, keys = self._perceived(features, inputs)
        state = self.memory.step(perceived, *state)
        return torch.cat((state[0], keys), -1), state

    def unroll(self, features: Tensor, inputs: Inputs, state: State, starts: Tensor) -> Tensor:
        perceived, keys = self._perceived(features, inputs)
        hidden, cell = state
        return torch.cat((self.memory.unroll(perceived, hidden, cell, starts), keys), -1)

    def layers(self, output: Tensor, state: State) -> dict[str, Tensor]:
        return {"LSTM": state[0]}

    def _perceived(self, features: Tensor, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """What the memory reads, and the keys."""
        narrow, keys = features.split((features.shape[-1] - self.key_width, self.key_width), -1)
        action = functional.relu(self.last_action(inputs.action)).to(narrow.dtype)
        return torch.cat((narrow, action, inputs.vector, inputs.reward.unsqueeze(-1)), -1), keys


CORE = PainterCore
