"""The deep encoder of agents: shapes, signal, precision."""

import pytest
import torch

from agents.networks.deep_encoder import DeepEncoder
from agents.networks.encoder import MIDDLE_BYTE
from agents.networks.encoders import ConvolutionalEncoder
from agents.precision import products_in
from agents.shaping import ShapedActivation, chain, dks
from maze_gen.errors import InputError


def images(count=12, height=42, width=42, channels=3):
    return torch.randint(256, (count, height, width, channels), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("height", "width", "channels"), [(42, 42, 3), (84, 84, 3), (42, 42, 4), (40, 64, 1)])
def test_features_are_256_and_neither_vanish_nor_saturate(height, width, channels):
    torch.manual_seed(0)
    encoder = DeepEncoder(height, width, channels)
    features = encoder(images(height=height, width=width, channels=channels))
    assert features.shape == (12, 256)
    assert features.dtype == torch.float32
    assert 0.3 < float(features.detach().square().mean()) < 3
    # Twelve layers, and different pictures still have different features.
    unit = torch.nn.functional.normalize(features.detach() - features.detach().mean(0), dim=1)
    assert (unit @ unit.T).fill_diagonal_(0).abs().max() < 0.9


def test_all_activations_are_shaped_for_twelve_layers():
    shapes = [module.shape for module in DeepEncoder(42, 42, 3).modules() if isinstance(module, ShapedActivation)]
    assert shapes == [dks("tanh", chain(12))] * 12


def test_pixels_are_read_as_by_the_convolutional_encoder():
    """A picture of the middle byte is 0, so that biases alone are left."""
    encoder = DeepEncoder(42, 42, 3)
    with torch.no_grad():
        encoder.stem.weight.fill_(1.0)
    middle = torch.full((1, 42, 42, 3), MIDDLE_BYTE, dtype=torch.uint8)
    pixels = (middle.float() - MIDDLE_BYTE).permute(0, 3, 1, 2)
    torch.testing.assert_close(encoder(middle), encoder.layers(encoder.stem(pixels)))
    other = images(1)
    pixels = ((other.float() - MIDDLE_BYTE) / 64).permute(0, 3, 1, 2)
    torch.testing.assert_close(encoder(other), encoder.layers(encoder.stem(pixels)), atol=1e-4, rtol=1e-4)
    assert DeepEncoder.features == ConvolutionalEncoder.features


def test_precision():
    """Products in bfloat16, activations in float32: features within .02, rms."""
    torch.manual_seed(0)
    encoder = DeepEncoder(42, 42, 3)
    with torch.no_grad():
        exact = encoder(images())
        with products_in(torch.bfloat16, torch.device("cpu")):
            coarse = encoder(images())
    assert (coarse.float() - exact).square().mean().sqrt() < 0.02


def test_seeds_repeat_and_gradients_reach_every_parameter():
    weights = []
    for _ in range(2):
        torch.manual_seed(5)
        encoder = DeepEncoder(42, 42, 3)
        weights.append([p.detach().clone() for p in encoder.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*weights, strict=True))
    encoder(images(2)).sum().backward()
    assert all(p.grad is not None and bool((p.grad != 0).any()) for p in encoder.parameters())


def test_small_pictures_are_refused():
    with pytest.raises(InputError, match="15 x 42"):
        DeepEncoder(15, 42, 3)
