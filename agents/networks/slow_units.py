"""Units that remember from the start: chrono initialisation of some of an LSTM's gates (arXiv 1804.11188, section 3).

A unit whose forget gate has the bias log(T − 1) forgets with a time scale of about T steps. Biases of about 0 give a half-life of
one step, and what gradients through fifty steps or more could teach has faded long before.
"""

import torch
from torch import nn

from agents.networks.lstm import LSTM
from maze_gen.errors import InputError


def slow_down(core: nn.Module, fraction: float, longest: float) -> None:
    """Makes the last units of the core's last LSTM slow: forget bias log U(1, `longest`), input bias its opposite.

    Args:
        fraction: of the LSTM's units, rounded to whole ones.
        longest: the longest time scale, in agent steps.

    Raises:
        InputError: the core has no LSTM.
    """
    memories = [module for module in core.modules() if isinstance(module, LSTM)]
    if not memories:
        raise InputError(f"slow units {fraction:g}: this agent has no LSTM; expected 0")
    memory = memories[-1]
    H = memory.hidden_size
    count = round(fraction * H)
    with torch.no_grad():
        # Rows as in `LSTM.weight`: input gates first, then forget gates.
        bias = memory.bias.new_empty(count).uniform_(1, longest).log_()
        memory.bias[2 * H - count : 2 * H] = bias
        memory.bias[H - count : H] = -bias
