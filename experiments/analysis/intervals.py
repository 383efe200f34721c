"""Bootstrap intervals over episodes: the steps of an episode depend on each other, so that whole episodes are resampled.

A figure of a decoder or detector is a ratio of sums over the test episodes, such as correct steps over steps, or 2 TP over
detections and positives. Every resampled figure is the ratio of sums over episodes drawn with replacement, as often as there
are episodes.
"""

import numpy as np
import numpy.typing as npt

from experiments.analysis.statistics import CONFIDENCE, Estimate

SAMPLES = 1000
CURVE_SAMPLES = 200
"""Resampled precision-recall curves: each is a pass over all steps."""

Array = npt.NDArray[np.float64]
Measured = float | Estimate
"""A measured figure, with its interval where there is one."""


def value_of(figure: Measured) -> float:
    """The figure itself."""
    return figure.value if isinstance(figure, Estimate) else float(figure)


def draws(episodes: int, samples: int = SAMPLES, seed: int = 0) -> Array:
    """[samples, episodes] how often each episode is drawn; the same for every figure of the same episodes."""
    return np.random.default_rng(seed).multinomial(episodes, np.full(episodes, 1 / episodes), size=samples).astype(np.float64)


def bounds(part: npt.ArrayLike, whole: npt.ArrayLike) -> tuple[Array, Array]:
    """Bounds of the middle 95 % of sum(part) / sum(whole), both over episodes.

    Args:
        part, whole: [R, ...], of each episode.

    Returns:
        (low, high), each [...]; NaN where there are fewer than two episodes, or where nearly no resampled whole is above 0.
    """
    parts, wholes = (np.asarray(values, dtype=np.float64) for values in (part, whole))
    nothing = np.full(parts.shape[1:], np.nan)
    if len(parts) < 2:
        return nothing, nothing.copy()
    times = draws(len(parts))
    above, below = (np.tensordot(times, values, axes=1) for values in (parts, wholes))
    ratios = np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
    return _middle(ratios)


def ratio(part: npt.ArrayLike, whole: npt.ArrayLike) -> Measured:
    """sum(part) / sum(whole) over episodes, with its interval where there are several episodes.

    Args:
        part, whole: [R] of each episode; the sum of `whole` is above 0.
    """
    value = float(np.sum(part) / np.sum(whole))
    low, high = bounds(part, whole)
    return value if np.isnan(low) else Estimate(value, float(low), float(high))


def mean(values: npt.ArrayLike) -> Measured:
    """Mean over all entries of `values` [R, ...], such as correct steps, with its interval over the R episodes."""
    rows = np.asarray(values, dtype=np.float64).reshape(len(np.asarray(values)), -1)
    return ratio(rows.mean(axis=1), np.ones(len(rows)))


def f1(detected: npt.NDArray[np.bool_], labels: npt.NDArray[np.bool_]) -> Measured:
    """F1 of detections [R, T] against labels [R, T]: 2 TP / (detections + positives)."""
    hits, found, positive = ((values.sum(axis=1)) for values in (detected & labels, detected, labels))
    if not (found + positive).any():
        return 0.0
    return ratio(2 * hits, found + positive)


def matthews_correlation(detected: npt.NDArray[np.bool_], labels: npt.NDArray[np.bool_]) -> Measured:
    """Correlation of detections [R, T] with labels [R, T]: 0 without information, however frequent either is."""
    hits, found, positive = (values.sum(axis=1).astype(np.float64) for values in (detected & labels, detected, labels))
    steps = np.full(len(labels), float(labels.shape[1]))

    def correlation(times: Array) -> float:
        both, one, other, all_steps = (float(times @ values) for values in (hits, found, positive, steps))
        spread = one * (all_steps - one) * other * (all_steps - other)
        return (both * all_steps - one * other) / spread**0.5 if spread > 0 else 0.0

    value = correlation(np.ones(len(labels)))
    if len(labels) < 2:
        return value
    low, high = _middle(np.array([correlation(times) for times in draws(len(labels))]))
    return Estimate(value, float(low), float(high))


def average_precision(scores: npt.NDArray, labels: npt.NDArray[np.bool_]) -> Measured:
    """Area under the precision-recall curve of scores [R, T] for labels [R, T], as the sum of precision x increase of recall.

    An episode that is drawn twice counts twice in every sum.
    """
    episode = np.repeat(np.arange(len(labels)), labels.shape[1])
    order = np.argsort(-scores.ravel(), kind="stable")
    score, positive, owner = scores.ravel()[order], labels.ravel()[order], episode[order]
    last_of_equals = np.append(np.diff(score) != 0, True)

    def area(times: Array) -> float:
        weight = times[owner]
        hits, found = (np.cumsum(values)[last_of_equals] for values in (weight * positive, weight))
        if not hits[-1]:
            return float("nan")
        precision = np.divide(hits, found, out=np.zeros(len(hits)), where=found > 0)
        return float(np.sum(np.diff(hits, prepend=0.0) * precision) / hits[-1])

    value = area(np.ones(len(labels)))
    if np.isnan(value):
        return 0.0
    if len(labels) < 2:
        return value
    low, high = _middle(np.array([area(times) for times in draws(len(labels), CURVE_SAMPLES)]))
    return Estimate(value, float(low), float(high))


def _middle(figures: Array) -> tuple[Array, Array]:
    """Quantiles of resampled figures [samples, ...] that bound the middle 95 %; NaN where fewer than half of them exist."""
    known = np.isfinite(figures)
    enough = known.mean(axis=0) >= 0.5
    filled = np.where(enough, figures, 0.0)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.nanquantile(filled, [tail, 1 - tail], axis=0)
    return np.where(enough, low, np.nan), np.where(enough, high, np.nan)
