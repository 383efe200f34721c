"""A shaped network as plain layers that compute the same: "preserves the model class" (2110.01765, abstract).

In φ̂(x) = γ(φ(αx + β) + δ), α and β go into the layers before, γ and δ into those after. Zero padding happens behind the shift,
so that a folded convolution pads with −δ. Between folded layers, what an activation reads is z = αx + β of the shaped network's
x, and what an activation makes is φ(z) alone.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.shaping.blocks import Block
from agents.shaping.functions import Function
from agents.shaping.initialise import PlaceMode, normalise_places
from agents.shaping.modules import ShapedActivation
from agents.shaping.networks import DeepNetwork
from agents.shaping.transform import Shape


class PaddedConv2d(nn.Module):
    """A convolution whose padding has a value of its own."""

    def __init__(self, convolution: nn.Conv2d, value: float) -> None:
        super().__init__()
        self.convolution = copy.deepcopy(convolution)
        height, width = (int(size) for size in convolution.padding)
        self.edges = (width, width, height, height)
        self.value = value
        if any(self.edges) and value:
            self.convolution.padding = (0, 0)
        else:
            self.edges = (0, 0, 0, 0)

    def forward(self, x: Tensor) -> Tensor:
        return self.convolution(functional.pad(x, self.edges, value=self.value) if any(self.edges) else x)


@torch.no_grad()
def _fold(layer: nn.Conv2d | nn.Linear, read: Shape | None, scale: float, shift: float) -> nn.Module:
    """scale·layer(x) + shift where x = γ(z + δ) of `read`, or x = z without it, as one layer of z."""
    folded = copy.deepcopy(layer)
    weight = folded.weight
    bias = torch.zeros(len(weight)).to(weight) if layer.bias is None else layer.bias.clone()
    pad = 0.0
    if read is not None:
        bias += read.gamma * read.delta * weight.flatten(1).sum(1)
        weight *= read.gamma
        pad = -read.delta
    weight *= scale
    folded.bias = nn.Parameter(scale * bias + shift)
    return PaddedConv2d(folded, pad) if isinstance(folded, nn.Conv2d) else folded


class _Residual(nn.Module):
    """branch(z) + scale·shortcut + shift, the shortcut being z itself, a layer of it, or a layer of the branch's first part."""

    def __init__(self, block: Block, shape: Shape, function: Function) -> None:
        super().__init__()
        self.function = function
        self.first = block.style.version == 1
        weight = block.style.shortcut or 0.0
        rest = (1 - weight**2) ** 0.5
        layers: list[Any] = list(block.convolutions)
        alpha, beta = shape.alpha, shape.beta
        # z = αx + β of a sum: β once in the branch, and what a shortcut that is z itself brings of it taken off again.
        self.scale, self.projection = weight, None
        shift = beta * (1 - weight)
        if block.projection is not None:
            self.projection = _fold(block.projection, shape, weight * alpha, 0.0)
            shift = beta
        elif self.first:
            # The shortcut is γ(φ + δ), not αx + β.
            self.scale, shift = alpha * weight * shape.gamma, beta + alpha * weight * shape.gamma * shape.delta
        self.layers = nn.ModuleList(
            _fold(layer, shape, alpha * rest if i == len(layers) - 1 else alpha, shift if i == len(layers) - 1 else beta)
            for i, layer in enumerate(layers)
        )

    def forward(self, z: Tensor) -> Tensor:
        shortcut, y = z, z
        if self.first and self.projection is not None:
            shortcut = self.projection(z)
        for i, layer in enumerate(self.layers):
            if i > 0 or not self.first:
                y = self.function(y)
            if i == 0 and not self.first and self.projection is not None:
                shortcut = self.projection(y)
            y = layer(y)
        if self.projection is not None:
            y = y + shortcut
        elif self.scale:
            y = y + self.scale * shortcut
        return self.function(y) if self.first else y


class FoldedNetwork(nn.Module):
    """The same outputs as the shaped network that it was made of, from layers with unshaped activation functions."""

    def __init__(self, network: DeepNetwork) -> None:
        super().__init__()
        activation = next(module for module in network.modules() if isinstance(module, ShapedActivation))
        shape, function = activation.shape, activation.function
        self.mode: PlaceMode | None = network.config.places
        self.function = function
        self.first = network.config.version == 1
        # Positive factors and shifts pass through a maximum.
        self.stem = _fold(network.stem, None, shape.alpha, shape.beta)
        self.pool = copy.deepcopy(network.pool)
        self.blocks = nn.Sequential(*(_Residual(block, shape, function) for block in network.blocks))  # type: ignore[arg-type]
        self.logits = _fold(network.logits, shape, 1.0, 0.0)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] float → logits [N, classes]."""
        if self.mode is not None:
            x = normalise_places(x, self.mode)
        z = self.stem(x)
        z = self.blocks(self.pool(self.function(z) if self.first else z))
        return self.logits((z if self.first else self.function(z)).mean((2, 3)))


def fold(network: DeepNetwork) -> FoldedNetwork:
    """Plain layers that compute what a shaped network does; a copy, with weights of its own."""
    return FoldedNetwork(network)
