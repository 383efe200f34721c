"""A body that notes what it knew when it was rewarded: the paper's two LSTMs, a slot that rewards write, and a layer over both.

Where the goal is becomes known in the one step in which it is reached, and is wanted hundreds of steps later. An LSTM has to
learn for that when to open a gate, what to write through it, and to leave it closed; here the reward opens it. The agent
perceives nothing that the paper's agents don't.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.networks.cores import CORE_FEATURES, FIRST_MEMORY, CoreInput, NavCore, State
from agents.networks.inputs import Inputs

SLOT = 64
FORGOTTEN = -1e3
"""Logarithm of what an episode's start leaves of the slot."""


class RewardMemoryCore(NavCore):
    """The slot m_t = (1 − g_t) m_{t−1} + g_t W h_{t−1}, with h the second LSTM's output and g_t = σ(a r_t + b).

    r_t is the last reward, so that h_{t−1} is what the agent knew when it earned that. The output is h_t + f(h_t, m_t) with f of
    one hidden layer: the way to a place depends on both places together.
    """

    has_cell = False

    def __init__(self, size: CoreInput) -> None:
        super().__init__(size)
        self.layer_widths: Mapping[str, int] = {
            "LSTM 1": FIRST_MEMORY,
            "LSTM 2": CORE_FEATURES,
            "slot": SLOT,
            "output": CORE_FEATURES,
        }
        # A goal of 10 points is noted whole, a strawberry of 2 hardly, no reward not at all.
        self.gate = nn.Parameter(torch.tensor([2.0, -8.0]))
        self.write = nn.Linear(CORE_FEATURES, SLOT, bias=False)
        self.hidden = nn.Linear(CORE_FEATURES + SLOT, CORE_FEATURES)
        self.mixed = nn.Linear(CORE_FEATURES, CORE_FEATURES)

    def initial_state(self, batch: int) -> State:
        return (*super().initial_state(batch), self.gate.new_zeros(batch, SLOT))

    def step(self, features: Tensor, inputs: Inputs, state: State) -> tuple[Tensor, State]:
        before, noted = state[2], state[4]
        known, after = super().step(features, inputs, state[:4])
        gate = self._logits(inputs.reward).sigmoid().unsqueeze(1)
        noted = noted + gate * (self.write(before).to(noted.dtype) - noted)
        return self._output(known, noted), (*after, noted)

    def unroll(self, features: Tensor, inputs: Inputs, state: State, starts: Tensor) -> Tensor:
        return self.unroll_known(features, inputs, state, starts)[0]

    def unroll_known(self, features: Tensor, inputs: Inputs, state: State, starts: Tensor) -> tuple[Tensor, Tensor]:
        known = super().unroll(features, inputs, state[:4], starts)
        before = torch.cat((state[2].unsqueeze(0).to(known.dtype), known[:-1])).masked_fill(starts.unsqueeze(-1), 0)
        written = self.write(before).to(self.gate.dtype)
        return self._output(known, noted_over_time(state[4], written, self._logits(inputs.reward), starts)), known

    def recall(self, known: Tensor, noted: Tensor) -> Tensor:
        return self._output(known, self.write(noted).to(self.gate.dtype))

    def layers(self, output: Tensor, state: State) -> dict[str, Tensor]:
        return {"LSTM 1": state[0], "LSTM 2": state[2], "slot": state[4], "output": output}

    def _logits(self, reward: Tensor) -> Tensor:
        return self.gate[0] * reward + self.gate[1]

    def _output(self, known: Tensor, noted: Tensor) -> Tensor:
        known = known.to(noted.dtype)
        return known + self.mixed(functional.relu(self.hidden(torch.cat((known, noted), -1)))).to(noted.dtype)


def noted_over_time(first: Tensor, written: Tensor, logits: Tensor, starts: Tensor) -> Tensor:
    """All m_t at once: every written value times what later gates leave of it.

    Args:
        first: [B, W] float32, the slot before the first step.
        written: [T, B, W] float32.
        logits: [T, B] float32, of the gates.
        starts: [T, B] bool, where an episode begins: what the slot held is forgotten.

    Returns:
        [T, B, W] float32.
    """
    # Sums of logarithms over a rollout, of which differences are wanted.
    logits = logits.double()
    left = functional.logsigmoid(-logits).masked_fill(starts, FORGOTTEN).cumsum(0).T
    opened = functional.logsigmoid(logits).T
    later = torch.ones(len(logits), len(logits), dtype=torch.bool, device=logits.device).triu(1)
    share = (left.unsqueeze(2) + (opened - left).unsqueeze(1)).masked_fill(later, -torch.inf).exp().to(written.dtype)
    kept = left.exp().to(written.dtype).unsqueeze(-1) * first.unsqueeze(1)
    return (torch.bmm(share, written.transpose(0, 1)) + kept).transpose(0, 1)


CORE = RewardMemoryCore
