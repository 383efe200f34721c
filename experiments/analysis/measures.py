"""Measures of predicted cells and classes: entropy, error along paths, means over bins, confusion."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from experiments.analysis.intervals import bounds


def heading_class(heading: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Headings in degrees → eight classes of 45 degrees, centred on east (0), north-east (1), north (2), …"""
    return (np.floor(np.asarray(heading, dtype=np.float64) / 45 + 0.5) % 8).astype(np.int64)


def entropy(probabilities: npt.NDArray) -> npt.NDArray[np.float32]:
    """[..., classes] → [...] Shannon entropy in bits; n equally likely classes have log2(n) bits."""
    p = np.asarray(probabilities, dtype=np.float32)
    return -np.sum(p * np.log2(np.maximum(p, 1e-12)), axis=-1)


def visits(cell: npt.NDArray) -> npt.NDArray[np.int32]:
    """[E, T] cells → [E, T] number of the present visit to the present cell, from 1; a visit ends when the cell is left."""
    count = np.zeros(cell.shape, dtype=np.int32)
    for episode, cells in enumerate(cell):
        seen: dict[int, int] = {}
        previous = -1
        for step, here in enumerate(cells.tolist()):
            if here != previous:
                seen[here] = seen.get(here, 0) + 1
            previous = here
            count[episode, step] = seen[here]
    return count


def path_error(predicted: npt.NDArray, labels: npt.NDArray, distance: npt.NDArray) -> npt.NDArray[np.int32]:
    """Length of the shortest path between the predicted cell and the true one, in cells.

    Args:
        predicted, labels: [...] cells.
        distance: [cells, cells] as `maze_gen.paths.all_distances`; a solid cell counts as the largest distance.
    """
    error = distance[labels, predicted]
    return np.where(error < 0, distance.max(), error).astype(np.int32)


@dataclass(frozen=True)
class Curve:
    """Means over bins.

    Attributes:
        edges: [B + 1]; bin b holds edges[b] <= x < edges[b + 1].
        mean: [B], NaN where a bin holds too few values.
        count: [B] values in each bin.
        low, high: [B], the 95 % interval of the mean over episodes; NaN where there are fewer than two, or where `mean` is.
    """

    edges: npt.NDArray[np.float64]
    mean: npt.NDArray[np.float64]
    count: npt.NDArray[np.int64]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]


def binned(x: npt.NDArray, y: npt.NDArray, edges: npt.ArrayLike, fewest: int = 1) -> Curve:
    """Mean of `y` in bins of `x`; NaN in bins of fewer than `fewest` values.

    Args:
        x, y: of any equal shape; the first of two axes or more counts episodes.
    """
    limits = np.asarray(edges, dtype=np.float64)
    bins, episodes = len(limits) - 1, len(x) if x.ndim > 1 else 1
    index = np.searchsorted(limits, x.ravel(), side="right") - 1
    inside = (index >= 0) & (index < bins)
    place = (np.repeat(np.arange(episodes), x.size // max(1, episodes)) * bins + index)[inside]
    counts = np.bincount(place, minlength=episodes * bins).reshape(episodes, bins)
    totals = np.bincount(place, weights=y.ravel()[inside], minlength=episodes * bins).reshape(episodes, bins)
    count, total = counts.sum(axis=0), totals.sum(axis=0)
    enough = count >= fewest
    mean = np.divide(total, count, out=np.full(bins, np.nan), where=enough)
    low, high = (np.where(enough, bound, np.nan) for bound in bounds(totals, counts))
    return Curve(limits, mean, count, low, high)


def confusion(predicted: npt.NDArray, labels: npt.NDArray, classes: int) -> npt.NDArray[np.float64]:
    """[classes, classes] fraction of each true class (row) predicted as each class (column); rows of absent classes are 0."""
    counts = np.bincount((labels.astype(np.int64) * classes + predicted).ravel(), minlength=classes * classes)
    counts = counts.reshape(classes, classes).astype(np.float64)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
