"""The maximal function that is derived from a network's own blocks, and what is refused."""

import pytest
import torch
from torch import nn

from agents.shaping import (
    DeepNetwork,
    NetworkConfig,
    ShapedActivation,
    ShapingError,
    chain,
    dks,
    graph_of,
    maximum,
    preset,
    shape_network,
)
from agents.shaping.blocks import Block, BlockStyle
from agents.shaping.graph import count
from agents.shaping.transform import leaky_c
from tests.agents.shaping.oracle import resnet_maximum

GROUPS = {"resnet-50": (3, 4, 6, 3), "resnet-101": (3, 4, 23, 3), "resnet-152": (3, 8, 36, 3)}


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("name", GROUPS)
def test_maximal_function_of_the_resnets(name, version):
    for weight in (0.3, 0.6, 0.9):
        with torch.device("meta"):
            network = DeepNetwork(preset(name, version=version, shortcut=weight))
        items = network.graph()
        for start, local in ((1.0, lambda x: 1.05 * x), (0.0, lambda x: x + 0.01), (0.0, lambda c: leaky_c(c, 0.4))):
            # The stem's activation of version 1 comes before all blocks.
            first = local(start) if version == 1 else start
            by_hand = resnet_maximum(GROUPS[name], version, weight, first, local)
            assert maximum(items, start, local) == pytest.approx(by_hand, rel=1e-12)


def test_a_branch_alone_can_be_the_largest():
    """With a shortcut weight of .95 few blocks hardly bend, and a branch is the steepest subnetwork."""
    block = Block(BlockStyle("bottleneck", shortcut=0.95), 8, 8)
    assert maximum(block.graph(), 1.0, lambda x: 1.2 * x) == pytest.approx(1.2**3)


@pytest.mark.parametrize(("version", "activations"), [(1, 49), (2, 49)])
def test_plain_networks_are_chains(version, activations):
    with torch.device("meta"):
        network = DeepNetwork(preset("small-50", version=version))
    assert network.graph() == chain(activations)
    assert network.config.depth == 50


@pytest.mark.parametrize(("name", "parameters"), [("resnet-50", 25.5e6), ("resnet-101", 44.5e6), ("resnet-152", 60.1e6)])
def test_constructed_resnets_are_the_papers(name, parameters):
    with torch.device("meta"):
        network = DeepNetwork(preset(name, shortcut=0.5, places=None))
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(parameters, rel=0.01)
    layers = [module for module in network.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    assert len(layers) == network.config.depth + 4


def test_graph_of_a_chain_of_ones_own():
    network = nn.Sequential(nn.Linear(4, 5), ShapedActivation("tanh"), nn.Sequential(nn.Linear(5, 5), ShapedActivation("tanh")))
    assert graph_of(network) == chain(2)
    shape_network(network)
    assert [module.shape for module in network.modules() if isinstance(module, ShapedActivation)] == [dks("tanh", chain(2))] * 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: graph_of(nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)))), r"network\.0\.1 is a BatchNorm1d"),
        (lambda: graph_of(nn.Sequential(nn.Linear(2, 2), nn.ReLU())), r"network\.1 is a ReLU"),
        (lambda: shape_network(nn.Sequential(nn.Linear(2, 2))), "empty graph|no ShapedActivation"),
        (lambda: NetworkConfig(batch_norm=True), "batch normalisation with method dks"),
        (lambda: NetworkConfig(shortcut=None), "plain sums with method dks"),
        (lambda: NetworkConfig(groups=(1, 2)), "as many of each"),
        (lambda: DeepNetwork(NetworkConfig(shortcut=1.5)), r"shortcut weight 1\.5"),
        (lambda: preset("resnet-18"), "'resnet-18'"),
        (lambda: small(activation="leaky_relu", method="tat"), "eta 0.9 with leaky_relu: this network can reach at most 0.[67]"),
        (lambda: small(activation="leaky_relu", method="dks", zeta=9.0), "zeta 9.0 with leaky_relu"),
        (lambda: Block(BlockStyle(shortcut=None), 4, 4).graph(), "plain sum"),
    ],
)
def test_refused(call, message):
    with pytest.raises(ShapingError, match=message):
        call()


def small(**changes):
    return DeepNetwork(NetworkConfig(**{"groups": (1,), "widths": (8,), "strides": (1,), "stem_width": 8, **changes}))


def test_batch_norm_networks_have_no_graph():
    network = small(batch_norm=True, method="none", shortcut=None, activation="relu")
    with pytest.raises(ShapingError, match=r"blocks\.0\.norms\.0 is a BatchNorm2d"):
        graph_of(network.blocks, "blocks")
    assert count(small(shortcut=0.5, groups=(2,)).graph()) == 7
