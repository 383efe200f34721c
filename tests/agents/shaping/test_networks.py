"""Deep networks: kernels on pictures, precision, and folding into plain layers."""

import itertools

import pytest
import torch
from torch import nn

from agents.shaping import DeepNetwork, NetworkConfig, ShapedActivation, chain, dks, fold, preset
from agents.shaping.fold import PaddedConv2d

SMALL = NetworkConfig(classes=10, groups=(2, 2), widths=(16, 24), strides=(1, 2), block="basic", stem_kernel=5, stem_width=12)


def network(seed=0, **changes):
    config = NetworkConfig(**{**{name: getattr(SMALL, name) for name in SMALL.__dataclass_fields__}, **changes})
    return DeepNetwork(config, torch.Generator().manual_seed(seed))


def pictures(count=6, size=42, seed=1):
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def test_q_stays_one_at_every_place_of_a_deep_network():
    """50 layers, and the mean square of the units is about 1 in front of the logits, border and middle alike.

    A layer of 32 to 64 channels scatters around its map, so that four seeds are averaged.
    """
    maps = []
    for seed in range(4):
        deep = DeepNetwork(preset("small-50", pool=False), torch.Generator().manual_seed(seed))
        with torch.no_grad():
            maps.append(deep.places(pictures(16)).square().mean((0, 1)))
    q = torch.stack(maps).mean(0)
    assert q.shape == (6, 6)
    assert q.mean() == pytest.approx(1, abs=0.3)
    assert q[1:-1, 1:-1].mean() / q.mean() == pytest.approx(1, abs=0.1)


def test_unshaped_networks_lose_or_saturate_their_signal():
    """The control: tanh as it is, in the same network."""
    plain = DeepNetwork(preset("small-50", method="none", initialiser="xavier"), torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert plain.places(pictures()).square().mean() < 0.05


@pytest.mark.parametrize("activation", ["tanh", "softplus", "leaky_relu"])
def test_shaped_activations_are_computed_in_float32(activation):
    shape = dks(activation, chain(50))
    module = ShapedActivation(activation, shape)
    x = torch.randn(20000, generator=torch.Generator().manual_seed(0)).bfloat16()
    exact = module(x.double())
    got = module(x)
    assert got.dtype == torch.bfloat16
    # What rounding the result alone costs.
    rounding = (exact.bfloat16().double() - exact).square().mean().sqrt()
    assert (got.double() - exact).square().mean().sqrt() <= 1.01 * rounding
    with torch.autocast("cpu", torch.bfloat16):
        assert module(x.float()).dtype == torch.float32


def test_bfloat16_alone_would_not_do():
    """The control: the same constants with every step in bfloat16."""
    shape = dks("tanh", chain(50))
    x = torch.randn(20000, generator=torch.Generator().manual_seed(0)).bfloat16()
    exact = ShapedActivation("tanh", shape)(x.double())
    coarse = shape.gamma * (torch.tanh(shape.alpha * x + shape.beta) + shape.delta)
    errors = [(y.double() - exact).square().mean().sqrt() for y in (coarse, exact.bfloat16())]
    assert errors[0] > 5 * errors[1]


@pytest.mark.parametrize("activation", ["tanh", "softplus"])
def test_features_under_autocast(activation):
    """A 20-layer network with products in bfloat16: features within .02 of float32's, rms."""
    deep = DeepNetwork(preset("small-20", activation=activation, classes=16), torch.Generator().manual_seed(0))
    x = pictures()
    with torch.no_grad():
        exact = deep.features(x)
        with torch.autocast("cpu", torch.bfloat16):
            coarse = deep.features(x)
    assert (coarse - exact).square().mean().sqrt() < 0.02
    assert exact.square().mean() > 0.3


FORMS = [
    (version, weight, block, activation, method)
    for (version, weight, block), (activation, method) in itertools.product(
        itertools.product((1, 2), (0.0, 0.5), ("basic", "bottleneck")),
        (("softplus", "dks"), ("leaky_relu", "dks"), ("tanh", "tat")),
    )
]


@pytest.mark.parametrize(("version", "weight", "block", "activation", "method"), FORMS)
def test_folded_networks_compute_the_same(version, weight, block, activation, method):
    deep = network(version=version, shortcut=weight, block=block, activation=activation, method=method)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in deep.parameters():
            # All taps and biases take part, so that padding counts.
            parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    folded = fold(deep)
    x = pictures()
    with torch.no_grad():
        expected = deep(x)
        torch.testing.assert_close(folded(x), expected, atol=1e-5 * float(expected.abs().max()), rtol=0)
        torch.testing.assert_close(fold(deep.double())(x.double()), deep(x.double()), atol=1e-11, rtol=0)


def test_folded_networks_have_plain_layers_only():
    folded = fold(network())
    kinds = {type(module) for module in folded.modules() if not list(module.children())}
    assert kinds == {nn.Conv2d, nn.Linear, nn.MaxPool2d}
    assert not any(isinstance(module, ShapedActivation) for module in folded.modules())


def test_folding_needs_the_shifted_padding():
    """The control: with zeros for padding the outputs differ."""
    deep = network()
    with torch.no_grad():
        for parameter in deep.parameters():
            parameter += 0.05
    folded = fold(deep)
    for module in folded.modules():
        if isinstance(module, PaddedConv2d):
            module.value = 0.0
    with torch.no_grad():
        assert (folded(pictures()) - deep(pictures())).abs().max() > 0.05


def test_seeds_repeat_and_gradients_reach_every_parameter():
    first, second = network(3), network(3)
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)
    first(pictures()).square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in first.parameters())


@pytest.mark.parametrize("version", [1, 2])
def test_batch_norm_networks(version):
    deep = network(
        version=version, batch_norm=True, method="none", shortcut=None, activation="relu", initialiser="he", places=None
    )
    assert deep(pictures()).shape == (6, 10)
    assert all(layer.bias is None for layer in deep.modules() if isinstance(layer, nn.Conv2d))
