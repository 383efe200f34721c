"""What lies between the encoder and the heads, with or without memory. A new body is a module with a
subclass of `Core` (see `core_factory`)."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from agents.networks.distributions import PolicyHead
from agents.networks.inputs import Inputs, Perception
from agents.networks.lstm import LSTM
from env.batch import ActionSpec
from maze_gen.errors import InputError
from maze_gen.plugins import plugin

CORE_FEATURES = 256
FIRST_MEMORY = 64

State = tuple[Tensor, ...]
"""What a core remembers, each [N, width] float32."""


@dataclass(frozen=True)
class CoreInput:
    """What a core is built for.

    Attributes:
        features: width of the encoder's features.
        perception: what else the agent perceives.
    """

    features: int
    perception: Perception


class Core(nn.Module, ABC):
    """What lies between the encoder and the heads.

    Attributes:
        width: of what it returns.
        layer_widths: the layers that analysis reads, name → width, from the input to the policy; the encoder isn't among them.
        has_cell: whether the last tensor of the state is a cell state of its own, to be shown beside the output.
        tracked: entries that a step computes from its state without parameters and leaves in `Inputs.tracked`, which `unroll`
            reads.
    """

    width: int
    layer_widths: Mapping[str, int]
    has_cell: bool = False
    tracked: int = 0

    def policy_head(self, spec: ActionSpec) -> PolicyHead | None:
        """A policy head of its own, for actions of a specification; None for the usual one."""
        return None

    @abstractmethod
    def initial_state(self, batch: int) -> State:
        """Zeros for `batch` rows."""

    @abstractmethod
    def step(self, features: Tensor, inputs: Inputs, state: State) -> tuple[Tensor, State]:
        """Features [N, F] → core features [N, width] and the next state."""

    @abstractmethod
    def unroll(self, features: Tensor, inputs: Inputs, state: State, starts: Tensor) -> Tensor:
        """Features [T, B, F], state before the first step, starts [T, B] bool → core features [T, B, width]."""

    def unroll_known(self, features: Tensor, inputs: Inputs, state: State, starts: Tensor) -> tuple[Tensor, Tensor | None]:
        """`unroll`, and what a slot of the core could have noted at each step [T, B, K]; None for a core without one."""
        return self.unroll(features, inputs, state, starts), None

    def recall(self, known: Tensor, noted: Tensor) -> Tensor:
        """Core features [..., width] of steps with `known` [..., K], had the slot been written where `noted` [..., K] was known.

        Raises:
            InputError: this core has no slot.
        """
        raise InputError(f"{type(self).__name__} has no slot that could be written in hindsight: leave out the loss 'hindsight'")

    def view_keys(self, features: Tensor) -> Tensor:
        """Keys of views, by which the core recognises them: features [..., F] → [..., K] of length 1.

        Raises:
            InputError: this core recognises nothing.
        """
        raise InputError(f"{type(self).__name__} has no keys of views: leave out the loss 'same-place'")

    @abstractmethod
    def layers(self, output: Tensor, state: State) -> dict[str, Tensor]:
        """The layers' activations after a step, name → [N, width], given what `step` returned."""


class FeedforwardCore(Core):
    """No memory: the heads read the encoder."""

    def __init__(self, size: CoreInput) -> None:
        super().__init__()
        self.width = size.features
        self.layer_widths = {}

    def initial_state(self, batch: int) -> State:
        return ()

    def step(self, features: Tensor, inputs: Inputs, state: State) -> tuple[Tensor, State]:
        return features, ()

    def unroll(self, features: Tensor, inputs: Inputs, state: State, starts: Tensor) -> Tensor:
        return features

    def layers(self, output: Tensor, state: State) -> dict[str, Tensor]:
        return {}


class LstmCore(Core):
    """One LSTM of 256 over the encoder's features."""

    width = CORE_FEATURES
    has_cell = True

    def __init__(self, size: CoreInput) -> None:
        super().__init__()
        self.layer_widths = {"LSTM": CORE_FEATURES}
        self.memory = LSTM(size.features, CORE_FEATURES)

    def initial_state(self, batch: int) -> State:
        return self.memory.initial_state(batch)

    def step(self, features: Tensor, inputs: Inputs, state: State) -> tuple[Tensor, State]:
        state = self.memory.step(features, *state)
        return state[0], state

    def unroll(self, features: Tensor, inputs: Inputs, state: State, starts: Tensor) -> Tensor:
        hidden, cell = state
        return self.memory.unroll(features, hidden, cell, starts)

    def layers(self, output: Tensor, state: State) -> dict[str, Tensor]:
        return {"LSTM": output}


class NavCore(Core):
    """LSTM of 64 over [features, last reward], then LSTM of 256 over [features, its output, velocity, last action].

    Attributes:
        extra: what a subclass adds to the second one's input.
    """

    width = CORE_FEATURES
    has_cell = True
    extra: int = 0
    vector_factor: Tensor

    def __init__(self, size: CoreInput) -> None:
        super().__init__()
        self.layer_widths = {"LSTM 1": FIRST_MEMORY, "LSTM 2": CORE_FEATURES}
        scale = size.perception.vector_scale
        self.first = LSTM(size.features + 1, FIRST_MEMORY)
        self.second = LSTM(
            size.features + FIRST_MEMORY + len(scale) + sum(size.perception.action_sizes) + self.extra, CORE_FEATURES
        )
        self.register_buffer("vector_factor", torch.tensor([1 / typical for typical in scale]), persistent=False)

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

    def layers(self, output: Tensor, state: State) -> dict[str, Tensor]:
        return {"LSTM 1": state[0], "LSTM 2": output}

    def _second_input(self, features: Tensor, first: Tensor, inputs: Inputs) -> Tensor:
        return torch.cat((features, first, inputs.vector * self.vector_factor, inputs.action), -1)


CoreFactory = Callable[[CoreInput], Core]

CORES: dict[str, CoreFactory] = {"feedforward": FeedforwardCore, "lstm": LstmCore, "nav": NavCore}
"""By the name in `AgentConfig.core`; another module of this folder is a body too, see `core_factory`."""


def core_factory(name: str) -> CoreFactory:
    """What makes the core of a name: a row of `CORES`, else `CORE` of the module of that name in this folder.

    Raises:
        InputError: neither.
    """
    found = CORES.get(name) or plugin(__package__, name, "CORE")
    if found is None:
        raise InputError(f"core {name!r}: expected one of {', '.join(CORES)}, or a module of agents/networks that has a CORE")
    return found


def keep_state(state: State, starts: Tensor) -> State:
    """The state with the rows of `starts` [N] bool set to zero."""
    kept = (~starts).unsqueeze(1)
    return tuple(part * kept for part in state)
