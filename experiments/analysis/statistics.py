"""Statistics of few runs: interquartile mean, stratified bootstrap, profiles, improvement, and detection curves, in NumPy.

The aggregates are those of Agarwal et al. 2021 (Deep Reinforcement Learning at the Edge of the Statistical Precipice); SPL is
that of Anderson et al. 2018 (On Evaluation of Embodied Navigation Agents). A *stratum* is a float array [runs, episodes] of
the scores of one agent on one task: a run is a checkpoint that was trained by itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Strata = Sequence[npt.ArrayLike]

BOOTSTRAP_SAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A figure with its bootstrap interval: `low` and `high` bound the middle 95 % of the resampled figures."""

    value: float
    low: float
    high: float


def interquartile_mean(scores: npt.ArrayLike) -> float:
    """Mean of the middle half: the floor(n / 4) lowest and highest scores are left out. NaN without scores."""
    ordered = np.sort(np.asarray(scores, dtype=np.float64).ravel())
    cut = len(ordered) // 4
    return float(np.mean(ordered[cut : len(ordered) - cut])) if len(ordered) else float("nan")


def pooled_interquartile_mean(strata: Strata) -> float:
    """Interquartile mean over the scores of all strata together."""
    return interquartile_mean(np.concatenate([np.asarray(stratum, dtype=np.float64).ravel() for stratum in strata]))


def resample(stratum: npt.ArrayLike, generator: np.random.Generator) -> Array:
    """One bootstrap draw of a stratum, of the same shape: runs with replacement (if several), then episodes of each."""
    scores = np.atleast_2d(np.asarray(stratum, dtype=np.float64))
    runs, episodes = scores.shape
    drawn = generator.integers(runs, size=runs) if runs > 1 else np.zeros(1, dtype=np.int64)
    return scores[drawn[:, None], generator.integers(episodes, size=(runs, episodes))]


def bootstrap(
    groups: Sequence[Strata],
    figure: Callable[..., float | Array],
    samples: int = BOOTSTRAP_SAMPLES,
    seed: int = 0,
) -> tuple[Array, Array]:
    """Bounds of the middle 95 % of a figure over stratified bootstrap samples.

    Args:
        groups: the strata of every argument of `figure`: one list for an agent's own figure, two to compare two agents.
        figure: is computed from each resampled group; returns a number or an array.
        samples: bootstrap samples.
        seed: of the resampling; the same scores always get the same interval.

    Returns:
        (low, high), each of the shape of the figure.
    """
    generator = np.random.default_rng(seed)
    figures = [figure(*([resample(stratum, generator) for stratum in strata] for strata in groups)) for _ in range(samples)]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(np.asarray(figures, dtype=np.float64), [tail, 1 - tail], axis=0)
    return low, high


def estimate(strata: Strata, figure: Callable[[Strata], float], samples: int = BOOTSTRAP_SAMPLES, seed: int = 0) -> Estimate:
    """An agent's figure with its interval."""
    low, high = bootstrap([strata], figure, samples, seed)
    return Estimate(float(figure(strata)), float(low), float(high))


def estimate_mean(scores: npt.ArrayLike, samples: int = BOOTSTRAP_SAMPLES, seed: int = 0) -> Estimate:
    """Mean of [K] independent scores, e.g. of differences between paired episodes, with its interval."""
    values = np.asarray(scores, dtype=np.float64).ravel()
    drawn = np.random.default_rng(seed).integers(len(values), size=(samples, len(values)))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values[drawn].mean(axis=1), [tail, 1 - tail])
    return Estimate(float(values.mean()), float(low), float(high))


def difference(figure: Callable[..., float], ours: Strata, theirs: Strata) -> Estimate:
    """`figure(ours, theirs)` with its interval; both are resampled."""
    low, high = bootstrap([ours, theirs], figure)
    return Estimate(float(figure(ours, theirs)), float(low), float(high))


def performance_profile(strata: Strata, thresholds: npt.ArrayLike) -> Array:
    """[K] fraction of episodes whose score is above each of `thresholds` [K], mean over strata (Agarwal et al., section 4.3)."""
    levels = np.asarray(thresholds, dtype=np.float64)
    fractions = []
    for stratum in strata:
        ordered = np.sort(np.asarray(stratum, dtype=np.float64).ravel())
        fractions.append(1 - np.searchsorted(ordered, levels, side="right") / len(ordered))
    return np.mean(fractions, axis=0)


def probability_of_improvement(ours: Strata, theirs: Strata) -> float:
    """Probability that a random score of ours is above a random one of theirs; ties count half; mean over strata."""
    probabilities = []
    for mine, other in zip(ours, theirs, strict=True):
        lower = np.sort(np.asarray(other, dtype=np.float64).ravel())
        scores = np.asarray(mine, dtype=np.float64).ravel()
        wins = np.searchsorted(lower, scores, side="left") + np.searchsorted(lower, scores, side="right")
        probabilities.append(wins.mean() / (2 * len(lower)))
    return float(np.mean(probabilities))


def normalised(scores: npt.ArrayLike, random: float, oracle: float) -> Array:
    """Scores on the scale where the random policy's mean is 0 and the oracle's is 1; NaN where these are equal."""
    span = oracle - random
    return (np.asarray(scores, dtype=np.float64) - random) / (span if span else float("nan"))


def path_length_ratios(success: npt.ArrayLike, shortest: npt.ArrayLike, taken: npt.ArrayLike) -> Array:
    """[K] success · shortest / max(taken, shortest) of each trip (Anderson et al., equation 1).

    Args:
        success: [K] bool, whether the goal was reached.
        shortest: [K] length of the shortest path from start to goal, above 0.
        taken: [K] length of the path that was taken, in the same unit.
    """
    least = np.asarray(shortest, dtype=np.float64)
    return np.asarray(success, dtype=np.float64) * least / np.maximum(np.asarray(taken, dtype=np.float64), least)


def success_weighted_path_length(success: npt.ArrayLike, shortest: npt.ArrayLike, taken: npt.ArrayLike) -> float:
    """SPL: the mean of `path_length_ratios`; NaN without trips."""
    ratios = path_length_ratios(success, shortest, taken)
    return float(ratios.mean()) if len(ratios) else float("nan")


@dataclass(frozen=True)
class DetectionCurve:
    """Precision and recall of a detector at every threshold that makes a difference, in decreasing order of thresholds.

    Attributes:
        thresholds, precision, recall: [K] float64; a case counts as detected where its score is at least the threshold.
    """

    thresholds: Array
    precision: Array
    recall: Array

    @property
    def average_precision(self) -> float:
        """Area under the curve as a sum of steps: precision times the increase of recall."""
        return float(np.sum(np.diff(self.recall, prepend=0.0) * self.precision))

    @property
    def f1(self) -> Array:
        """[K] harmonic mean of precision and recall; 0 where both are."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / np.where(total == 0, 1.0, total)

    @property
    def best_threshold(self) -> float:
        """The threshold of the largest F1, the highest of equals."""
        return float(self.thresholds[int(np.argmax(self.f1))])


def detection_curve(scores: npt.ArrayLike, labels: npt.ArrayLike) -> DetectionCurve | None:
    """Precision and recall of `scores` [K] as a detector of `labels` [K] bool; None where no label is True."""
    score = np.asarray(scores, dtype=np.float64).ravel()
    positive = np.asarray(labels, dtype=bool).ravel()
    if not positive.any():
        return None
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(positive[order])
    last_of_equals = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    detected = last_of_equals + 1
    hits = hits[last_of_equals]
    return DetectionCurve(score[order][last_of_equals], hits / detected, hits / positive.sum())


def f1_score(detected: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """F1 of detections [K] bool against labels [K] bool; 0 without true positives."""
    found, positive = np.asarray(detected, dtype=bool), np.asarray(labels, dtype=bool)
    hits = np.sum(found & positive)
    return float(2 * hits / max(1, found.sum() + positive.sum()))
