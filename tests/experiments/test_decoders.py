"""Decoders against closed forms: posteriors of Gaussian classes, priors without information, controls."""

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from experiments.analysis.decoders import (
    FITTING_STEPS,
    Decoder,
    DecoderResult,
    decode,
    fit,
    own_decoder_result,
    probabilities,
    split_episodes,
    swap_episodes,
)
from experiments.analysis.measures import confusion, entropy, visits


def gaussian_classes(steps: int, seed: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Three classes with normal features of one covariance: (features [K, 2], labels [K], means [3, 2])."""
    random = np.random.default_rng(seed)
    means, priors = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 1.5]]), np.array([0.5, 0.3, 0.2])
    labels = random.choice(3, steps, p=priors)
    return (means[labels] + random.normal(size=(steps, 2))).astype(np.float32), labels, means


def test_a_linear_decoder_finds_the_posterior_of_gaussian_classes() -> None:
    """For classes of one covariance the posterior is a softmax of linear functions: log prior - |x - mean|² / 2."""
    features, labels, means = gaussian_classes(20_000, 0)
    found = probabilities(fit(features, labels, 3), features[:2000])
    distance = ((features[:2000, None] - means) ** 2).sum(-1)
    scores = np.log([0.5, 0.3, 0.2]) - distance / 2
    expected = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    assert np.abs(found - expected).mean() < 0.02
    assert np.abs(found - expected).max() < 0.12


def test_features_without_information_give_the_frequencies() -> None:
    random = np.random.default_rng(1)
    features, labels = random.normal(size=(20_000, 3)).astype(np.float32), random.choice(4, 20_000, p=[0.4, 0.3, 0.2, 0.1])
    found = probabilities(fit(features, labels, 4), features[:500])
    np.testing.assert_allclose(found.mean(0), [0.4, 0.3, 0.2, 0.1], atol=0.03)
    assert entropy(found).mean() == pytest.approx(float(entropy(np.array([0.4, 0.3, 0.2, 0.1]))), abs=0.05)


def test_features_are_standardised_whatever_their_scale() -> None:
    features, labels, _ = gaussian_classes(3000, 2)
    plain = probabilities(fit(features, labels, 3), features)
    scaled = features * np.float32(1000) + np.float32(5000)
    np.testing.assert_allclose(probabilities(fit(scaled, labels, 3), scaled), plain, atol=0.02)


def test_a_constant_feature_does_no_harm() -> None:
    features, labels, _ = gaussian_classes(3000, 3)
    with_constant = np.concatenate([features, np.full((3000, 1), 7, dtype=np.float32)], axis=1)
    assert np.isfinite(probabilities(fit(with_constant, labels, 3), with_constant)).all()


def test_an_untrained_decoder_says_nothing() -> None:
    decoder = Decoder(torch.randn(50, 4), 5, "one hidden layer")
    np.testing.assert_allclose(probabilities(decoder, np.ones((2, 3, 4))), 1 / 5, atol=1e-6)


def test_no_more_steps_than_needed_are_fitted_on() -> None:
    """Steps beyond the limit are left out evenly: wrong labels on all odd steps go unseen."""
    steps = 2 * FITTING_STEPS
    labels = (np.arange(steps) // 2) % 2
    features = labels[:, None].astype(np.float32)
    wrong = np.where(np.arange(steps) % 2, 1 - labels, labels)
    found = probabilities(fit(features, wrong, 2), features[:100]).argmax(-1)
    np.testing.assert_array_equal(found, labels[:100])


@given(st.integers(1, 200))
def test_of_five_episodes_three_are_for_fitting(episodes: int) -> None:
    fitting, testing = split_episodes(episodes)
    assert sorted([*fitting, *testing]) == list(range(episodes))
    assert len(fitting) >= 1
    assert len(testing) >= 1 or episodes == 1
    assert abs(len(fitting) - 0.6 * episodes) < 1.3


@given(st.integers(1, 9), st.integers(1, 5))
def test_swapped_episodes_are_whole_and_none_stays(episodes: int, steps: int) -> None:
    values = np.arange(episodes * steps).reshape(episodes, steps)
    swapped = swap_episodes(values)
    assert sorted(map(tuple, swapped.tolist())) == sorted(map(tuple, (values if episodes > 1 else values[:, ::-1]).tolist()))
    if episodes > 1:
        assert (swapped != values).all()


def test_figures_of_a_result_by_hand() -> None:
    chances = np.array([[[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.5, 0.5]]], dtype=np.float32)
    labels, control = np.array([[0, 1, 1, 1]]), np.array([[1, 1, 0, 0]])
    found = DecoderResult("x", np.array([3]), chances, labels, 0, np.array([0.7, 0.3]), control)
    assert found.predicted.tolist() == [[0, 1, 0, 0]]
    assert (found.accuracy, found.chance, found.control_accuracy) == (0.5, 0.25, 0.25)
    assert DecoderResult("x", np.array([3]), chances, labels, 0, np.array([0.7, 0.3]), None).control_accuracy is None


def test_the_prior_is_that_of_the_fitting_episodes_only() -> None:
    labels = np.zeros((5, 4), dtype=np.int64)
    labels[3:] = 1
    own = own_decoder_result("own", np.eye(2)[labels], labels)
    assert (own.most_common, own.frequencies.tolist(), own.chance) == (0, [1, 0], 0)
    fitted = decode("fitted", np.zeros((5, 4, 1), dtype=np.float32), labels, 2, control=False)
    assert (fitted.most_common, fitted.accuracy, fitted.control_accuracy) == (0, 0, None)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_confusion_against_counting(steps: list[tuple[int, int]]) -> None:
    labels, predicted = (np.array(column) for column in zip(*steps, strict=True))
    found = confusion(predicted, labels, 4)
    for true in range(4):
        mine = [answer for truth, answer in steps if truth == true]
        for answer in range(4):
            assert found[true, answer] == pytest.approx(mine.count(answer) / len(mine) if mine else 0)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30))
def test_visits_against_counting(cells: list[int]) -> None:
    entries = [cell for number, cell in enumerate(cells) if number == 0 or cells[number - 1] != cell]
    counted, entered = [], -1
    for number, cell in enumerate(cells):
        if number == 0 or cells[number - 1] != cell:
            entered += 1
        counted.append(entries[: entered + 1].count(cell))
    assert visits(np.array([cells]))[0].tolist() == counted
