"""Scaled orthogonal and Delta weights, and per-location normalisation."""

import pytest
import torch
from torch import nn

from agents.shaping import ShapingError, initialise, normalise_places, scaled_orthogonal_

NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
DEVICES = ["cpu", pytest.param("cuda", marks=(pytest.mark.cuda, NO_GPU))]
SIZES = [(32, 128), (128, 32), (64, 64)]


@pytest.mark.parametrize(("into", "out"), SIZES)
def test_linear_layers_keep_q(into, out):
    generator = torch.Generator().manual_seed(0)
    weight = scaled_orthogonal_(torch.empty(out, into), generator=generator)
    x = torch.randn(4000, into, generator=generator)
    assert (x @ weight.T).square().mean() / x.square().mean() == pytest.approx(1, abs=0.05)
    small = min(into, out)
    gram = weight @ weight.T if out <= into else weight.T @ weight
    torch.testing.assert_close(gram, torch.eye(small) * max(out / into, 1), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [1, 3, (5, 3)])
@pytest.mark.parametrize(("into", "out"), SIZES)
def test_convolutions_keep_q(into, out, kernel, stride):
    generator = torch.Generator().manual_seed(0)
    size = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    layer = nn.Conv2d(into, out, size, stride, tuple(k // 2 for k in size))
    initialise(layer, generator=generator)
    x = torch.randn(64, into, 9, 9, generator=generator)
    with torch.no_grad():
        y = layer(x)
    assert y.square().mean() / x.square().mean() == pytest.approx(1, abs=0.05)
    # At the border as in the middle: padding never meets the one tap that isn't 0.
    assert y[:, :, 0, 0].square().mean() == pytest.approx(1, abs=0.15)
    assert int((layer.weight.abs().sum((0, 1)) > 0).sum()) == 1


def test_matrices_are_drawn_uniformly():
    """Haar measure: the mean of a matrix is 0, of a squared entry 1/n, and no sign is preferred on the diagonal."""
    generator = torch.Generator().manual_seed(0)
    draws = torch.stack([scaled_orthogonal_(torch.empty(4, 4), generator=generator) for _ in range(3000)])
    torch.testing.assert_close(draws.mean(0), torch.zeros(4, 4), atol=0.04, rtol=0)
    torch.testing.assert_close(draws.square().mean(0), torch.full((4, 4), 0.25), atol=0.02, rtol=0)
    assert torch.linalg.det(draws).mean() == pytest.approx(0, abs=0.06)


def test_without_delta_all_taps_are_drawn():
    weight = scaled_orthogonal_(torch.empty(16, 8, 2, 2), delta=False, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(weight.flatten(1) @ weight.flatten(1).T, torch.eye(16), atol=1e-5, rtol=0)


@pytest.mark.parametrize("shape", [(8, 8, 2, 2), (8, 8, 3, 4)])
def test_even_kernels_are_refused(shape):
    with pytest.raises(ShapingError, match=f"kernel {shape[2]}x{shape[3]}: expected odd"):
        scaled_orthogonal_(torch.empty(shape))
    with pytest.raises(ShapingError, match="expected"):
        scaled_orthogonal_(torch.empty(8))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("mode", ["one", "average"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_place_has_mean_square_one(mode, dtype, device):
    generator = torch.Generator().manual_seed(0)
    x = 3 * torch.randn(5, 3, 6, 7, generator=generator)
    x[0] = 0
    x[1, :, 2] = 0
    y = normalise_places(x.to(device, dtype), mode)
    assert (y.shape, y.dtype, y.device.type) == ((5, 4, 6, 7), dtype, device)
    torch.testing.assert_close(y.square().mean(1), torch.ones(5, 6, 7, dtype=dtype, device=device), atol=1e-5, rtol=0)
    assert (y[0, 3] == y[0, 3, 0, 0]).all()


def test_without_a_constant_channel_zeros_stay():
    x = torch.ones(2, 3, 2, 2)
    x[0] = 0
    y = normalise_places(x, "off")
    assert y.shape == x.shape
    assert (y[0] == 0).all()
    torch.testing.assert_close(y[1].square().mean(0), torch.ones(2, 2))
    with pytest.raises(ShapingError, match="'two'"):
        normalise_places(x, "two")  # type: ignore[arg-type]


def test_seeds_repeat():
    draw = [scaled_orthogonal_(torch.empty(6, 5, 3, 3), generator=torch.Generator().manual_seed(3)) for _ in range(2)]
    assert torch.equal(*draw)
