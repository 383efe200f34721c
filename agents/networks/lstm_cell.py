"""The elementwise part of an LSTM step: compiled for the CPU, in torch's operations elsewhere.

Torch takes ten operations a step, each over a few thousand numbers, and their overhead exceeds the arithmetic.
"""

from abc import ABC, abstractmethod
from typing import Any

import numba
import numpy as np
import torch
from numba import types
from numba.extending import overload, register_jitable
from torch import Tensor

ONE, TWO = np.float32(1), np.float32(2)
LOG2_E = np.float32(1.4426950408889634)
LN_2_HIGH, LN_2_LOW = np.float32(0.693145751953125), np.float32(1.4286068203094172e-6)
"""ln 2 in two parts: multiples of the first are exact."""
ROUND = np.float32(1.5 * 2**23)
"""Added to a small number and taken away again, leaves the nearest integer."""
LARGEST = np.float32(80)
"""e to this and to its opposite are normal numbers."""
C7, C6, C5, C4, C3, C2 = (np.float32(1 / number) for number in (5040, 720, 120, 24, 6, 2))
"""One through the factorials: the Taylor series of e to the x."""


class Gates(ABC):
    """What the backward of a sequence needs of its forward, and both halves of a step.

    Attributes:
        gates: [T, B, 4, H] float: input, forget and output gates and the candidate, after their activation functions.
        cells: [T + 1, B, H] float, the first of them before the sequence.
        squashed: [T, B, H] float, tanh of the cells after each step.
        hiddens: [T + 1, B, H], in the precision of products.
        product: [B, 4H], where the caller writes the gates' pre-activations of a step, in that precision.
    """

    def __init__(self, gates: Tensor, cells: Tensor, squashed: Tensor, hiddens: Tensor) -> None:
        self.gates, self.cells, self.squashed, self.hiddens = gates, cells, squashed, hiddens
        _, B, _, H = gates.shape
        self.product = hiddens.new_empty(B, 4 * H)

    @abstractmethod
    def forward(self, t: int) -> None:
        """`product` and the cells before step t → gates, cells and hidden states after it."""

    def begin_backward(self, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Makes what the backward writes, and what it needs of all steps at once.

        Args:
            grad: [T, B, H] of what the steps put out.

        Returns:
            gate_grads [T, B, 4H], in the precision of products; cell_grad [B, H] zeros, what reaches the cells from later steps;
            hidden_grad [B, H] zeros in the precision of products, what reaches the hidden states from the step after.
        """
        T, B, _, H = self.gates.shape
        self.gate_grads = self.hiddens.new_empty(T, B, 4, H)
        self.cell_grad, self.hidden_grad = self.cells.new_zeros(B, H), self.hiddens.new_zeros(B, H)
        self._prepare(grad)
        return self.gate_grads.view(T, B, 4 * H), self.cell_grad, self.hidden_grad

    @abstractmethod
    def _prepare(self, grad: Tensor) -> None:
        """What `backward` needs of all steps at once; `grad` as in `begin_backward`."""

    @abstractmethod
    def backward(self, t: int) -> None:
        """hidden_grad and cell_grad as of after step t → gate_grads of step t, and cell_grad as of before it."""


class CompiledGates(Gates):
    """Of float32 memories on the CPU, one call a step."""

    def __init__(self, gates: Tensor, cells: Tensor, squashed: Tensor, hiddens: Tensor) -> None:
        super().__init__(gates, cells, squashed, hiddens)
        self._kept = _array(gates), _array(cells), _array(squashed)
        _, B, _, H = gates.shape
        self._product, self._hiddens = _array(self.product.view(B, 4, H)), _array(hiddens)

    def forward(self, t: int) -> None:
        gates, cells, squashed = self._kept
        _forward(self._product, gates[t], cells[t], cells[t + 1], squashed[t], self._hiddens[t + 1])

    def _prepare(self, grad: Tensor) -> None:
        self._grads = _array(grad.contiguous()), _array(self.gate_grads), _array(self.cell_grad), _array(self.hidden_grad)
        self._row = np.empty(self.cells.shape[2], np.float32)

    def backward(self, t: int) -> None:
        gates, cells, squashed = self._kept
        grad, gate_grads, cell_grad, hidden_grad = self._grads
        _backward(gates[t], cells[t], squashed[t], grad[t], hidden_grad, cell_grad, gate_grads[t], self._row)


class TorchGates(Gates):
    """On any device and of any dtype; the derivatives of all steps at once, then six operations a step."""

    def forward(self, t: int) -> None:
        gates = self.gates[t]
        gates.copy_(self.product.view(gates.shape))
        gates[:, :3].sigmoid_()
        gates[:, 3].tanh_()
        torch.mul(gates[:, 1], self.cells[t], out=self.cells[t + 1])
        self.cells[t + 1].addcmul_(gates[:, 0], gates[:, 3])
        torch.tanh(self.cells[t + 1], out=self.squashed[t])
        torch.mul(gates[:, 2], self.squashed[t], out=self.hiddens[t + 1])

    def _prepare(self, grad: Tensor) -> None:
        T, B, _, H = self.gates.shape
        input_gate, forget_gate, output_gate, candidate = self.gates.unbind(2)
        self.by_cell = self.gates.new_empty(T, B, 3, H)
        torch.mul(candidate * input_gate, 1 - input_gate, out=self.by_cell[:, :, 0])
        torch.mul(self.cells[:-1] * forget_gate, 1 - forget_gate, out=self.by_cell[:, :, 1])
        torch.mul(input_gate, 1 - candidate * candidate, out=self.by_cell[:, :, 2])
        self.by_output = self.squashed * output_gate * (1 - output_gate)
        self.cell_by_hidden = output_gate * (1 - self.squashed * self.squashed)
        self.grad = grad

    def backward(self, t: int) -> None:
        whole = self.grad[t] + self.hidden_grad
        self.cell_grad.addcmul_(whole, self.cell_by_hidden[t])
        places = self.gate_grads[t]
        torch.mul(self.cell_grad.unsqueeze(1), self.by_cell[t, :, :2], out=places[:, :2])
        torch.mul(whole, self.by_output[t], out=places[:, 2])
        torch.mul(self.cell_grad, self.by_cell[t, :, 2], out=places[:, 3])
        self.cell_grad.mul_(self.gates[t, :, 1])


def make_gates(gates: Tensor, cells: Tensor, squashed: Tensor, hiddens: Tensor, only_torch: bool = False) -> Gates:
    """The fastest that fits; `only_torch` where torch has to see all that is done."""
    compiled = cells.device.type == "cpu" and cells.dtype == torch.float32 and hiddens.dtype in (torch.float32, torch.bfloat16)
    return (CompiledGates if compiled and not only_torch else TorchGates)(gates, cells, squashed, hiddens)


def _array(tensor: Tensor) -> Any:
    """The same memory as an array; bfloat16, which NumPy doesn't know, as its bits."""
    return (tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor).numpy()


def _compiled(function: Any) -> Any:
    return numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})(function)


@register_jitable
def _exp(x):  # pragma: no cover - compiled
    """e to the x float32, for x of at most 80 either way; wrong by less than 1e-7 of it (`tests/agents/test_gates.py`)."""
    whole = (x * LOG2_E + ROUND) - ROUND
    rest = (x - whole * LN_2_HIGH) - whole * LN_2_LOW
    series = ((((((C7 * rest + C6) * rest + C5) * rest + C4) * rest + C3) * rest + C2) * rest + ONE) * rest + ONE
    return series * np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)


@register_jitable
def _sigmoid(x):  # pragma: no cover - compiled
    return ONE / (ONE + _exp(-min(max(x, -LARGEST), LARGEST)))


@register_jitable
def _tanh(x):  # pragma: no cover - compiled
    return ONE - TWO / (ONE + _exp(min(max(x + x, -LARGEST), LARGEST)))


def _widen(value):
    """A float32, or the bits of a bfloat16, as float32; in compiled code only."""
    raise NotImplementedError


def _narrow(value, like):
    """A float32 as it is, or as the bits of the nearest bfloat16, whatever `like` is; in compiled code only."""
    raise NotImplementedError


@overload(_widen, inline="always")
def _widen_overload(value):  # pragma: no cover - compiled
    if isinstance(value, types.Integer):
        return lambda value: np.uint32(np.uint32(value) << np.uint32(16)).view(np.float32)
    return lambda value: value


@overload(_narrow, inline="always")
def _narrow_overload(value, like):  # pragma: no cover - compiled
    if isinstance(like, types.Integer):

        def rounded(value, like):
            bits = np.float32(value).view(np.uint32)
            return np.uint16((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16))

        return rounded
    return lambda value, like: value


# One array is written in each loop: then the compiler can tell at little cost that nothing overlaps, and use vectors.


@_compiled
def _forward(product, gates, before, cells, squashed, hiddens):  # pragma: no cover - compiled
    """A step of `Gates.forward`: product and gates [B, 4, H], cells before and after, their tanh, and hidden states [B, H]."""
    B, H = cells.shape
    for b in range(B):
        for k in range(3):
            for j in range(H):
                gates[b, k, j] = _sigmoid(_widen(product[b, k, j]))
        for j in range(H):
            gates[b, 3, j] = _tanh(_widen(product[b, 3, j]))
        for j in range(H):
            cells[b, j] = gates[b, 1, j] * before[b, j] + gates[b, 0, j] * gates[b, 3, j]
        for j in range(H):
            squashed[b, j] = _tanh(cells[b, j])
        for j in range(H):
            hiddens[b, j] = _narrow(gates[b, 2, j] * squashed[b, j], hiddens[b, j])


@_compiled
def _backward(gates, before, squashed, grad, hidden_grad, cell_grad, gate_grads, whole):  # pragma: no cover - compiled
    """A step of `Gates.backward`: gates and gate_grads [B, 4, H], the others [B, H]; `whole` [H] is room to work in."""
    B, H = before.shape
    for b in range(B):
        for j in range(H):
            whole[j] = grad[b, j] + _widen(hidden_grad[b, j])
        for j in range(H):
            cell_grad[b, j] += whole[j] * gates[b, 2, j] * (ONE - squashed[b, j] * squashed[b, j])
        for j in range(H):
            gate = gates[b, 0, j]
            gate_grads[b, 0, j] = _narrow(cell_grad[b, j] * gates[b, 3, j] * gate * (ONE - gate), gate_grads[b, 0, j])
        for j in range(H):
            gate = gates[b, 1, j]
            gate_grads[b, 1, j] = _narrow(cell_grad[b, j] * before[b, j] * gate * (ONE - gate), gate_grads[b, 1, j])
        for j in range(H):
            gate = gates[b, 2, j]
            gate_grads[b, 2, j] = _narrow(whole[j] * squashed[b, j] * gate * (ONE - gate), gate_grads[b, 2, j])
        for j in range(H):
            candidate = gates[b, 3, j]
            gate_grads[b, 3, j] = _narrow(cell_grad[b, j] * gates[b, 0, j] * (ONE - candidate * candidate), gate_grads[b, 3, j])
        for j in range(H):
            cell_grad[b, j] *= gates[b, 1, j]
