"""Residual blocks whose skip can be weighted, removed, or left as it is between normalisation layers."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from agents.shaping.errors import ShapingError
from agents.shaping.functions import Function
from agents.shaping.graph import Activation, Items, residual
from agents.shaping.modules import ShapedActivation

BOTTLENECK = 4
"""Width of a bottleneck block over that of its inner layers."""


@dataclass(frozen=True)
class BlockStyle:
    """What all blocks of a network share.

    Attributes:
        kind: `basic` (two 3x3 convolutions) or `bottleneck` (1x1, 3x3, 1x1).
        version: 1, activation after the sum (1512.03385), or 2, before each convolution (1603.05027).
        function: the activation.
        shortcut: w of √(1 − w²)·residual + w·shortcut, 0 for no skip; None for a plain sum.
        batch_norm: a BatchNorm beside each convolution, which then has no bias.
    """

    kind: Literal["basic", "bottleneck"] = "basic"
    version: Literal[1, 2] = 2
    function: str | Function = "tanh"
    shortcut: float | None = 0.0
    batch_norm: bool = False

    def __post_init__(self) -> None:
        if self.shortcut is not None and not 0 <= self.shortcut < 1:
            raise ShapingError(f"shortcut weight {self.shortcut}: expected at least 0 and less than 1, or None for a plain sum")

    def activation(self) -> nn.Module:
        return ShapedActivation(self.function)

    def norm(self, channels: int) -> nn.Module:
        return nn.BatchNorm2d(channels) if self.batch_norm else nn.Identity()

    def convolution(self, into: int, out: int, kernel: int, stride: int = 1) -> nn.Conv2d:
        return nn.Conv2d(into, out, kernel, stride, kernel // 2, bias=not self.batch_norm)


class Block(nn.Module):
    """One residual block, [N, in, H, W] → [N, out, H/stride, W/stride].

    The projection of a shortcut whose shape changes reads the first activation in version 2, the block's input in version 1.
    """

    def __init__(self, style: BlockStyle, into: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.style = style
        if style.kind == "basic":
            plan = ((into, out, 3, stride), (out, out, 3, 1))
        else:
            inner = out // BOTTLENECK
            plan = ((into, inner, 1, 1), (inner, inner, 3, stride), (inner, out, 1, 1))
        self.convolutions = nn.ModuleList(style.convolution(*row) for row in plan)
        first = style.version == 2
        self.norms = nn.ModuleList(style.norm(row[0] if first else row[1]) for row in plan)
        self.activations = nn.ModuleList(style.activation() for _ in plan)
        projects = style.shortcut != 0 and (stride != 1 or into != out)
        self.projection = style.convolution(into, out, 1, stride) if projects else None
        self.projection_norm = style.norm(out) if projects and not first else None

    def forward(self, x: Tensor) -> Tensor:
        return self._version_2(x) if self.style.version == 2 else self._version_1(x)

    def _version_2(self, x: Tensor) -> Tensor:
        shortcut, y = x, x
        for i, (norm, activation, convolution) in enumerate(zip(self.norms, self.activations, self.convolutions, strict=True)):
            y = activation(norm(y))
            if i == 0 and self.projection is not None:
                shortcut = self.projection(y)
            y = convolution(y)
        return self._sum(y, shortcut)

    def _version_1(self, x: Tensor) -> Tensor:
        shortcut, y = x, x
        if self.projection is not None and self.projection_norm is not None:
            shortcut = self.projection_norm(self.projection(x))
        last = len(self.convolutions) - 1
        for i, (norm, convolution) in enumerate(zip(self.norms, self.convolutions, strict=True)):
            y = norm(convolution(y))
            if i < last:
                y = self.activations[i](y)
        return self.activations[last](self._sum(y, shortcut))

    def _sum(self, branch: Tensor, shortcut: Tensor) -> Tensor:
        weight = self.style.shortcut
        if weight is None:
            return branch + shortcut
        if weight == 0:
            return branch
        return ((1 - weight**2) ** 0.5 * branch).add_(shortcut, alpha=weight)

    def graph(self) -> Items:
        """The block as kernel maps see it.

        Raises:
            ShapingError: a plain sum, which isn't normalised.
        """
        weight = self.style.shortcut
        if weight is None:
            raise ShapingError("a block with a plain sum: expected a shortcut weight, so that the sum is normalised")
        layers = len(self.convolutions)
        if self.style.version == 2:
            projection = (Activation(),) if self.projection is not None else ()
            return residual((Activation(),) * layers, weight, projection)
        return (*residual((Activation(),) * (layers - 1), weight), Activation())
