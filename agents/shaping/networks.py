"""Deep convolution networks that can be shaped: the paper's ResNets with skips of any weight, and small ones."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from agents.shaping.blocks import Block, BlockStyle
from agents.shaping.errors import ShapingError
from agents.shaping.graph import Activation, Items
from agents.shaping.initialise import Initialiser, PlaceMode, initialise, normalise_places
from agents.shaping.modules import Method, ShapedActivation, graph_of, shape_network
from agents.shaping.transform import ETA, TAU, ZETA


@dataclass(frozen=True)
class NetworkConfig:
    """A network's form, and how it is made trainable.

    Attributes:
        channels: of the input.
        classes: logits.
        groups: blocks of each group.
        widths: channels of each group.
        strides: of each group's first block.
        block, version: of the blocks (`blocks.BlockStyle`).
        stem_kernel, stem_width, pool: the first convolution, of stride 2, and whether a 3x3 maximum of stride 2 follows it.
        activation: a name of `functions.FUNCTIONS`.
        shortcut: weight of the shortcuts, 0 for a plain network, None for the plain sums of a usual ResNet.
        batch_norm: with normalisation layers, which exclude shaping.
        method: `dks`, `tat`, or `none` for the function as it is.
        zeta, eta, tau: targets of the methods (`transform`).
        initialiser: `orthogonal`, `he` or `xavier`.
        places: per-location normalisation of the input (`initialise.normalise_places`); None leaves the input as it is.
    """

    channels: int = 3
    classes: int = 1000
    groups: tuple[int, ...] = (3, 4, 6, 3)
    widths: tuple[int, ...] = (256, 512, 1024, 2048)
    strides: tuple[int, ...] = (1, 2, 2, 2)
    block: Literal["basic", "bottleneck"] = "bottleneck"
    version: Literal[1, 2] = 2
    stem_kernel: int = 7
    stem_width: int = 64
    pool: bool = True
    activation: str = "tanh"
    shortcut: float | None = 0.0
    batch_norm: bool = False
    method: Method = "dks"
    zeta: float = ZETA
    eta: float = ETA
    tau: float = TAU
    initialiser: Initialiser = "orthogonal"
    places: PlaceMode | None = "one"

    def __post_init__(self) -> None:
        if not len(self.groups) == len(self.widths) == len(self.strides):
            raise ShapingError(f"{self.groups} groups, {self.widths} widths, {self.strides} strides: expected as many of each")
        if self.batch_norm and self.method != "none":
            raise ShapingError(f"batch normalisation with method {self.method}: a shaped network has no batch normalisation")
        if self.shortcut is None and self.method != "none":
            raise ShapingError(f"plain sums with method {self.method}: expected a shortcut weight, so that sums are normalised")

    @property
    def depth(self) -> int:
        """Layers with weights on the way from input to logits."""
        return sum(self.groups) * (2 if self.block == "basic" else 3) + 2


SMALL = NetworkConfig(widths=(32, 48, 64), groups=(8, 8, 8), strides=(2, 2, 1), block="basic", stem_kernel=5, stem_width=32)
"""For pictures of 42 x 42: blocks see 6 x 6, 3 x 3 and 3 x 3 places."""

PRESETS: dict[str, NetworkConfig] = {
    "small-20": replace(SMALL, groups=(3, 3, 3)),
    "small-50": SMALL,
    "small-98": replace(SMALL, groups=(16, 16, 16)),
    "resnet-50": NetworkConfig(),
    "resnet-101": NetworkConfig(groups=(3, 4, 23, 3)),
    "resnet-152": NetworkConfig(groups=(3, 8, 36, 3)),
    "resnet-200": NetworkConfig(groups=(3, 24, 36, 3)),
}


def preset(name: str, **changes: Any) -> NetworkConfig:
    """A named form with other settings.

    Raises:
        ShapingError: an unknown name.
    """
    if name not in PRESETS:
        raise ShapingError(f"network {name!r}: expected one of {', '.join(PRESETS)}")
    return replace(PRESETS[name], **changes)


class DeepNetwork(nn.Module):
    """Stem, groups of blocks, mean over places, logits; shaped and initialised as its configuration says.

    Args:
        generator: of the weights, on the CPU.

    Raises:
        ShapingError: a configuration that can't be shaped, or a target that it can't reach.
    """

    def __init__(self, config: NetworkConfig, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        style = BlockStyle(config.block, config.version, config.activation, config.shortcut, config.batch_norm)
        entering = config.channels + (config.places in ("one", "average"))
        self.stem = nn.Conv2d(
            entering, config.stem_width, config.stem_kernel, 2, config.stem_kernel // 2, bias=not style.batch_norm
        )
        first = config.version == 1
        self.stem_norm = style.norm(config.stem_width) if first else nn.Identity()
        self.stem_activation = style.activation() if first else nn.Identity()
        self.pool = nn.MaxPool2d(3, 2, 1) if config.pool else nn.Identity()
        blocks, width = [], config.stem_width
        for count, out, stride in zip(config.groups, config.widths, config.strides, strict=True):
            for i in range(count):
                blocks.append(Block(style, width, out, stride if i == 0 else 1))
                width = out
        self.blocks = nn.Sequential(*blocks)
        self.final_norm = nn.Identity() if first else style.norm(width)
        self.final_activation = nn.Identity() if first else style.activation()
        self.logits = nn.Linear(width, config.classes)
        shape_network(self, config.method, zeta=config.zeta, eta=config.eta, tau=config.tau)
        initialise(self, config.initialiser, generator)

    def graph(self) -> Items:
        """The network as kernel maps see it."""
        ends = [
            (Activation(),) if isinstance(end, ShapedActivation) else () for end in (self.stem_activation, self.final_activation)
        ]
        return (*ends[0], *graph_of(self.blocks, "blocks"), *ends[1])

    def places(self, x: Tensor) -> Tensor:
        """[N, C, H, W] float → [N, width, h, w], what the mean over places is of."""
        if self.config.places is not None:
            x = normalise_places(x, self.config.places)
        x = self.pool(self.stem_activation(self.stem_norm(self.stem(x))))
        return self.final_activation(self.final_norm(self.blocks(x)))

    def features(self, x: Tensor) -> Tensor:
        """[N, C, H, W] float → [N, width]."""
        return self.places(x).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] float → logits [N, classes]."""
        return self.logits(self.features(x))
