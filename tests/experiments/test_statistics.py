"""Each figure against a slow reference that reads like its definition."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.analysis.statistics import (
    bootstrap,
    detection_curve,
    estimate,
    f1_score,
    interquartile_mean,
    normalised,
    performance_profile,
    pooled_interquartile_mean,
    probability_of_improvement,
    success_weighted_path_length,
)

scores = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=12)


@given(scores)
def test_interquartile_mean_leaves_out_a_quarter_at_each_end(values: list[float]) -> None:
    left = sorted(values)
    for _ in range(len(values) // 4):
        left.remove(min(left))
        left.remove(max(left))
    assert interquartile_mean(values) == pytest.approx(sum(left) / len(left))


def test_interquartile_mean_of_known_numbers() -> None:
    assert interquartile_mean([1000, 1, 2, 3, 4, 5, 6, -1000]) == 3.5
    assert np.isnan(interquartile_mean([]))
    assert pooled_interquartile_mean([[1000, 1, 2, 3], [4, 5, 6, -1000]]) == 3.5


@given(st.lists(scores, min_size=1, max_size=3), st.lists(st.integers(-6, 6).map(float), min_size=1, max_size=4))
def test_performance_profile_is_the_mean_share_above_each_level(strata: list[list[float]], levels: list[float]) -> None:
    expected = [np.mean([sum(value > level for value in stratum) / len(stratum) for stratum in strata]) for level in levels]
    assert performance_profile(strata, levels) == pytest.approx(expected)


@given(st.lists(st.tuples(scores, scores), min_size=1, max_size=3))
def test_probability_of_improvement_counts_pairs(tasks: list[tuple[list[float], list[float]]]) -> None:
    shares = []
    for ours, theirs in tasks:
        wins = [1.0 if a > b else 0.5 if a == b else 0.0 for a, b in itertools.product(ours, theirs)]
        shares.append(sum(wins) / len(wins))
    found = probability_of_improvement([ours for ours, _ in tasks], [theirs for _, theirs in tasks])
    assert found == pytest.approx(sum(shares) / len(shares))


def test_bootstrap_interval_of_a_mean_agrees_with_the_normal_approximation() -> None:
    values = np.random.default_rng(1).normal(10, 2, size=400)
    found = estimate([values], lambda strata: float(np.mean(np.asarray(strata[0]))), samples=4000)
    spread = 1.96 * values.std() / 20
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((values.mean() - spread, values.mean() + spread), abs=0.03)


def test_bootstrap_keeps_each_task_its_share() -> None:
    """Constant strata of different levels: only mixing the tasks could move the figure."""
    low, high = bootstrap([[[1.0] * 5, [9.0] * 15]], lambda strata: float(np.mean(np.concatenate(strata, axis=1))), 200)
    assert low == high == pytest.approx(7.0)


def test_bootstrap_sees_that_runs_differ() -> None:
    """Two runs that are each perfectly steady: the uncertainty is between runs, so episodes must not hide it."""
    runs = np.array([[0.0] * 50, [10.0] * 50])
    low, high = bootstrap([[runs]], lambda strata: float(np.mean(strata[0])), 500)
    assert (low, high) == (0.0, 10.0)


def test_bootstrap_is_the_same_every_time() -> None:
    values = np.random.default_rng(2).normal(size=(1, 30))
    assert estimate([values], pooled_interquartile_mean) == estimate([values], pooled_interquartile_mean)


def test_normalised_scale() -> None:
    assert normalised([2.0, 102.0, 52.0], random=2.0, oracle=102.0) == pytest.approx([0, 1, 0.5])
    assert np.isnan(normalised(1.0, random=3.0, oracle=3.0))


def test_success_weighted_path_length_of_known_trips() -> None:
    # A perfect trip, one of twice the length, a failure, and one that cut the corners of the cells.
    found = success_weighted_path_length([True, True, False, True], [10, 10, 10, 10], [10, 20, 5, 8])
    assert found == pytest.approx((1 + 0.5 + 0 + 1) / 4)
    assert np.isnan(success_weighted_path_length([], [], []))


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=20))
def test_detection_curve_against_counting(cases: list[tuple[int, bool]]) -> None:
    values, labels = np.array([score for score, _ in cases]), np.array([label for _, label in cases])
    curve = detection_curve(values, labels)
    if not labels.any():
        assert curve is None
        return
    assert curve is not None
    levels = sorted(set(values.tolist()), reverse=True)
    assert curve.thresholds.tolist() == levels
    for index, level in enumerate(levels):
        found = values >= level
        both = np.sum(found & labels)
        assert curve.precision[index] == pytest.approx(both / found.sum())
        assert curve.recall[index] == pytest.approx(both / labels.sum())
        assert curve.f1[index] == pytest.approx(f1_score(found, labels))
    best = max(f1_score(values >= level, labels) for level in levels)
    assert f1_score(values >= curve.best_threshold, labels) == pytest.approx(best)


def test_average_precision_of_perfect_and_useless_detectors() -> None:
    labels = np.arange(100) < 20
    perfect = detection_curve(-np.arange(100), labels)
    useless = detection_curve(np.zeros(100), labels)
    assert perfect is not None
    assert useless is not None
    assert perfect.average_precision == pytest.approx(1.0)
    assert useless.average_precision == pytest.approx(0.2)


def test_aggregates_agree_with_rliable() -> None:
    """Optional: rliable needs an old pandas and isn't installed with the project."""
    metrics = pytest.importorskip("rliable.metrics", reason="rliable isn't installed")
    random = np.random.default_rng(3)
    ours, theirs = random.normal(size=(20, 4)), random.normal(0.3, size=(12, 4))
    assert pooled_interquartile_mean(list(ours.T)) == pytest.approx(metrics.aggregate_iqm(ours))
    found = probability_of_improvement(list(ours.T), list(theirs.T))
    assert found == pytest.approx(metrics.probability_of_improvement(ours, theirs))
