"""Shaped activations as modules, the graph read off a network that has them, and the shaping of a whole network."""

from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from agents.shaping.errors import ShapingError
from agents.shaping.functions import Function, find
from agents.shaping.graph import Activation, Items
from agents.shaping.transform import ETA, TAU, ZETA, Shape, dks, tat

Method: TypeAlias = Literal["dks", "tat", "none"]

TRANSPARENT = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Flatten, nn.Identity, nn.Dropout)
"""Layers that leave q and c as they are at their initialisation."""
POOLS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)
"""Outside of the theory, but few, and near the input or after the last activation."""


class ShapedActivation(nn.Module):
    """φ̂(x) = γ(φ(αx + β) + δ), the identity constants until a network is shaped.

    Computed in float32 at least, whatever the precision around it: γ is the inverse of a small difference of numbers near φ(β),
    so that bfloat16 would have nine times the rounding error of its input. The output has the input's dtype.
    """

    def __init__(self, function: str | Function, shape: Shape | None = None) -> None:
        super().__init__()
        self.base = find(function)
        self.shape = shape or Shape()

    @property
    def shape(self) -> Shape:
        """The constants; they are no parameters, and follow from the network's graph."""
        return self._shape

    @shape.setter
    def shape(self, shape: Shape) -> None:
        self._shape = shape
        self.function = shape.function(self.base)

    def forward(self, x: Tensor) -> Tensor:
        """[...] → [...], the same dtype."""
        shape = self._shape
        y = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
        # Additions in place are safe: a product by a number keeps nothing for its gradient.
        if shape.alpha != 1 or shape.beta:
            y = (y * shape.alpha).add_(shape.beta)
        y = self.function(y)
        if shape.gamma != 1 or shape.delta:
            y = (y * shape.gamma).add_(shape.gamma * shape.delta)
        return y.to(x.dtype)

    def extra_repr(self) -> str:
        return f"{self.base.name}, {self._shape}"


def graph_of(network: nn.Module, name: str = "network") -> Items:
    """The graph of a module: its own `graph()` where it has one, else read off its kind.

    Raises:
        ShapingError: a layer that kernel maps can't follow, by its name; batch normalisation above all.
    """
    for inner, module in network.named_modules(prefix=name):
        if isinstance(module, _BatchNorm):
            raise ShapingError(f"{inner} is a {type(module).__name__}: a shaped network has no batch normalisation")
    if isinstance(network, ShapedActivation):
        return (Activation(),)
    if isinstance(network, (*TRANSPARENT, *POOLS)):
        return ()
    own: Any = getattr(network, "graph", None)
    if own is not None:
        return own()
    if isinstance(network, nn.Sequential):
        return tuple(item for inner, module in network.named_children() for item in graph_of(module, f"{name}.{inner}"))
    raise ShapingError(f"{name} is a {type(network).__name__}: expected a chain of layers, or a module with a graph()")


def shape_network(
    network: nn.Module, method: Method = "dks", *, zeta: float = ZETA, eta: float = ETA, tau: float = TAU
) -> nn.Module:
    """Gives every `ShapedActivation` of a network the constants that its graph asks for, and returns the network.

    Args:
        method: `none` leaves the functions as they are.

    Raises:
        ShapingError: as `graph_of`, `dks` and `tat`; a network without a shaped activation.
    """
    if method == "none":
        return network
    activations = [module for module in network.modules() if isinstance(module, ShapedActivation)]
    items = graph_of(network)
    shapes = {}
    for activation in activations:
        if activation.base not in shapes:
            function = activation.base
            shapes[function] = dks(function, items, zeta=zeta) if method == "dks" else tat(function, items, eta=eta, tau=tau)
        activation.shape = shapes[activation.base]
    if not activations:
        raise ShapingError(f"{type(network).__name__}: no ShapedActivation in it that could be shaped")
    return network
