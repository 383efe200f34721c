"""An LSTM as two functions of one weight: a step for acting, and a whole sequence with a backward of its own for learning."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class LSTM(nn.Module):
    """A long short-term memory whose weight is one matrix, so that a step is one matrix product.

    The rows of `weight` [4H, I + H] are the input, forget and output gates, then the candidate; its columns are the input, then
    the hidden state.

    Attributes:
        masked: whether a sequence treats every step as one at which some episode may start, instead of asking `starts` at which
            steps one does: nothing is asked of a GPU then, and the work is the same every time.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.masked = False
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
        # Products may be of half the precision (`agents.precision`); what a memory adds up never is.
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
            starts: [T, B] bool, where an episode begins: the state before that step is taken as zero.

        Returns:
            [T, B, H] float32, the hidden state after each step.
        """
        T, B, width = inputs.shape
        weight = self.weight[:, : self.input_size]
        projected = functional.linear(inputs.reshape(T * B, width), weight, self.bias).view(T, B, -1)
        recurrent = self.weight[:, self.input_size :].to(projected.dtype)
        return _Sequence.apply(projected, recurrent, hidden, cell, starts, self.masked)


class _Sequence(torch.autograd.Function):
    """The recurrent part of an LSTM over [T, B], given the inputs' share of the gates.

    Autograd's own record of the loop would hold some twenty nodes a step. Here the loop keeps gates and cells; the backward
    computes all derivatives of gates and cells at once, loops with five operations a step, and takes the weight's gradient as
    one product over all steps.
    """

    @staticmethod
    def forward(
        ctx: Any, projected: Tensor, weight: Tensor, hidden: Tensor, cell: Tensor, starts: Tensor, masked: bool
    ) -> Tensor:
        T, B, gate_width = projected.shape
        H = gate_width // 4
        gates = cell.new_empty(T, B, gate_width)
        cells = cell.new_empty(T + 1, B, H)
        squashed = cell.new_empty(T, B, H)
        hiddens = projected.new_empty(T + 1, B, H)
        cells[0], hiddens[0] = cell, hidden
        kept = _kept(starts, masked)
        transposed = weight.t()
        narrow = projected.dtype != cell.dtype
        product = projected.new_empty(B, gate_width)
        for t in range(T):
            if t in kept:
                # The state that the backward multiplies with is the one that the step saw; the caller's is left alone.
                hiddens[t].mul_(kept[t])
                cells[t].mul_(kept[t])
            torch.addmm(projected[t], hiddens[t], transposed, out=product if narrow else gates[t])
            if narrow:
                gates[t] = product
            gates[t, :, : 3 * H].sigmoid_()
            gates[t, :, 3 * H :].tanh_()
            torch.mul(gates[t, :, H : 2 * H], cells[t], out=cells[t + 1])
            cells[t + 1].addcmul_(gates[t, :, :H], gates[t, :, 3 * H :])
            torch.tanh(cells[t + 1], out=squashed[t])
            torch.mul(gates[t, :, 2 * H : 3 * H], squashed[t], out=hiddens[t + 1])
        # A hidden state that a later start zeroes must still be returned whole: it is the output of the step before.
        whole = not narrow and not any(t > 0 for t in kept)
        outputs = hiddens[1:] if whole else torch.mul(gates[:, :, 2 * H : 3 * H], squashed)
        ctx.masked = masked
        ctx.save_for_backward(weight, gates, cells, squashed, hiddens, starts)
        return outputs

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        weight, gates, cells, squashed, hiddens, starts = ctx.saved_tensors
        (grad,) = grads
        T, B, gate_width = gates.shape
        H = gate_width // 4
        input_gate, forget_gate, output_gate, candidate = gates.split(H, 2)
        by_cell = gates.new_empty(T, B, 3, H)
        torch.mul(candidate * input_gate, 1 - input_gate, out=by_cell[:, :, 0])
        torch.mul(cells[:-1] * forget_gate, 1 - forget_gate, out=by_cell[:, :, 1])
        torch.mul(input_gate, 1 - candidate * candidate, out=by_cell[:, :, 2])
        by_output = squashed * output_gate * (1 - output_gate)
        cell_by_hidden = output_gate * (1 - squashed * squashed)
        kept = _kept(starts, ctx.masked)
        gate_grads = weight.new_empty(T, B, 4, H)
        # Written through views in the gates' order: input, forget, output, candidate.
        by_cell_places = [gate_grads[:, :, 0], gate_grads[:, :, 1], gate_grads[:, :, 3]]
        hidden_grad = grad[T - 1].clone()
        cell_grad = torch.zeros_like(hidden_grad)
        flat = gate_grads.view(T, B, gate_width)
        narrow = weight.dtype != gates.dtype
        product = weight.new_empty(B, H) if narrow else hidden_grad
        for t in reversed(range(T)):
            cell_grad.addcmul_(hidden_grad, cell_by_hidden[t])
            for index, place in enumerate(by_cell_places):
                torch.mul(cell_grad, by_cell[t, :, index], out=place[t])
            torch.mul(hidden_grad, by_output[t], out=gate_grads[t, :, 2])
            if t == 0:
                break
            cell_grad.mul_(forget_gate[t])
            torch.mm(flat[t], weight, out=product)
            if narrow:
                hidden_grad.copy_(product)
            if t in kept:
                cell_grad.mul_(kept[t])
                hidden_grad.mul_(kept[t])
            hidden_grad.add_(grad[t - 1])
        weight_grad = flat.view(T * B, gate_width).t() @ hiddens[:-1].reshape(T * B, H)
        return flat, weight_grad, None, None, None, None


def _kept(starts: Tensor, masked: bool) -> dict[int, Tensor]:
    """{t: [B, 1] bool, False where an episode starts at t}, for the few t where any does, or `masked`, for all."""
    some = range(len(starts)) if masked else starts.any(1).nonzero().flatten().tolist()
    return {t: (~starts[t]).unsqueeze(1) for t in some}


def use_masks(model: nn.Module) -> None:
    """Makes all LSTMs of a model `masked`."""
    for module in model.modules():
        if isinstance(module, LSTM):
            module.masked = True
