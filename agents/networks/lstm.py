"""An LSTM as two functions of one weight: a step for acting, and a whole sequence with a backward of its own for learning."""

import warnings
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.networks.lstm_cell import make_gates
from agents.precision import product_dtype

Starts = Literal["seen", "anywhere", "first"]
"""At which steps of a sequence episodes may start: those that `starts` holds (`seen`), `anywhere`, or at the `first` alone.

Only `seen` reads the tensor, which synchronises with a GPU; the others have no data-dependent control flow."""

SMALLEST = 4096
"""Steps with fewer hidden numbers are multiplied in float32: converting to bfloat16 would cost more than it saves."""


class LSTM(nn.Module):
    """A long short-term memory whose weight is one matrix, so that a step is one matrix product.

    The rows of `weight` [4H, I + H] are the input, forget and output gates, then the candidate; its columns are the input, then
    the hidden state.

    Attributes:
        starts_at: see `Starts`.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.starts_at: Starts = "seen"
        self.input_size = input_size
        self.hidden_size = hidden_size
        bound = hidden_size**-0.5
        self.weight = nn.Parameter(torch.empty(4 * hidden_size, input_size + hidden_size).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(4 * hidden_size).uniform_(-bound, bound))

    def initial_state(self, batch: int) -> tuple[Tensor, Tensor]:
        """(hidden, cell), each [batch, H] float32 zeros."""
        zeros = self.weight.new_zeros(batch, self.hidden_size)
        return zeros, zeros.clone()

    def step(self, inputs: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """One step: inputs [N, I], hidden and cell [N, H] → the next hidden and cell [N, H]."""
        # Products may be in bfloat16 (`agents.precision`); cells, which add up over steps, never are.
        gates = functional.linear(torch.cat((inputs, hidden), 1), self.weight, self.bias).to(cell.dtype)
        H = self.hidden_size
        input_gate, forget_gate, output_gate = gates[:, : 3 * H].sigmoid().chunk(3, 1)
        cell = torch.addcmul(forget_gate * cell, input_gate, gates[:, 3 * H :].tanh())
        return output_gate * cell.tanh(), cell

    def unroll(self, inputs: Tensor, hidden: Tensor, cell: Tensor, starts: Tensor) -> Tensor:
        """A sequence.

        Args:
            inputs: [T, B, I] float32.
            hidden, cell: [B, H] float32, the state before the first step; no gradient reaches them.
            starts: [T, B] bool, where an episode begins: the state before that step is taken as zero. Not read where episodes
                start at the first step alone: the caller's state is zero there already.

        Returns:
            [T, B, H] float32, the hidden state after each step.
        """
        T, B, width = inputs.shape
        if self.starts_at == "first" and product_dtype(self.weight) == self.weight.dtype:
            return self._unroll_at_once(inputs, hidden, cell)
        weight = self.weight[:, : self.input_size]
        projected = functional.linear(inputs.reshape(T * B, width), weight, self.bias).view(T, B, -1)
        if B * self.hidden_size < SMALLEST:
            projected = projected.to(self.weight.dtype)
        recurrent = self.weight[:, self.input_size :].to(projected.dtype)
        return _Sequence.apply(projected, recurrent, hidden, cell, starts, self.starts_at)

    def _unroll_at_once(self, inputs: Tensor, hidden: Tensor, cell: Tensor) -> Tensor:
        """`unroll` by torch's own LSTM, on a GPU cuDNN's: fewer and larger kernels; shapes as there."""
        width = self.input_size
        weight, bias = self._candidate_third(self.weight), self._candidate_third(self.bias)
        parameters = [weight[:, :width].contiguous(), weight[:, width:].contiguous(), bias, torch.zeros_like(bias)]
        with warnings.catch_warnings():
            # Parts of one matrix are not contiguous; cuDNN copies them, which takes a few microseconds.
            warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous chunk")
            return torch.lstm(inputs, (hidden[None], cell[None]), parameters, True, 1, 0.0, True, False, False)[0]

    def _candidate_third(self, part: Tensor) -> Tensor:
        """Rows [4H, ...] in the order of torch's LSTM: the candidate before the output gate."""
        H = self.hidden_size
        return torch.cat((part[: 2 * H], part[3 * H :], part[2 * H : 3 * H]))


class _Sequence(torch.autograd.Function):
    """The recurrent part of an LSTM over [T, B], given the inputs' contribution to the gates.

    Autograd's graph of the loop would have some twenty nodes a step. Here a step is one product and the gates' elementwise work
    (`agents.networks.lstm_cell`), and the backward computes the weight's gradient as one product over all steps.
    """

    @staticmethod
    def forward(
        ctx: Any, projected: Tensor, weight: Tensor, hidden: Tensor, cell: Tensor, starts: Tensor, starts_at: Starts
    ) -> Tensor:
        T, B, gate_width = projected.shape
        H = gate_width // 4
        cells = cell.new_empty(T + 1, B, H)
        hiddens = projected.new_empty(T + 1, B, H)
        cells[0], hiddens[0] = cell, hidden
        gates = make_gates(cell.new_empty(T, B, 4, H), cells, cell.new_empty(T, B, H), hiddens, starts_at != "seen")
        kept = _kept(starts, starts_at)
        # Contiguous as the products read it, once for all steps.
        transposed = weight.t().contiguous()
        for t in range(T):
            if t in kept:
                # The backward multiplies with the state that the step read; the caller's tensor stays as it is.
                hiddens[t].mul_(kept[t])
                cells[t].mul_(kept[t])
            torch.addmm(projected[t], hiddens[t], transposed, out=gates.product)
            gates.forward(t)
        # A hidden state that a later start zeroes is still the output of the step before, and returned as it was.
        whole = hiddens.dtype == cells.dtype and not any(t > 0 for t in kept)
        outputs = hiddens[1:] if whole else torch.mul(gates.gates[:, :, 2], gates.squashed)
        ctx.starts_at = starts_at
        ctx.save_for_backward(weight, gates.gates, cells, gates.squashed, hiddens, starts)
        return outputs

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        weight, kept_gates, cells, squashed, hiddens, starts = ctx.saved_tensors
        gates = make_gates(kept_gates, cells, squashed, hiddens, ctx.starts_at != "seen")
        T, B, H = gates.squashed.shape
        gate_grads, cell_grad, hidden_grad = gates.begin_backward(grads[0])
        kept = _kept(starts, ctx.starts_at)
        for t in reversed(range(T)):
            gates.backward(t)
            if t == 0:
                break
            torch.mm(gate_grads[t], weight, out=hidden_grad)
            if t in kept:
                cell_grad.mul_(kept[t])
                hidden_grad.mul_(kept[t])
        weight_grad = gate_grads.view(T * B, 4 * H).t() @ gates.hiddens[:-1].reshape(T * B, H)
        return gate_grads, weight_grad, None, None, None, None


def _kept(starts: Tensor, starts_at: Starts) -> dict[int, Tensor]:
    """{t: [B, 1] bool, False where an episode starts at t}, for the steps t at which any may."""
    if starts_at == "first":
        return {}
    some = range(len(starts)) if starts_at == "anywhere" else starts.any(1).nonzero().flatten().tolist()
    return {t: (~starts[t]).unsqueeze(1) for t in some}


def use_masks(model: nn.Module, inside: bool) -> None:
    """Makes all LSTMs of a model independent of data: episodes may start anywhere or, unless `inside`, at the first step."""
    for module in model.modules():
        if isinstance(module, LSTM):
            module.starts_at = "anywhere" if inside else "first"
