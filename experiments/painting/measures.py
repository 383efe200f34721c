"""How good paintings are: Fréchet distances to real pictures, classes that are covered, and how much paintings differ."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from env.painting.pictures import Pictures
from maze_gen.errors import InputError

COMPONENTS = 32
"""Principal components of real pictures in which paintings are compared."""
COVERED = 0.02
"""Share of the paintings from which on a class counts as covered."""

Images = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """Figures of some paintings.

    Attributes:
        frechet: squared Fréchet distance of Gaussians fitted to paintings and to real pictures, in the first `COMPONENTS`
            principal components of the real ones; ink from 0 to 1 a pixel.
        spread: mean squared distance of two paintings in these components, as a fraction of that of two real pictures.
        classes: share of the paintings that lie nearest to the mean picture of each class; empty without classes.
        distance: to the target, mean; None without one.
        strokes: begun in a painting, mean; None where that means nothing.
    """

    frechet: float
    spread: float
    classes: dict[int, float]
    distance: float | None = None
    strokes: float | None = None

    @property
    def covered(self) -> int | None:
        """Classes with a share of `COVERED` or more."""
        return sum(share >= COVERED for share in self.classes.values()) if self.classes else None


class Ruler:
    """Measures paintings against real pictures.

    Args:
        pictures: real ones that paintings are compared with, `COMPONENTS` + 1 or more.

    Raises:
        InputError: fewer.
    """

    def __init__(self, pictures: Pictures) -> None:
        if len(pictures) <= COMPONENTS:
            raise InputError(
                f"pictures {pictures.name}: {len(pictures)} of them: expected more than {COMPONENTS} to measure with"
            )
        real = _ink(pictures.images)
        self._mean = real.mean(0)
        # Of the pictures' own covariance: components are orthonormal, so that distances stay those of pixels.
        _, _, components = np.linalg.svd(real - self._mean, full_matrices=False)
        self._components = components[:COMPONENTS]
        points = self._points(pictures.images)
        self._real = _gaussian(points)
        self._real_spread = float(points.var(0).sum())
        labels = [int(label) for label in np.unique(pictures.labels) if label >= 0]
        self._labels = labels
        self._centres = np.stack([points[pictures.labels == label].mean(0) for label in labels]) if labels else None

    def measure(self, images: Images, distance: float | None = None, strokes: float | None = None) -> Measured:
        """Figures of paintings [N, side, side, C], N being 2 or more."""
        points = self._points(images)
        classes: dict[int, float] = {}
        if self._centres is not None:
            nearest = self.nearest(images)
            classes = {label: float((nearest == label).mean()) for label in self._labels}
        spread = float(points.var(0).sum()) / max(self._real_spread, 1e-12)
        return Measured(frechet_distance(self._real, _gaussian(points)), spread, classes, distance, strokes)

    def nearest(self, images: Images) -> npt.NDArray[np.int64]:
        """[N]: the class whose mean picture each painting is nearest to.

        Raises:
            InputError: the pictures have no classes.
        """
        if self._centres is None:
            raise InputError("these pictures have no classes")
        points = self._points(images)
        return np.array(self._labels)[((points[:, None] - self._centres) ** 2).sum(2).argmin(1)]

    def _points(self, images: Images) -> Values:
        return (_ink(images) - self._mean) @ self._components.T


def frechet_distance(first: tuple[Values, Values], second: tuple[Values, Values]) -> float:
    """|μ₁ − μ₂|² + tr(C₁ + C₂ − 2 (C₁^½ C₂ C₁^½)^½) of two Gaussians (mean [D], covariance [D, D])."""
    (mean, covariance), (other, theirs) = first, second
    root = _root(covariance)
    cross = np.linalg.eigvalsh(root @ theirs @ root).clip(min=0)
    return float(((mean - other) ** 2).sum() + np.trace(covariance) + np.trace(theirs) - 2 * np.sqrt(cross).sum())


def _gaussian(points: Values) -> tuple[Values, Values]:
    return points.mean(0), np.cov(points, rowvar=False)


def _root(matrix: Values) -> Values:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(values.clip(min=0))) @ vectors.T


def _ink(images: Images) -> Values:
    """[N, entries]: 0 where it is white, 1 where it is black."""
    return 1 - images.reshape(len(images), -1).astype(np.float64) / 255
