"""The measure of parses: against enumeration, and on parses whose figures are known."""

import itertools

import numpy as np
import pytest

from env.painting.program import Stroke
from experiments.painting.parses import NEAR, POINTS, distances, most_pairs, parsed, spaced


def line(*ends: tuple[float, float]) -> np.ndarray:
    start, end = np.array(ends)
    return np.stack([start + (end - start) * t for t in (0, 1 / 3, 2 / 3, 1)]).astype(np.float32)


def laid(points: np.ndarray) -> Stroke:
    return Stroke(tuple(map(tuple, points.tolist())), 0.03, (1, 1), (0, 0, 0))


ACROSS, DOWN = line((0.1, 0.5), (0.9, 0.5)), line((0.5, 0.1), (0.5, 0.9))
CORNER = np.concatenate((ACROSS, line((0.9, 0.5), (0.9, 0.9))[1:]))


def test_points_are_equally_far_apart():
    points = spaced(CORNER)
    steps = np.hypot(*np.diff(points, axis=0).T)
    assert points.shape == (POINTS, 2)
    np.testing.assert_allclose(steps, 1.2 / (POINTS - 1), rtol=1e-5)
    np.testing.assert_allclose(points[[0, -1]], [[0.1, 0.5], [0.9, 0.9]], rtol=1e-5)
    np.testing.assert_allclose(spaced(np.repeat([[0.2, 0.3]], 4, 0)), np.tile([0.2, 0.3], (POINTS, 1)))


@pytest.mark.parametrize("seed", range(20))
def test_pairs_by_enumeration(seed):
    generator = np.random.default_rng(seed)
    allowed = generator.random((4, 5)) < 0.35
    best = max(sum(allowed[row, column] for row, column in enumerate(order)) for order in itertools.permutations(range(5), 4))
    assert most_pairs(allowed) == best


def test_known_parses():
    truth = [(ACROSS, DOWN)]
    whole = parsed([(laid(DOWN), laid(ACROSS[::-1].copy()))], truth)
    assert (whole.found, whole.strokes) == (1, 1)
    # One stroke can't be two, and one that is laid twice counts once.
    assert parsed([(laid(ACROSS), laid(ACROSS))], truth).found == 0.5
    assert parsed([(laid(ACROSS),) * 3], [(ACROSS, ACROSS)]).found == 1
    # Both as one stroke are neither; so is nothing.
    joined = np.concatenate((ACROSS, line((0.9, 0.5), (0.5, 0.9))[1:], DOWN[::-1][1:]))
    assert parsed([(laid(joined),)], truth).found == 0
    empty = parsed([(), (laid(DOWN),)], [(ACROSS,), (DOWN,)])
    assert (empty.found, empty.strokes) == (0.5, 0.5)


@pytest.mark.parametrize(("shift", "found"), [(0.9 * NEAR, 1), (1.1 * NEAR, 0)])
def test_near_is_two_pixels(shift, found):
    assert parsed([(laid(ACROSS + np.array([0, shift], np.float32)),)], [(ACROSS,)]).found == found
    apart = distances(spaced(ACROSS)[None], spaced(ACROSS + np.array([0, shift], np.float32))[None])
    assert apart == pytest.approx(np.array([[shift]]), rel=1e-4)
