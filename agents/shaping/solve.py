"""The conditions of both methods as equations, solved by damped Newton steps from a fixed list of starts."""

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import torch

from agents.shaping.errors import ShapingError
from agents.shaping.functions import Function
from agents.shaping.maps import derivatives, normal_nodes

Array = npt.NDArray[np.float64]
Constants = tuple[float, float, float, float]
"""α, β, γ, δ."""

ALPHAS = (0.1, 0.3, 1.0, 0.03)
BETAS = (0.5, -0.5, 1.0, -1.0, 0.1, -0.1, 2.0, -2.0, 3.0, -3.0)
ACCURACY = 1e-10
"""Largest error of a condition."""
STEEPEST = 2.0
"""Largest |φ̂'| of a solution of TAT that is preferred: steeper ones have unstable Q maps (the published package's rule, but with
the function's own largest slope)."""


class _Standard:
    """g = (φ(αx + β) − mean) / spread at the nodes of an integral, with g', g''."""

    def __init__(self, function: Function, alpha: float, beta: float) -> None:
        nodes, weights = normal_nodes(tuple((kink - beta) / alpha for kink in function.kinks))
        value, first, second = derivatives(function, alpha * nodes + beta)
        self.mean = float(value @ weights)
        centred = value - self.mean
        self.spread = math.sqrt(float(centred.square() @ weights))
        if not self.spread > 1e-12:
            raise ArithmeticError
        g, slope, curvature = centred / self.spread, alpha * first / self.spread, alpha**2 * second / self.spread
        rows = torch.stack([slope**2, curvature**2, nodes * g * slope, nodes * slope])
        self.slope, self.curvature, self.q_slope, self.q_shift = (rows @ weights).tolist()


def solve_dks(function: Function, slope: float) -> Constants:
    """Q(1) = Q'(1) = 1, C(0) = 0, C'(1) = slope.

    Raises:
        ShapingError: no solution was found.
    """
    scale = slope - 1

    def errors(x: Array) -> Array:
        g = _Standard(function, math.exp(x[0]), x[1])
        return np.array([g.q_slope - 1, g.slope - slope]) / scale

    for alpha, beta in itertools.product(ALPHAS, BETAS):
        x = _newton(errors, np.array([math.log(alpha), beta]), scale)
        if x is not None:
            g = _Standard(function, math.exp(x[0]), x[1])
            return math.exp(x[0]), float(x[1]), 1 / g.spread, -g.mean
    raise ShapingError(f"DKS of {function.name}: no constants give it a local slope of {slope:.6g}")


def solve_tat(function: Function, curvature: float) -> Constants:
    """Q(1) = Q'(1) = C'(1) = 1, C''(1) = curvature.

    Raises:
        ShapingError: no solution was found.
    """
    scale = min(curvature, 1.0)
    found = list(itertools.islice(_tat_solutions(function, curvature, scale), 12))
    if not found:
        raise ShapingError(f"TAT of {function.name}: no constants give it a local curvature of {curvature:.6g}")
    return min(found, key=lambda constants: max(_steepness(function, constants), STEEPEST))


def _tat_solutions(function: Function, curvature: float, scale: float) -> Iterator[Constants]:
    # With κ = E φ̂ in units of its spread, Q = 1 + κ² and all of δ is in κ.
    def errors(x: Array) -> Array:
        g = _Standard(function, math.exp(x[0]), x[1])
        square = 1 + x[2] ** 2
        q_slope = (g.q_slope + x[2] * g.q_shift) / square
        return np.array([q_slope - 1, g.slope / square - 1, g.curvature / square - curvature]) / scale

    start = math.sqrt(min(curvature, 1.0))
    for alpha, beta, kappa in itertools.product(ALPHAS, BETAS, (start, -start)):
        x = _newton(errors, np.array([math.log(alpha), beta, kappa]), scale)
        if x is not None:
            g = _Standard(function, math.exp(x[0]), x[1])
            constants = math.exp(x[0]), float(x[1]), 1 / (g.spread * math.sqrt(1 + x[2] ** 2)), float(x[2] * g.spread - g.mean)
            yield constants
            if _steepness(function, constants) < STEEPEST:
                return


def _steepness(function: Function, constants: Constants) -> float:
    """αγ·max |φ'| over [−12, 12]."""
    alpha, _, gamma, _ = constants
    x = torch.linspace(-12, 12, 2001, dtype=torch.float64, device="cpu")
    return float(derivatives(function, x)[1].abs().max()) * alpha * gamma


def _newton(errors: Callable[[Array], Array], x: Array, scale: float) -> Array | None:
    """A root near `x`, or None; errors come in units of `scale`."""
    try:
        value = errors(x)
        for _ in range(40):
            size = float(np.abs(value).max())
            if size * scale < ACCURACY / 100 or not math.isfinite(size):
                break
            step = np.asarray(np.linalg.solve(_jacobian(errors, x), -value), np.float64)
            step = step * min(1.0, 1.0 / float(np.abs(step).max()))
            damped = _descend(errors, x, step, size)
            if damped is None:
                break
            x, value = damped
    except (ArithmeticError, np.linalg.LinAlgError, ValueError):
        return None
    good = float(np.abs(value).max()) * scale < ACCURACY and -7 < x[0] < 3 and abs(x[1]) < 10
    return x if good else None


def _descend(errors: Callable[[Array], Array], x: Array, step: Array, size: float) -> tuple[Array, Array] | None:
    for _ in range(12):
        value = errors(x + step)
        if float(np.abs(value).max()) < size:
            return x + step, value
        step = step / 2
    return None


def _jacobian(errors: Callable[[Array], Array], x: Array, width: float = 1e-6) -> Array:
    columns = []
    for axis in np.eye(len(x)):
        columns.append((errors(x + width * axis) - errors(x - width * axis)) / (2 * width))
    return np.stack(columns, 1)
