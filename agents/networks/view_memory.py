"""A body that recognises places of an unseen maze: the paper's two LSTMs, and two maps that are seen from the agent.

One shows where it has been in this trip, the other where the goal should be by what it saw in former trips
(`agents.networks.view_map`). It perceives nothing that the paper's agents don't.
"""

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.networks.cores import CORE_FEATURES, FIRST_MEMORY, CoreInput, NavCore, State
from agents.networks.dead_reckoning import VelocityPlace
from agents.networks.inputs import Inputs
from agents.networks.view_map import SEEN, Perceived, first_views, view
from auxiliary.same_place import KEY

EMBEDDED = 128
NAV_STATE = 4


class ViewMemoryCore(NavCore):
    """The second LSTM reads a layer over both maps; a layer beside it and the heads read the maps themselves.

    Where the goal should be is plain to see in a map: heads that read it needn't wait for an LSTM to learn to pass it on.
    Keys of views are learned by the loss `same-place`; what the maps are made of them has no gradient.
    """

    width = CORE_FEATURES + SEEN
    has_cell = False
    tracked = SEEN
    extra = EMBEDDED

    def __init__(self, size: CoreInput) -> None:
        super().__init__(size)
        self.layer_widths: Mapping[str, int] = {"LSTM 1": FIRST_MEMORY, "LSTM 2": CORE_FEATURES, "output": self.width}
        self.velocity = VelocityPlace(size.perception.first_of("velocity"), size.perception.step_seconds)
        self.key = nn.Linear(size.features, KEY)
        self.maps = nn.Linear(SEEN, EMBEDDED)
        self.hidden = nn.Linear(CORE_FEATURES + SEEN, CORE_FEATURES)
        self.mixed = nn.Linear(CORE_FEATURES, CORE_FEATURES)

    def initial_state(self, batch: int) -> State:
        return (*super().initial_state(batch), *first_views(batch, self.key.weight.detach()))

    def view_keys(self, features: Tensor) -> Tensor:
        return functional.normalize(self.key(features).to(self.key.weight.dtype), dim=-1)

    def step(self, features: Tensor, inputs: Inputs, state: State) -> tuple[Tensor, State]:
        with torch.no_grad():
            now = Perceived(inputs.vector, inputs.reward, self.view_keys(features))
            seen, after = view(now, cast("tuple[Tensor, Tensor, Tensor]", state[NAV_STATE:]), self.velocity)
            inputs.tracked.copy_(seen)
        known, remembered = super().step(features, inputs, state[:NAV_STATE])
        return self._output(known, inputs), (*remembered, *after)

    def unroll(self, features: Tensor, inputs: Inputs, state: State, starts: Tensor) -> Tensor:
        return self._output(super().unroll(features, inputs, state[:NAV_STATE], starts), inputs)

    def layers(self, output: Tensor, state: State) -> dict[str, Tensor]:
        return {"LSTM 1": state[0], "LSTM 2": state[2], "output": output}

    def _second_input(self, features: Tensor, first: Tensor, inputs: Inputs) -> Tensor:
        joined = super()._second_input(features, first, inputs)
        return torch.cat((joined, functional.relu(self.maps(inputs.tracked)).to(joined.dtype)), -1)

    def _output(self, known: Tensor, inputs: Inputs) -> Tensor:
        known = known.to(self.key.weight.dtype)
        seen = inputs.tracked.to(known.dtype)
        mixed = self.mixed(functional.relu(self.hidden(torch.cat((known, seen), -1)))).to(known.dtype)
        return torch.cat((known + mixed, seen), -1)


CORE = ViewMemoryCore
