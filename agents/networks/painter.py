"""An agent that paints: an encoder of canvas and target whose map has a key for every place, and a core."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.networks.cores import Core, CoreInput, State
from agents.networks.encoder import BYTE_SCALE, MIDDLE_BYTE, Encoder, initialise_rectified
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

    The first map is the keys. Pixels are as in the convolutional encoder.

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
        self.features, self.key_width = FEATURES, KEY_CHANNELS
        stride, second = side // grid, grid // _POOLED
        # Two pixels more on each side: a place is near the strokes that touch its cell.
        self.first = nn.Conv2d(channels, KEY_CHANNELS, stride + 4, stride, 2)
        self.second = nn.Conv2d(KEY_CHANNELS, _SECOND_CHANNELS, second, second)
        self.linear = nn.Linear(_SECOND_CHANNELS * _POOLED**2, FEATURES)
        initialise_rectified(self.first, self.second, self.linear)

    def forward(self, images: Tensor) -> Tensor:
        return self.encode(images)[0]

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        pixels = (images ^ MIDDLE_BYTE).view(torch.int8).permute(0, 3, 1, 2).to(product_dtype(self.first.weight))
        weight, first = self.first.weight * BYTE_SCALE, self.first
        found = functional.relu(functional.conv2d(pixels, weight, first.bias, first.stride, first.padding))
        # Channels last: a key is contiguous, and so is what the second convolution reads for a place.
        keys = found.permute(0, 2, 3, 1).contiguous()
        features = functional.relu(self.linear(self._narrow(keys)))
        return features.float(), keys.flatten(1, 2).float()

    def _narrow(self, keys: Tensor) -> Tensor:
        """[M, grid, grid, d] → [M, channels x 4 x 4]: the second convolution, whose windows don't overlap, as one product."""
        M, grid, _, d = keys.shape
        side = grid // _POOLED
        windows = keys.view(M, _POOLED, side, _POOLED, side, d).transpose(2, 3).reshape(M * _POOLED**2, -1)
        weight = self.second.weight.permute(0, 2, 3, 1).flatten(1)
        narrow = functional.relu(functional.linear(windows, weight, self.second.bias))
        return narrow.view(M, _POOLED**2, -1).transpose(1, 2).flatten(1)


def canvas_encoder(perception: Perception) -> Encoder:
    """A row of `encoders.ENCODERS`."""
    side, _, channels = perception.image_shape
    return CanvasEncoder(side, channels, perception.grid[0])


class PainterCore(Core):
    """An LSTM of 128 over the encoder's features, the other observations and the last action."""

    has_cell = True

    def __init__(self, size: CoreInput) -> None:
        super().__init__()
        perception = size.perception
        self.width = MEMORY
        self.layer_widths = {"LSTM": MEMORY}
        self.last_action = nn.Linear(sum(perception.action_sizes), LAST_ACTION)
        self.memory = LSTM(size.features + LAST_ACTION + len(perception.vector_scale) + 1, MEMORY)

    def initial_state(self, batch: int) -> State:
        return self.memory.initial_state(batch)

    def step(self, features: Tensor, inputs: Inputs, state: State) -> tuple[Tensor, State]:
        state = self.memory.step(self._perceived(features, inputs), *state)
        return state[0], state

    def unroll(self, features: Tensor, inputs: Inputs, state: State, starts: Tensor) -> Tensor:
        hidden, cell = state
        return self.memory.unroll(self._perceived(features, inputs), hidden, cell, starts)

    def layers(self, output: Tensor, state: State) -> dict[str, Tensor]:
        return {"LSTM": state[0]}

    def _perceived(self, features: Tensor, inputs: Inputs) -> Tensor:
        """What the memory reads."""
        action = functional.relu(self.last_action(inputs.action)).to(features.dtype)
        return torch.cat((features, action, inputs.vector, inputs.reward.unsqueeze(-1)), -1)


CORE = PainterCore
