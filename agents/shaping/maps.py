"""Kernel maps of an activation function and of a network (2110.01765, sections 3 and 4), in float64.

q is the mean square of a layer's units for one input, c the cosine of two inputs' units; u, v ~ N(0, 1).
"""

import itertools
import math
from collections.abc import Callable
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from agents.shaping.errors import ShapingError
from agents.shaping.functions import Function, find
from agents.shaping.graph import Items, evaluate

Array = npt.NDArray[np.float64]

REACH = 12.0
"""Integrals are taken over [−12, 12]; the normal distribution has 4e-33 of its mass outside."""
NODES = 128
"""Gauss–Legendre nodes of a piece."""
PIECES = (-REACH, -4.0, 0.0, 4.0, REACH)


@cache
def legendre(nodes: int) -> tuple[Array, Array]:
    """Nodes and weights, each [nodes], of the Gauss–Legendre rule on [−1, 1]."""
    points, weights = np.polynomial.legendre.leggauss(nodes)
    return points, weights


def normal_nodes(kinks: tuple[float, ...] = (), nodes: int = NODES) -> tuple[Tensor, Tensor]:
    """Nodes [K] and weights [K], float64, of E g(u) = Σ weight · g(node), in pieces that no kink lies inside of."""
    edges = sorted({*PIECES, *(kink for kink in kinks if abs(kink) < REACH)})
    points, weights = legendre(nodes)
    starts, ends = np.array(edges[:-1])[:, None], np.array(edges[1:])[:, None]
    x = ((ends + starts) / 2 + (ends - starts) / 2 * points).ravel()
    w = ((ends - starts) / 2 * weights).ravel() * np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    return torch.from_numpy(x), torch.from_numpy(w)


def derivatives(function: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """φ, φ' and φ'' at x, each [K]; also where the caller keeps no gradients."""
    with torch.inference_mode(False), torch.enable_grad():
        x = x.clone().detach().requires_grad_()
        y = function(x)
        (first,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        if not first.requires_grad:
            return y.detach(), first.detach(), torch.zeros_like(x)
        second = torch.autograd.grad(first.sum(), x, allow_unused=True)[0]
    return y.detach(), first.detach(), torch.zeros_like(x) if second is None else second.detach()


class LocalMaps:
    """Maps of one elementwise function.

    Args:
        function: a name of `functions.FUNCTIONS`, a `Function`, or any elementwise function of a tensor.
        kinks: of a function that is none of the named ones, where it or a derivative of it jumps.

    Raises:
        ShapingError: an unknown name, or a function that isn't finite on [−12, 12].
    """

    def __init__(self, function: str | Function | Callable[[Tensor], Tensor], kinks: tuple[float, ...] = ()) -> None:
        found = find(function)
        self.function = Function(found.name, found.call, kinks or found.kinks)
        self._nodes, self._weights = normal_nodes(self.function.kinks)

    @cached_property
    def _moments(self) -> tuple[float, float, float, float, float]:
        """E φ², E φ, E φ'², E φ''², E u φ φ'."""
        value, first, second = derivatives(self.function, self._nodes)
        rows = torch.stack([value**2, value, first**2, second**2, self._nodes * value * first])
        square, mean, slope, curvature, q_slope = (rows @ self._weights).tolist()
        return square, mean, slope, curvature, q_slope

    def q(self, q: npt.ArrayLike) -> Array:
        """Q(q) = E φ(√q u)² for q [K] → [K].

        Raises:
            ShapingError: a q that isn't positive.
        """
        values = np.asarray(q, np.float64)
        if not (values > 0).all():
            raise ShapingError(f"q {values.min():g}: expected more than 0")
        out = np.empty(values.size)
        for i, root in enumerate(np.sqrt(values).ravel()):
            nodes, weights = normal_nodes(tuple(kink / root for kink in self.function.kinks))
            out[i] = float(self.function(nodes * root).square() @ weights)
        return out.reshape(values.shape)

    def c(self, c: npt.ArrayLike) -> Array:
        """C(c) = E φ(u) φ(c u + √(1 − c²) v) / Q(1) for cosines c [K] → [K].

        Raises:
            ShapingError: a cosine outside of [−1, 1].
        """
        values = np.asarray(c, np.float64)
        if not (np.abs(values) <= 1).all():
            raise ShapingError(f"cosine {values.ravel()[np.abs(values).argmax()]:g}: expected one of -1 to 1")
        return np.array([self._c(float(value)) for value in values.ravel()]).reshape(values.shape)

    def _c(self, c: float) -> float:
        square = self._moments[0]
        u, weight = self._nodes, self._weights
        rest = math.sqrt(max(1 - c * c, 0.0))
        if rest == 0:
            return float((self.function(u) * self.function(c * u)) @ weight) / square
        # Pieces of v for each u: a kink of φ at k is met at v = (k − c u) / √(1 − c²).
        edges = [torch.full_like(u, edge) for edge in (-REACH, REACH)]
        edges[1:1] = [((kink - c * u) / rest).clamp(-REACH, REACH) for kink in sorted(self.function.kinks)]
        points, weights = (torch.from_numpy(array) for array in legendre(NODES // 2))
        inner = torch.zeros_like(u)
        for start, end in itertools.pairwise(edges):
            for low, high in ((start, (start + end) / 2), ((start + end) / 2, end)):
                half = ((high - low) / 2)[:, None]
                v = (high + low)[:, None] / 2 + half * points
                density = torch.exp(-v * v / 2) * weights * half
                inner += (self.function(c * u[:, None] + rest * v) * density).sum(1)
        return float((self.function(u) * inner) @ weight) / math.sqrt(2 * math.pi) / square

    @property
    def c_zero(self) -> float:
        """C(0) = (E φ)² / Q(1)."""
        return self._moments[1] ** 2 / self._moments[0]

    @property
    def c_slope(self) -> float:
        """C'(1) = E φ'² / Q(1)."""
        return self._moments[2] / self._moments[0]

    @property
    def c_curvature(self) -> float:
        """C''(1) = E φ''² / Q(1), without what a jump of φ' would add."""
        return self._moments[3] / self._moments[0]

    @property
    def q_slope(self) -> float:
        """Q'(1) = E u φ(u) φ'(u)."""
        return self._moments[4]


def network_c(items: Items, maps: LocalMaps, c: npt.ArrayLike) -> Array:
    """The network's C map at cosines c [K] → [K], all q being 1."""
    local = _interpolated(maps)
    return np.asarray(evaluate(items, np.asarray(c, np.float64), local))


def _interpolated(maps: LocalMaps, degree: int = 64) -> Callable[[Array], Array]:
    """The C map by Chebyshev's interpolation in the angle, in which that of a kinked function is smooth too."""
    angles = np.polynomial.Chebyshev.interpolate(lambda angle: maps.c(np.cos(angle)), degree, domain=[0, math.pi])
    return lambda c: np.asarray(angles(np.arccos(np.clip(c, -1, 1))))


def network_q(items: Items, maps: LocalMaps, q: npt.ArrayLike) -> Array:
    """The network's Q map at q [K] → [K]."""
    return np.asarray(evaluate(items, np.asarray(q, np.float64), maps.q))


def network_slope(items: Items, maps: LocalMaps) -> float:
    """C_f'(1) of the network."""
    return float(evaluate(items, 1.0, lambda x: maps.c_slope * x))


def network_curvature(items: Items, maps: LocalMaps) -> float:
    """C_f''(1) of the network: (f∘g)'' = f''·g'² + f'·g'', sums weighted."""

    def local(jet: Array) -> Array:
        slope, curvature = jet
        return np.array([maps.c_slope * slope, maps.c_curvature * slope**2 + maps.c_slope * curvature])

    return float(evaluate(items, np.array([1.0, 0.0]), local)[1])
