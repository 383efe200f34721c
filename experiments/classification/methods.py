"""What is compared: a network, how it is made trainable, and what trains it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from maze_gen.errors import InputError

if TYPE_CHECKING:
    from agents.shaping import NetworkConfig

Kind: TypeAlias = Literal["bn", "dks", "tat", "none"]
OptimizerName: TypeAlias = Literal["sgd", "adam", "kfac", "muon"]

RATES: dict[str, tuple[float, ...]] = {
    "sgd": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3),
    "adam": (0.0003, 0.001, 0.003, 0.01),
    "kfac": (0.01, 0.03, 0.1, 0.3),
    "muon": (0.001, 0.003, 0.01, 0.03),
}
"""The grid that every method's learning rate is taken from, by optimiser."""
DEPTHS = (20, 50, 98)


@dataclass(frozen=True)
class Method:
    """One row of the comparison.

    Attributes:
        kind: `bn` (batch normalisation), `dks`, `tat`, or `none` (the function as it is).
        shortcut: weight of the skips, 0 for a plain network; None for the plain sums of a usual ResNet, which `bn` has.
    """

    kind: Kind
    activation: str
    depth: int = 50
    optimizer: OptimizerName = "sgd"
    shortcut: float | None = 0.0

    @property
    def key(self) -> str:
        """Its folder's name."""
        skip = "resnet" if self.shortcut is None else f"w{self.shortcut:g}"
        return f"{self.kind}-{self.activation}-{skip}-{self.depth}-{self.optimizer}"

    @property
    def title(self) -> str:
        """How tables and figures call it."""
        form = {None: "ResNet", 0: "plain"}.get(self.shortcut, f"skips {self.shortcut}")
        how = {"bn": "BN", "dks": "DKS", "tat": "TAT"}.get(self.kind, "He" if self.activation == "relu" else "Xavier")
        return f"{form} {how} {self.activation}, depth {self.depth}, {self.optimizer}"

    def network(self, channels: int, outputs: int) -> NetworkConfig:
        """The network's configuration; without shaping, He's initialisation for rectifiers and Xavier's for others."""
        # Imported where it is used: it brings torch, which --help need not wait for.
        from agents.shaping import preset

        shaped = self.kind in ("dks", "tat")
        # Pixels are standardised, which makes their mean square 1 on average. Per-location normalisation would make it 1 at every
        # place, and takes the contrast away with it: here networks learn less from it.
        form = {
            "places": None,
            "channels": channels,
            "classes": outputs,
            "activation": self.activation,
            "shortcut": self.shortcut,
            "batch_norm": self.kind == "bn",
        }
        if shaped:
            return preset(f"small-{self.depth}", method=self.kind, **form)
        rectifier = self.activation in ("relu", "leaky_relu")
        return preset(f"small-{self.depth}", method="none", initialiser="he" if rectifier else "xavier", **form)


BN = Method("bn", "relu", shortcut=None)
TANH = Method("dks", "tanh")

PLAN: tuple[Method, ...] = (
    BN,
    *(Method("dks", name) for name in ("tanh", "softplus", "sigmoid")),
    replace(TANH, optimizer="adam"),
    replace(TANH, optimizer="kfac"),
    Method("none", "relu"),
    Method("none", "tanh"),
    replace(BN, depth=98),
    replace(TANH, depth=98),
    replace(BN, optimizer="adam"),
    replace(BN, optimizer="kfac"),
    replace(TANH, optimizer="muon"),
    replace(BN, optimizer="muon"),
    Method("dks", "leaky_relu"),
    *(Method("tat", name) for name in ("tanh", "leaky_relu")),
)
"""The comparison of the paper's claims, what matters most first."""


def product(
    kinds: tuple[Kind, ...], activations: tuple[str, ...], depths: tuple[int, ...], optimizers: tuple[OptimizerName, ...],
    shortcuts: tuple[float, ...],
) -> tuple[Method, ...]:  # fmt: skip
    """Every combination; `bn` has a rectifier and plain sums whatever the activations and shortcuts are.

    Raises:
        InputError: a depth without a preset.
    """
    wrong = [depth for depth in depths if depth not in DEPTHS]
    if wrong:
        raise InputError(f"--depths {wrong[0]}: expected among {', '.join(map(str, DEPTHS))}")
    methods = []
    for optimizer in optimizers:
        for depth in depths:
            for kind in kinds:
                if kind == "bn":
                    methods.append(replace(BN, depth=depth, optimizer=optimizer))
                else:
                    methods += [Method(kind, name, depth, optimizer, w) for name in activations for w in shortcuts]
    return tuple(dict.fromkeys(methods))


def reference_of(method: Method) -> Method:
    """The BN-ResNet that a method is compared with: as deep, the same optimiser."""
    return replace(BN, depth=method.depth, optimizer=method.optimizer)
