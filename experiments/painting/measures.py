"""How good paintings are: Fréchet distances to real pictures, what of them is covered, and how much paintings differ."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from env.painting.pictures import Pictures
from experiments.painting.frechet import Gaussian, frechet_distance, gaussian
from experiments.painting.parses import Parsed
from maze_gen.errors import InputError

COMPONENTS = 32
"""Principal components of real pictures in which paintings are compared."""
COVERED = 0.02
"""Share of the paintings from which on a class counts as covered."""
NEIGHBOURS = 5
"""The ball around a real picture reaches to the k-th nearest other real one (arXiv 2002.09797, section 3.2)."""
COLLAPSED_SPREAD, COLLAPSED_SHARE = 0.3, 0.6
"""Paintings have collapsed where they differ less than this, as a fraction of what real ones do, or more than this share of them
are of one class."""

Images = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Painted:
    """Paintings to be measured.

    Attributes:
        images: [N, side, side, C], N being 2 or more.
        target: the same, what each was painted after; None without targets.
        label: [N] int32, the targets' classes, -1 where there is none; None without targets.
        strokes: [N], begun in each; None where that means nothing.
        parse: figures of the strokes, where those of the targets are known.
    """

    images: Images
    target: Images | None = None
    label: npt.NDArray[np.int32] | None = None
    strokes: npt.NDArray[np.int64] | None = None
    parse: Parsed | None = None


@dataclass(frozen=True)
class Measured:
    """Figures of some paintings. Those without a default need no classifier.

    Attributes:
        components: squared Fréchet distance of Gaussians fitted to paintings and to real pictures, in the first `COMPONENTS`
            principal components of the real ones; ink from 0 to 1 a pixel.
        spread: mean squared distance of two paintings in these components, as a fraction of that of two real pictures.
        features: the Fréchet distance in the classifier's features; None without a classifier for these pictures.
        coverage: share of the real pictures that have a painting nearer than their `NEIGHBOURS`-th nearest other real picture, in
            these features.
        classes: share of the paintings that the classifier reads as each class; empty without one.
        distance: to the target, mean, in per cent of the largest possible; None without targets.
        others: mean distance to the target of another painting.
        read: share of the paintings that are read as their target's class.
        strokes: begun in a painting, mean.
        parse: figures of compound strokes whose targets' strokes are known; else None.
    """

    components: float
    spread: float
    features: float | None = None
    coverage: float | None = None
    classes: dict[int, float] | None = None
    distance: float | None = None
    others: float | None = None
    read: float | None = None
    strokes: float | None = None
    parse: Parsed | None = None

    @property
    def covered(self) -> int | None:
        """Classes with a share of `COVERED` or more."""
        return None if self.classes is None else sum(share >= COVERED for share in self.classes.values())

    @property
    def found(self) -> float | None:
        """Share of the targets' strokes that were painted."""
        return None if self.parse is None else self.parse.found

    @property
    def collapsed(self) -> bool:
        """Whether paintings are much the same, see `COLLAPSED_SPREAD`."""
        largest = max(self.classes.values()) if self.classes else 0.0
        return self.spread < COLLAPSED_SPREAD or largest > COLLAPSED_SHARE


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
        self._components = principal_components(real - self._mean)
        points = self._points(pictures.images)
        self._real = gaussian(points)
        self._real_spread = float(points.var(0).sum())
        self._reads = pictures.source == "digits"
        self._labels = [int(label) for label in np.unique(pictures.labels) if label >= 0] if self._reads else []
        self._real_features: Gaussian | None = None
        self._balls: Balls | None = None
        if self._reads:
            points = self._read(pictures.images)[0]
            self._real_features, self._balls = gaussian(points), Balls(points)

    def measure(self, painted: Painted) -> Measured:
        """Figures of paintings."""
        points = self._points(painted.images)
        components, spread = frechet_distance(self._real, gaussian(points)), float(points.var(0).sum())
        features, coverage, classes, read = None, None, None, None
        if self._real_features is not None and self._balls is not None:
            points, found = self._read(painted.images)
            features = frechet_distance(self._real_features, gaussian(points))
            coverage = self._balls.coverage(points)
            classes = {label: float((found == label).mean()) for label in self._labels}
            read = None if painted.label is None else float((found == painted.label).mean())
        return Measured(
            components=components,
            spread=spread / max(self._real_spread, 1e-12),
            features=features,
            coverage=coverage,
            classes=classes,
            distance=None if painted.target is None else _distance(painted.images, painted.target),
            others=None if painted.target is None else _distance(painted.images, np.roll(painted.target, 1, 0)),
            read=read,
            strokes=None if painted.strokes is None else float(painted.strokes.mean()),
            parse=painted.parse,
        )

    def _read(self, images: Images) -> tuple[Values, npt.NDArray[np.int64]]:
        """Features [N, F] and classes [N]."""
        # Imported where it is used: it loads torch.
        from experiments.painting.classifier import read_digits

        reading = read_digits(images)
        return reading.features, reading.classes

    def _points(self, images: Images) -> Values:
        return (_ink(images) - self._mean) @ self._components.T


class Balls:
    """Real pictures as points, with the distance to the `NEIGHBOURS`-th nearest other one around each.

    Args:
        real: [R, D], more than `NEIGHBOURS` of them.
    """

    def __init__(self, real: Values) -> None:
        self._real = real
        self._radii = np.sort(_squares(real, real), 1)[:, NEIGHBOURS]

    def coverage(self, points: Values) -> float:
        """Share of the balls that hold one of `points` [N, D] or more (arXiv 2002.09797, equation 6)."""
        return float((_squares(self._real, points).min(1) <= self._radii).mean())


def principal_components(centred: Values) -> Values:
    """[`COMPONENTS`, D]: of points [N, D] around their mean; orthonormal, so that distances stay those of pixels."""
    if len(centred) > centred.shape[1]:
        return np.linalg.eigh(centred.T @ centred)[1].T[::-1][:COMPONENTS]
    # Of the smaller of both products: a picture has many more pixels than a set has pictures.
    squares, vectors = np.linalg.eigh(centred @ centred.T)
    return (vectors.T[::-1][:COMPONENTS] @ centred) / np.sqrt(squares[::-1][:COMPONENTS, None].clip(min=1e-12))


def _squares(first: Values, second: Values) -> Values:
    """[A, D], [B, D] → [A, B]: squared distances."""
    return np.stack([np.square(second - point).sum(1) for point in first])


def _ink(images: Images) -> Values:
    """[N, entries]: 0 where it is white, 1 where it is black."""
    return 1 - images.reshape(len(images), -1).astype(np.float64) / 255


def _distance(images: Images, target: Images) -> float:
    return float(100 * np.square((images.astype(np.float64) - target) / 255).mean())
