"""`agents.networks.reward_memory` with a map of where the agent has been since it was last put somewhere."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.networks.cores import CoreInput, State
from agents.networks.dead_reckoning import VelocityPlace
from agents.networks.inputs import Inputs
from agents.networks.reward_memory import RewardMemoryCore
from agents.networks.visit_map import VISITS, first_visits, visit

EMBEDDED = 64


class VisitMemoryCore(RewardMemoryCore):
    """The same with the second LSTM reading a layer over the map of visits (`agents.networks.visit_map`), too."""

    tracked = VISITS
    extra = EMBEDDED

    def __init__(self, size: CoreInput) -> None:
        super().__init__(size)
        self.velocity = VelocityPlace(size.perception.first_of("velocity"), size.perception.step_seconds)
        self.visits = nn.Linear(VISITS, EMBEDDED)

    def initial_state(self, batch: int) -> State:
        return (*super().initial_state(batch), *first_visits(batch, self.gate.detach()))

    def step(self, features: Tensor, inputs: Inputs, state: State) -> tuple[Tensor, State]:
        with torch.no_grad():
            seen, after = visit(inputs.vector, inputs.reward, cast("tuple[Tensor, Tensor]", state[5:]), self.velocity)
            inputs.tracked.copy_(seen)
        output, remembered = super().step(features, inputs, state[:5])
        return output, (*remembered, *after)

    def unroll_known(self, features: Tensor, inputs: Inputs, state: State, starts: Tensor) -> tuple[Tensor, Tensor]:
        return super().unroll_known(features, inputs, state[:5], starts)

    def _second_input(self, features: Tensor, first: Tensor, inputs: Inputs) -> Tensor:
        joined = super()._second_input(features, first, inputs)
        return torch.cat((joined, functional.relu(self.visits(inputs.tracked)).to(joined.dtype)), -1)


CORE = VisitMemoryCore
