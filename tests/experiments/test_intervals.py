"""Intervals over episodes: against a loop over resampled episodes, and against how often they hold the truth."""

import numpy as np
import pytest

from experiments.analysis import intervals
from experiments.analysis.intervals import average_precision, bounds, draws, f1, matthews_correlation, mean, ratio, value_of
from experiments.analysis.measures import binned
from experiments.analysis.statistics import Estimate, detection_curve, f1_score

EPISODES, STEPS = 12, 40
RANDOM = np.random.default_rng(1)
LABELS = RANDOM.random((EPISODES, STEPS)) < RANDOM.random((EPISODES, 1))
SCORES = (RANDOM.random((EPISODES, STEPS)).round(2) + 0.4 * LABELS).astype(np.float32)


def repeated(values: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The episodes as often as they were drawn."""
    return np.repeat(values, times.astype(int), axis=0)


def test_every_resample_has_as_many_episodes() -> None:
    found = draws(7)
    assert (found.sum(axis=1) == 7).all()
    assert found.mean(axis=0) == pytest.approx(np.ones(7), abs=0.15)
    np.testing.assert_array_equal(found, draws(7))


def quantiles(figures: list[float]) -> list[float]:
    return np.quantile(figures, [0.025, 0.975]).tolist()


def test_figures_against_a_loop_over_resampled_episodes() -> None:
    detected = SCORES > 0.6
    slow = {"mean": [], "f1": [], "area": []}
    for times in draws(EPISODES, 200):
        labels, scores, hits = (repeated(values, times) for values in (LABELS, SCORES, detected))
        slow["mean"].append(labels.mean())
        slow["f1"].append(f1_score(hits, labels))
        curve = detection_curve(scores, labels)
        slow["area"].append(curve.average_precision if curve else np.nan)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intervals, "draws", lambda episodes, samples=200: draws(episodes, 200))
        found = {"mean": mean(LABELS), "f1": f1(detected, LABELS), "area": average_precision(SCORES, LABELS)}
    whole = detection_curve(SCORES, LABELS)
    assert whole is not None
    truth = {"mean": LABELS.mean(), "f1": f1_score(detected, LABELS), "area": whole.average_precision}
    for name, figure in found.items():
        assert isinstance(figure, Estimate)
        assert figure.value == pytest.approx(truth[name])
        assert [figure.low, figure.high] == pytest.approx(quantiles(slow[name])), name


def test_an_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """Steps of an episode are equal: an interval over steps would be six times too narrow, and miss the truth mostly."""
    random, held = np.random.default_rng(3), 0
    for _ in range(100):
        found = mean(np.repeat(random.random((30, 1)) < 0.4, 40, axis=1))
        assert isinstance(found, Estimate)
        held += found.low <= 0.4 <= found.high
    assert held >= 85


def test_a_single_episode_has_a_figure_and_no_interval() -> None:
    assert mean(LABELS[:1]) == LABELS[:1].mean()
    assert np.isnan(bounds(np.ones((1, 3)), np.ones((1, 3)))).all()
    assert average_precision(SCORES[:1], LABELS[:1]) == pytest.approx(value_of(average_precision(SCORES[:1], LABELS[:1])))


def test_nothing_to_detect_and_nothing_detected() -> None:
    nothing = np.zeros((4, 5), dtype=bool)
    assert f1(nothing, nothing) == 0.0
    assert average_precision(np.ones((4, 5)), nothing) == 0.0


def test_a_whole_that_few_episodes_have() -> None:
    """One episode of ten has any trips: most resamples have some, and the interval is that of one episode."""
    parts, wholes = np.zeros(10), np.zeros(10)
    parts[0], wholes[0] = 3.0, 4.0
    assert ratio(parts, wholes) == Estimate(0.75, 0.75, 0.75)
    # Of two hundred, one: fewer than half of the resamples of the other nine in ten hold it.
    low, high = bounds(np.eye(1, 1, 0).repeat(2, axis=0) * 0, np.zeros((2, 1)))
    assert np.isnan([low, high]).all()


def test_bins_have_the_interval_of_their_own_steps() -> None:
    x = np.tile(np.arange(STEPS), (EPISODES, 1))
    curve = binned(x, LABELS.astype(float), [0, 20, STEPS, 100])
    for number, part in enumerate((LABELS[:, :20], LABELS[:, 20:])):
        figure = mean(part)
        assert isinstance(figure, Estimate)
        assert (curve.mean[number], curve.low[number], curve.high[number]) == pytest.approx(
            (figure.value, figure.low, figure.high)
        )
    assert np.isnan([curve.mean[2], curve.low[2], curve.high[2]]).all()


def test_matthews_correlation_is_that_of_the_two_columns() -> None:
    random = np.random.default_rng(4)
    labels = random.random((12, 40)) < 0.3
    for share in (0.0, 0.2, 1.0):
        detected = np.where(random.random(labels.shape) < share, random.random(labels.shape) < 0.5, labels)
        figure = matthews_correlation(detected, labels)
        assert isinstance(figure, Estimate)
        assert figure.value == pytest.approx(np.corrcoef(detected.ravel(), labels.ravel())[0, 1])
        assert figure.low <= figure.value <= figure.high
    assert matthews_correlation(np.ones_like(labels), labels) == Estimate(0.0, 0.0, 0.0)
