"""Kernels of random networks, measured: what the maps predict, from finite widths."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from agents.shaping.functions import Function
from agents.shaping.initialise import Initialiser, initialise
from agents.shaping.modules import ShapedActivation
from agents.shaping.transform import Shape


def random_stack(
    function: str | Function, shape: Shape, depth: int, width: int, *, how: Initialiser = "orthogonal", seed: int = 0
) -> nn.Sequential:
    """`depth` times a linear layer and a shaped activation, drawn from a seed."""
    generator = torch.Generator().manual_seed(seed)
    layers = [layer for _ in range(depth) for layer in (nn.Linear(width, width), ShapedActivation(function, shape))]
    stack = nn.Sequential(*layers)
    initialise(stack, how, generator)
    return stack


def pairs(cosines: npt.ArrayLike, count: int, width: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Inputs x and y, each [K, count, width], with the given cosines [K] and mean squares of 1."""
    generator = torch.Generator().manual_seed(seed)
    c = torch.as_tensor(np.asarray(cosines, np.float32))[:, None, None]
    normal = torch.randn(2, len(c), count, width, generator=generator)
    x = nn.functional.normalize(normal[0], dim=-1)
    other = normal[1] - (normal[1] * x).sum(-1, keepdim=True) * x
    y = c * x + (1 - c**2).clamp_min(0).sqrt() * nn.functional.normalize(other, dim=-1)
    return x * width**0.5, y * width**0.5


@torch.no_grad()
def measured(network: nn.Module, x: Tensor, y: Tensor) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Cosines of the network's outputs for pairs of inputs [K, P, width], and the mean squares of those of x; each [K, P]."""
    first, second = network(x).double(), network(y).double()
    return nn.functional.cosine_similarity(first, second, dim=-1).numpy(), first.square().mean(-1).numpy()
