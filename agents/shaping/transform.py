"""Deep Kernel Shaping and TAT: the constants that give an activation function the kernel maps of a trainable network.

φ̂(x) = γ(φ(αx + β) + δ). DKS (2110.01765): Q(1) = Q'(1) = 1, C(0) = 0, C'(1) = s, where s makes the maximal slope ζ.
TAT (2203.08120): Q(1) = Q'(1) = C'(1) = 1, C''(1) = t, where t makes the maximal curvature τ; a leaky rectifier gets the slope
that makes the maximal C(0) equal to η.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from agents.shaping.errors import ShapingError
from agents.shaping.functions import Function, find, has_jump, leaky
from agents.shaping.graph import Items, maximum
from agents.shaping.maps import LocalMaps
from agents.shaping.solve import solve_dks, solve_tat

ZETA, ETA, TAU = 1.5, 0.9, 0.3
"""The published targets."""

RELU_SLOPE = 1 / (1 - 1 / math.pi)
"""C'(1) of a rectifier whose mean is taken off: the most that a leaky one can have."""


@dataclass(frozen=True)
class Shape:
    """Constants of φ̂(x) = γ(φ(αx + β) + δ).

    Attributes:
        slope: of a leaky rectifier, which replaces φ's own; None for every other function.
    """

    alpha: float = 1.0
    beta: float = 0.0
    gamma: float = 1.0
    delta: float = 0.0
    slope: float | None = None

    def function(self, function: Function) -> Function:
        """φ with the slope of this shape."""
        return function if self.slope is None else leaky(self.slope)

    def of(self, function: Function) -> Function:
        """φ̂ itself."""
        inner = self.function(function)
        kinks = tuple((kink - self.beta) / self.alpha for kink in inner.kinks)
        return Function(f"shaped {function.name}", lambda x: self.gamma * (inner(self.alpha * x + self.beta) + self.delta), kinks)


def dks(
    function: str | Function | Callable[[Tensor], Tensor], items: Items, *, zeta: float = ZETA, kinks: tuple[float, ...] = ()
) -> Shape:
    """Deep Kernel Shaping of a function for a network.

    A rectifier has one constant too few: Q'(1) = 1 is given up for it, as in the published package, which discourages it. A leaky
    one meets all four conditions with δ = −(1 − a)/√(2π).

    Args:
        function: a name of `functions.FUNCTIONS`, or any elementwise function of a tensor.
        items: the network's graph (`modules.graph_of`, `graph.chain`).
        zeta: ζ, the largest C_f'(1) that a subnetwork may have.
        kinks: of a function of one's own, where it or a derivative of it jumps.

    Raises:
        ShapingError: ζ ≤ 1, a ζ that a leaky rectifier can't reach in this network, or a function without a solution.
    """
    found = _found(function, kinks)
    if not zeta > 1:
        raise ShapingError(f"zeta {zeta}: expected more than 1")
    slope = _inverse(lambda s: maximum(items, 1.0, lambda x: s * x), zeta, 1.0)
    if found.name == "leaky_relu":
        if slope > RELU_SLOPE:
            most = maximum(items, 1.0, lambda x: RELU_SLOPE * x)
            raise ShapingError(f"zeta {zeta} with leaky_relu: this network can reach at most {most:.6g}")
        return _leaky_dks(slope)
    if found.name == "relu":
        return _relu_dks(slope)
    return Shape(*solve_dks(found, slope))


def tat(
    function: str | Function | Callable[[Tensor], Tensor],
    items: Items,
    *,
    eta: float = ETA,
    tau: float = TAU,
    kinks: tuple[float, ...] = (),
) -> Shape:
    """Tailored Activation Transformation of a function for a network.

    Args:
        function: as for `dks`.
        items: the network's graph.
        eta: η, the largest C_f(0) of a subnetwork; of a leaky rectifier.
        tau: τ, the largest C_f''(1) of a subnetwork; of every other function.
        kinks: as for `dks`.

    Raises:
        ShapingError: a target out of range, an η that the network can't reach (with the largest that it can), a function whose
            slope jumps, so that it has no C''(1), or one without a solution.
    """
    found = _found(function, kinks)
    if found.name == "leaky_relu":
        if not 0 < eta < 1:
            raise ShapingError(f"eta {eta}: expected more than 0 and less than 1")
        most = maximum(items, 0.0, lambda c: leaky_c(c, 0.0))
        if eta > most:
            raise ShapingError(f"eta {eta} with leaky_relu: this network can reach at most {most:.6g}")
        slope = 1 - _inverse(lambda rest: maximum(items, 0.0, lambda c: leaky_c(c, 1 - rest)), eta, 0.0, 1.0)
        return Shape(gamma=math.sqrt(2 / (1 + slope**2)), slope=slope)
    if not tau > 0:
        raise ShapingError(f"tau {tau}: expected more than 0")
    if has_jump(found):
        raise ShapingError(f"TAT of {found.name}: its slope jumps, so that it has no curvature to shape; use leaky_relu, or DKS")
    return Shape(*solve_tat(found, _inverse(lambda t: maximum(items, 0.0, lambda x: x + t), tau, 0.0)))


def leaky_c(c: float, slope: float) -> float:
    """The C map of a leaky rectifier, in closed form (2203.08120, section 4)."""
    c = min(max(c, -1.0), 1.0)
    arc = (math.sqrt(1 - c * c) + (math.pi - math.acos(c)) * c) / math.pi
    return ((1 - slope) ** 2 * arc + 2 * slope * c) / (1 + slope**2)


def _found(function: str | Function | Callable[[Tensor], Tensor], kinks: tuple[float, ...]) -> Function:
    found = find(function)
    return Function(found.name, found.call, kinks) if kinks else found


def _inverse(increasing: Callable[[float], float], target: float, low: float, high: float | None = None) -> float:
    """The argument at which an increasing function has a value, to the last bit."""
    if high is None:
        step = 1e-3
        while increasing(low + step) < target:
            step *= 2
        high = low + step
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if increasing(middle) < target else (low, middle)
    return high


def _leaky_dks(slope: float) -> Shape:
    # C'(1) = 1 / (1 − ρ/π) with ρ = (1 − a)²/(1 + a²), solved for a.
    left = 1 - math.pi * (1 - 1 / slope)
    a = (1 - math.sqrt(max(1 - left**2, 0.0))) / left if left > 1e-9 else 0.0
    delta = -(1 - a) / math.sqrt(2 * math.pi)
    return Shape(1.0, 0.0, 1 / math.sqrt((1 + a * a) / 2 - delta**2), delta, a)


def _relu_dks(target: float) -> Shape:
    beta = 1.0 if target < RELU_SLOPE else -1.0

    def slope(alpha: float) -> float:
        maps = LocalMaps(Function("relu", lambda x: torch.relu(alpha * x + beta), (-beta / alpha,)))
        return maps.c_slope / (1 - maps.c_zero)

    # Rises with α for β = 1, falls for β = −1.
    alpha = math.exp(_inverse(lambda log: beta * slope(math.exp(log)), beta * target, -1.5, 6.0))
    maps = LocalMaps(Function("relu", lambda x: torch.relu(alpha * x + beta), (-beta / alpha,)))
    square = float(maps.q(1.0))
    mean = math.sqrt(maps.c_zero * square)
    return Shape(alpha, beta, 1 / math.sqrt(square - mean**2), -mean)
