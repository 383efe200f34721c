"""The agent's network: an encoder of one picture, a core with or without memory, and the heads (paper, section 2)."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.config import AgentConfig
from agents.networks.lstm import LSTM
from agents.precision import product_dtype, whole_precision
from env.navigation import NUM_ACTIONS
from maze_gen.errors import InputError

FEATURES = 256
CORE_FEATURES = 256
FIRST_MEMORY = 64

VELOCITY_SCALE = (1 / 320, 1 / 320, 1 / 320, 1 / 126.7, 1 / 126.7, 1 / 126.7)
"""Top speed is 320 units/s; the fastest turn is 20 pixels a frame, 126.7 degrees/s."""

MIDDLE_BYTE, BYTE_SCALE = 128, 1 / 64
"""What is taken from pixels, and what they are multiplied with then: about 0 on average, with a spread of about 1."""

CONVOLUTIONS = {84: ((16, 8, 4), (32, 4, 2)), 42: ((16, 4, 4), (32, 3, 2))}
"""Observation size → (channels, kernel, stride) of both convolutions; 84 is the paper's."""

State = tuple[Tensor, ...]
"""What a core remembers, each [N, width] float32."""


@dataclass
class Inputs:
    """What the agent perceives at each step; leading axes are [N] for a step and [T, B] for a sequence.

    Attributes:
        images: [..., size, size, C] uint8, C = 3, or 4 where depth is an input.
        velocity: [..., 6] float32 (`env.batch.Observation`).
        reward: [...] float32, of the step before; 0 at an episode's start.
        action: [..., 8] float32, one-hot, of the step before; all 0 at an episode's start.
    """

    images: Tensor
    velocity: Tensor
    reward: Tensor
    action: Tensor

    def rows(self, rows: Tensor) -> "Inputs":
        """The same of some rows of a sequence: [T, B, ...] → [T, len(rows), ...]."""
        # Many times as fast as an index.
        return Inputs(*(getattr(self, item.name).index_select(1, rows) for item in fields(self)))


@dataclass
class Outputs:
    """What the network says; leading axes as in `Inputs`.

    Attributes:
        logits: [..., 8] float32, of the policy.
        value: [...] float32.
        encoder: [..., 256] float32, the encoder's features.
        core: [..., 256] float32, what the heads read.
    """

    logits: Tensor
    value: Tensor
    encoder: Tensor
    core: Tensor


class Encoder(nn.Module):
    """Two convolutions and a linear layer of 256, each with a rectifier (paper, section 2).

    Pixels are taken around 0, and the weights start orthogonal (arXiv 1312.6120) with the rectifier's gain, so that features
    don't start much smaller than the pixels that they are made of.
    """

    def __init__(self, size: int, channels: int) -> None:
        super().__init__()
        if size not in CONVOLUTIONS:
            raise InputError(f"observation size {size}: expected one of {', '.join(map(str, CONVOLUTIONS))}")
        (first, kernel1, stride1), (second, kernel2, stride2) = CONVOLUTIONS[size]
        self.first = nn.Conv2d(channels, first, kernel1, stride1)
        self.second = nn.Conv2d(first, second, kernel2, stride2)
        side = ((size - kernel1) // stride1 + 1 - kernel2) // stride2 + 1
        self.linear = nn.Linear(second * side * side, FEATURES)
        for layer in (self.first, self.second, self.linear):
            nn.init.orthogonal_(layer.weight, nn.init.calculate_gain("relu"))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def forward(self, images: Tensor) -> Tensor:
        """[M, size, size, C] uint8 → [M, 256] float32."""
        # A picture with channels last is what the engine writes and what the convolutions read fastest. Scaling the weights
        # costs less than scaling the pixels. A byte with its highest bit flipped is, signed, itself less 128; those numbers are
        # exact in bfloat16 too.
        pixels = (images ^ MIDDLE_BYTE).view(torch.int8).permute(0, 3, 1, 2).to(product_dtype(self.first.weight))
        x = functional.relu_(functional.conv2d(pixels, self.first.weight * BYTE_SCALE, self.first.bias, self.first.stride))
        x = functional.relu_(functional.conv2d(x, self.second.weight, self.second.bias, self.second.stride))
        return functional.relu_(self.linear(x.permute(0, 2, 3, 1).flatten(1)))


class Core(nn.Module, ABC):
    """What lies between the encoder and the heads."""

    @abstractmethod
    def initial_state(self, batch: int) -> State:
        """Zeros for `batch` rows."""

    @abstractmethod
    def step(self, features: Tensor, inputs: Inputs, state: State) -> tuple[Tensor, State]:
        """Features [N, 256] → core features [N, 256] and the next state."""

    @abstractmethod
    def unroll(self, features: Tensor, inputs: Inputs, state: State, starts: Tensor) -> Tensor:
        """Features [T, B, 256], state before the first step, starts [T, B] bool → core features [T, B, 256]."""


class FeedforwardCore(Core):
    """No memory: the heads read the encoder."""

    def initial_state(self, batch: int) -> State:
        return ()

    def step(self, features: Tensor, inputs: Inputs, state: State) -> tuple[Tensor, State]:
        return features, ()

    def unroll(self, features: Tensor, inputs: Inputs, state: State, starts: Tensor) -> Tensor:
        return features


class LstmCore(Core):
    """One LSTM of 256 over the encoder's features."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = LSTM(FEATURES, CORE_FEATURES)

    def initial_state(self, batch: int) -> State:
        return self.memory.initial_state(batch)

    def step(self, features: Tensor, inputs: Inputs, state: State) -> tuple[Tensor, State]:
        state = self.memory.step(features, *state)
        return state[0], state

    def unroll(self, features: Tensor, inputs: Inputs, state: State, starts: Tensor) -> Tensor:
        hidden, cell = state
        return self.memory.unroll(features, hidden, cell, starts)


class NavCore(Core):
    """LSTM of 64 over [features, last reward], then LSTM of 256 over [features, its output, velocity, last action]."""

    velocity_scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.first = LSTM(FEATURES + 1, FIRST_MEMORY)
        self.second = LSTM(FEATURES + FIRST_MEMORY + 6 + NUM_ACTIONS, CORE_FEATURES)
        self.register_buffer("velocity_scale", torch.tensor(VELOCITY_SCALE), persistent=False)

    def initial_state(self, batch: int) -> State:
        return (*self.first.initial_state(batch), *self.second.initial_state(batch))

    def step(self, features: Tensor, inputs: Inputs, state: State) -> tuple[Tensor, State]:
        hidden1, cell1, hidden2, cell2 = state
        hidden1, cell1 = self.first.step(torch.cat((features, inputs.reward.unsqueeze(-1)), -1), hidden1, cell1)
        hidden2, cell2 = self.second.step(self._second_input(features, hidden1, inputs), hidden2, cell2)
        return hidden2, (hidden1, cell1, hidden2, cell2)

    def unroll(self, features: Tensor, inputs: Inputs, state: State, starts: Tensor) -> Tensor:
        hidden1, cell1, hidden2, cell2 = state
        first = self.first.unroll(torch.cat((features, inputs.reward.unsqueeze(-1)), -1), hidden1, cell1, starts)
        return self.second.unroll(self._second_input(features, first, inputs), hidden2, cell2, starts)

    def _second_input(self, features: Tensor, first: Tensor, inputs: Inputs) -> Tensor:
        return torch.cat((features, first, inputs.velocity * self.velocity_scale, inputs.action), -1)


CORES: dict[str, type[Core]] = {"feedforward": FeedforwardCore, "lstm": LstmCore, "nav": NavCore}


class AgentNetwork(nn.Module):
    """An agent without its auxiliary heads.

    Args:
        agent: which core, and whether depth is an input.
        observation_size: 84 or 42.
    """

    def __init__(self, agent: AgentConfig, observation_size: int) -> None:
        super().__init__()
        self.encoder = Encoder(observation_size, 4 if agent.depth_input else 3)
        self.core: Core = CORES[agent.core]()
        self.policy = nn.Linear(CORE_FEATURES, NUM_ACTIONS)
        self.value = nn.Linear(CORE_FEATURES, 1)
        # At first all actions are about equally likely.
        nn.init.orthogonal_(self.policy.weight, 0.01)
        nn.init.zeros_(self.policy.bias)

    def initial_state(self, batch: int) -> State:
        """The state at an episode's start: zeros."""
        return self.core.initial_state(batch)

    def step(self, inputs: Inputs, state: State) -> tuple[Outputs, State]:
        """One step of N rows; inputs [N, ...], state [N, ...]."""
        features = self.encoder(inputs.images)
        core, state = self.core.step(features, inputs, state)
        return self._outputs(features, core), state

    def unroll(self, inputs: Inputs, state: State, starts: Tensor) -> Outputs:
        """A sequence: inputs [T, B, ...], state [B, ...] before its first step, starts [T, B] bool."""
        T, B = starts.shape
        features = self.encoder(inputs.images.flatten(0, 1)).view(T, B, FEATURES)
        return self._outputs(features, self.core.unroll(features, inputs, state, starts))

    def _outputs(self, features: Tensor, core: Tensor) -> Outputs:
        with whole_precision(core.device):
            whole = core.to(self.policy.weight.dtype)
            return Outputs(self.policy(whole), self.value(whole).squeeze(-1), features, core)


def keep_state(state: State, starts: Tensor) -> State:
    """The state with the rows of `starts` [N] bool set to zero."""
    kept = (~starts).unsqueeze(1)
    return tuple(part * kept for part in state)
