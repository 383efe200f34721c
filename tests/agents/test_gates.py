"""An LSTM's gates as compiled for the CPU: against torch's operations in double, and its own rounding to bfloat16."""

import numba
import numpy as np
import pytest
import torch

from agents.networks import lstm_cell as gates
from agents.networks.lstm import LSTM
from agents.networks.lstm_cell import CompiledGates, TorchGates, make_gates

T, B, H = 3, 5, 37
"""A width that no vector of the processor divides."""


def random_gates(kind, dtype, products, spread):
    generator = torch.Generator().manual_seed(4)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64) * spread  # noqa: E731
    made = kind(
        torch.zeros(T, B, 4, H, dtype=dtype),
        draw(T + 1, B, H).to(dtype),
        torch.zeros(T, B, H, dtype=dtype),
        torch.zeros(T + 1, B, H, dtype=products),
    )
    made.product.copy_(draw(B, 4 * H).to(torch.bfloat16))
    return made, draw(T, B, H), draw(B, H).to(torch.bfloat16)


def run(made, grad, hidden_grad):
    """Two steps forward and back from the same product; everything that they write."""
    made.forward(0)
    made.forward(1)
    gate_grads, cell_grad, place = made.begin_backward(grad.to(made.cells.dtype))
    for t in (1, 0):
        place.copy_(hidden_grad)
        made.backward(t)
    written = (made.gates[:2], made.cells[:3], made.squashed[:2], made.hiddens[1:3], gate_grads[:2], cell_grad)
    return [part.double() for part in written]


@numba.njit(fastmath={"contract"})
def squash(x, exponentials, sigmoids, tangents):  # pragma: no cover - compiled
    for i in range(len(x)):
        exponentials[i], sigmoids[i], tangents[i] = gates._exp(x[i]), gates._sigmoid(x[i]), gates._tanh(x[i])


def test_exponentials_are_as_exact_as_they_say():
    x = np.linspace(-80, 80, 1_000_001).astype(np.float32)
    exponentials, sigmoids, tangents = (np.empty_like(x) for _ in range(3))
    squash(x, exponentials, sigmoids, tangents)
    exact = x.astype(np.float64)
    assert np.abs(exponentials / np.exp(exact) - 1).max() < 1e-7
    assert np.abs(sigmoids - 1 / (1 + np.exp(-exact))).max() < 1e-7
    assert np.abs(tangents - np.tanh(exact)).max() < 2e-7


@pytest.mark.parametrize("spread", [0.1, 3.0, 60.0])
def test_compiled_gates_are_torchs_in_double(spread):
    ours = run(*random_gates(CompiledGates, torch.float32, torch.float32, spread))
    wanted = run(*random_gates(TorchGates, torch.float64, torch.float64, spread))
    for mine, right in zip(ours, wanted, strict=True):
        torch.testing.assert_close(mine, right.view(mine.shape), rtol=2e-6, atol=5e-7 * max(1.0, spread**2))


def test_half_precision_is_rounded_to_the_nearest():
    ours = run(*random_gates(CompiledGates, torch.float32, torch.bfloat16, 1.0))
    wanted = run(*random_gates(CompiledGates, torch.float32, torch.float32, 1.0))
    for index, (mine, right) in enumerate(zip(ours, wanted, strict=True)):
        rounded = right.float().bfloat16().double() if index in (3, 4) else right
        torch.testing.assert_close(mine, rounded.view(mine.shape), rtol=0, atol=0)


@pytest.mark.parametrize(("dtype", "compiled"), [(torch.float32, True), (torch.float64, False)])
def test_the_compiled_ones_are_taken_where_they_fit(dtype, compiled):
    squashed_gates, states = torch.zeros(T, B, 4, H, dtype=dtype), torch.zeros(T + 1, B, H, dtype=dtype)
    made = make_gates(squashed_gates, states, torch.zeros(T, B, H, dtype=dtype), states.clone())
    assert isinstance(made, CompiledGates if compiled else TorchGates)


def test_a_sequence_in_single_precision_is_the_one_in_double():
    torch.manual_seed(0)
    single = LSTM(5, 7)
    double = LSTM(5, 7).double()
    double.load_state_dict(single.state_dict())
    inputs, first, weights = torch.randn(12, B, 5), torch.randn(2, B, 7), torch.randn(12, B, 7)
    starts = torch.rand(12, B) < 0.1

    def gradients(memory, dtype):
        given = inputs.to(dtype).requires_grad_()
        loss = (memory.unroll(given, first[0].to(dtype), first[1].to(dtype), starts) * weights.to(dtype)).sum()
        return [part.double() for part in torch.autograd.grad(loss, [given, memory.weight, memory.bias])]

    for mine, right in zip(gradients(single, torch.float32), gradients(double, torch.float64), strict=True):
        torch.testing.assert_close(mine, right, rtol=1e-5, atol=1e-5)
