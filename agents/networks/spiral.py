"""The network of SPIRAL++ (arXiv 1910.01007, appendix I): a residual torso whose convolutions are conditioned on the last action
and on the episode's noise, an LSTM of 256, and a policy that decodes places from one vector."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.networks.autoregressive import SequentialPolicyHead
from agents.networks.cores import Core, CoreInput, State
from agents.networks.distributions import INITIAL_GAIN, PolicyHead
from agents.networks.inputs import Inputs
from agents.networks.lstm import LSTM
from env.batch import ActionSpec
from env.painting.task import NOISE
from maze_gen.errors import InputError

CHANNELS = 32
BLOCKS = 8
"""Residual blocks of the torso, and of the decoder of a place."""
WIDTH = 256
EMBEDDING = 16
"""Entries of a choice's embedding, and channels of the decoder of a place: 4 x 4 of them are the vector that it decodes."""
_COARSE = 8
"""Places of the torso's last map, each way."""
_SMALLEST = 4
"""Places with which a decoder begins, each way."""


class ResidualBlock(nn.Module):
    """x + conv1x1(relu(conv3x3(relu(x)))), of `channels`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.wide = nn.Conv2d(channels, channels, 3, padding=1)
        self.narrow = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.narrow(functional.relu(self.wide(functional.relu(x))))


class SpiralCore(Core):
    """The torso and the LSTM; it reads the pictures itself, since what conditions its convolutions is no part of them.

    relu(conv5x5([pictures, x, y]) + MLP(last action, pen, time) + MLP(noise)), convolutions of 4 x 4 and stride 2 down to 8 x 8,
    8 residual blocks, a linear layer of 256, an LSTM of 256. Parts of the last action that had no effect are 0.

    Raises:
        InputError: worlds without canvases, or pictures that aren't 8 times a power of two.
    """

    has_cell = True

    def __init__(self, size: CoreInput) -> None:
        super().__init__()
        perception = size.perception
        height, width, channels = perception.image_shape
        halvings = (height // _COARSE).bit_length() - 1
        if height != width or height != _COARSE << max(halvings, 0):
            raise InputError(f"pictures of {height} x {width}: the core 'spiral' takes squares of 8, 16, 32, ... pixels")
        self.width = WIDTH
        self.layer_widths = {"torso": WIDTH, "LSTM": WIDTH}
        self._effect, self._noise = perception.first_of("effect"), perception.first_of("noise")
        self._sizes = perception.action_sizes
        spans = [(self._effect, len(self._sizes)), (self._noise, NOISE)]
        taken = {first + entry for first, count in spans for entry in range(count)}
        self._others = [entry for entry in range(len(perception.vector_scale)) if entry not in taken]
        self.first = nn.Conv2d(channels + 2, CHANNELS, 5, padding=2)
        self.of_action = _conditioner(sum(self._sizes) + len(self._others))
        self.of_noise = _conditioner(NOISE)
        self.down = nn.ModuleList(nn.Conv2d(CHANNELS, CHANNELS, 4, 2, 1) for _ in range(halvings))
        self.blocks = nn.Sequential(*(ResidualBlock(CHANNELS) for _ in range(BLOCKS)))
        self.linear = nn.Linear(CHANNELS * _COARSE**2, WIDTH)
        self.memory = LSTM(WIDTH, WIDTH)
        line = (torch.arange(height) + 0.5) / height * 2 - 1
        self.register_buffer("places", torch.stack((line.expand(height, -1), line.unsqueeze(1).expand(-1, height))), False)

    def policy_head(self, spec: ActionSpec) -> PolicyHead:
        return DecoderPolicyHead(spec)

    def initial_state(self, batch: int) -> State:
        return self.memory.initial_state(batch)

    def step(self, features: Tensor, inputs: Inputs, state: State) -> tuple[Tensor, State]:
        state = self.memory.step(self.torso(inputs), *state)
        return state[0], state

    def unroll(self, features: Tensor, inputs: Inputs, state: State, starts: Tensor) -> Tensor:
        T, B = starts.shape
        hidden, cell = state
        image, vector, reward, action = (part.flatten(0, 1) for part in inputs.parts()[:4])
        flat = Inputs(image, vector, reward, action)
        return self.memory.unroll(self.torso(flat).view(T, B, -1), hidden, cell, starts)

    def layers(self, output: Tensor, state: State) -> dict[str, Tensor]:
        return {"LSTM": state[0]}

    def torso(self, inputs: Inputs) -> Tensor:
        """[M, ...] → [M, 256]."""
        images, vector = inputs.image, inputs.vector
        pixels = images.permute(0, 3, 1, 2).float() / 127.5 - 1
        places = self.get_buffer("places").expand(len(images), -1, -1, -1)
        effects = vector[:, self._effect : self._effect + len(self._sizes)].split(1, 1)
        action = [part * effect for part, effect in zip(inputs.action.split(self._sizes, 1), effects, strict=True)]
        noise = vector[:, self._noise : self._noise + NOISE]
        conditions = self.of_action(torch.cat((*action, vector[:, self._others]), 1)) + self.of_noise(noise)
        x = functional.relu(self.first(torch.cat((pixels, places), 1)) + conditions[:, :, None, None])
        for layer in self.down:
            x = functional.relu(layer(x))
        return functional.relu(self.linear(self.blocks(x).flatten(1))).float()


def _conditioner(entering: int) -> nn.Module:
    return nn.Sequential(nn.Linear(entering, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, CHANNELS))


class PlaceDecoder(nn.Module):
    """A vector [..., 256] as 4 x 4 places of 16 channels, 8 residual blocks, transposed convolutions of 4 x 4 and stride 2 up to
    grid x grid, and a convolution to one logit a place."""

    def __init__(self, grid: int) -> None:
        super().__init__()
        doublings = (grid // _SMALLEST).bit_length() - 1
        if grid != _SMALLEST << max(doublings, 0):
            raise InputError(f"a grid of {grid} x {grid}: the core 'spiral' takes grids of 4, 8, 16, ... cells")
        self.blocks = nn.Sequential(*(ResidualBlock(EMBEDDING) for _ in range(BLOCKS)))
        self.up = nn.ModuleList(nn.ConvTranspose2d(EMBEDDING, EMBEDDING, 4, 2, 1) for _ in range(doublings))
        self.output = nn.Conv2d(EMBEDDING, 1, 3, padding=1)

    def forward(self, carry: Tensor) -> Tensor:
        """[..., 256] → [..., grid²]."""
        x = self.blocks(carry.reshape(-1, EMBEDDING, _SMALLEST, _SMALLEST))
        for layer in self.up:
            x = functional.relu(layer(x))
        return self.output(x).view(*carry.shape[:-1], -1)


class DecoderPolicyHead(SequentialPolicyHead):
    """z_1 is the core's vector; z_(k+1) = relu(z_k + MLP([z_k, E_k(a_k)])), the MLP being 16-32-256. A place is embedded by its
    coordinates from -1 to 1, and decoded by a `PlaceDecoder`; logits of other parts are linear in z_k."""

    def __init__(self, spec: ActionSpec) -> None:
        super().__init__()
        self.sizes = spec.sizes
        self.conditions = tuple(part.only_if for part in spec.parts)
        self.grids = tuple(part.grid for part in spec.parts)
        if any(grid is not None and grid[0] != grid[1] for grid in self.grids):
            raise InputError(f"grids {self.grids}: the core 'spiral' takes square ones")
        self.outputs = nn.ModuleList(
            nn.Linear(WIDTH, part.size) if part.grid is None else PlaceDecoder(part.grid[0]) for part in spec.parts
        )
        leading = spec.parts[:-1]
        self.embeddings = nn.ModuleList(nn.Linear(part.size if part.grid is None else 2, EMBEDDING) for part in leading)
        self.residuals = nn.ModuleList(
            nn.Sequential(nn.Linear(WIDTH + EMBEDDING, 16), nn.ReLU(), nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, WIDTH))
            for _ in leading
        )

    def forward(self, features: Tensor) -> Tensor:
        return features

    def part_logits(self, k: int, carry: Tensor) -> Tensor:
        return self.outputs[k](carry)

    def advance(self, k: int, carry: Tensor, choice: Tensor) -> Tensor:
        grid = self.grids[k]
        if grid is None:
            chosen = (choice.unsqueeze(-1) == torch.arange(self.sizes[k], device=choice.device)).to(carry.dtype)
        else:
            places = torch.stack((choice // grid[1], choice % grid[1]), -1).to(carry.dtype)
            chosen = (places + 0.5) * (2 / grid[0]) - 1
        embedded = self.embeddings[k](chosen)
        return functional.relu(carry + self.residuals[k](torch.cat((carry, embedded), -1)))

    def initialise(self) -> None:
        for output in self.outputs:
            last = output.output if isinstance(output, PlaceDecoder) else output
            assert isinstance(last, nn.Linear | nn.Conv2d)
            assert last.bias is not None
            nn.init.orthogonal_(last.weight, INITIAL_GAIN)
            nn.init.zeros_(last.bias)


CORE = SpiralCore
