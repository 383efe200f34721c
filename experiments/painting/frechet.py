"""Fréchet distances of Gaussians, as of Dowson and Landau (1982)."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]


class Gaussian(NamedTuple):
    """A normal distribution.

    Attributes:
        mean: [D].
        covariance: [D, D].
    """

    mean: Values
    covariance: Values


def gaussian(points: Values) -> Gaussian:
    """The one that fits points [N, D], N being 2 or more."""
    return Gaussian(points.mean(0), np.cov(points, rowvar=False))


def frechet_distance(first: Gaussian, second: Gaussian) -> float:
    """The squared distance |μ₁ − μ₂|² + tr(C₁ + C₂ − 2 (C₁^½ C₂ C₁^½)^½)."""
    root = _root(first.covariance)
    cross = np.linalg.eigvalsh(root @ second.covariance @ root).clip(min=0)
    squares = np.trace(first.covariance) + np.trace(second.covariance) - 2 * np.sqrt(cross).sum()
    return float(((first.mean - second.mean) ** 2).sum() + squares)


def _root(matrix: Values) -> Values:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
