"""The measures of paintings against definitions, and whether they tell good paintings from bad ones."""

import dataclasses

import numpy as np
import pytest
import torch

from env.painting.pictures import load_pictures
from experiments.painting import classifier_training
from experiments.painting.classifier import FEATURES, SIDE, classifier, read_digits
from experiments.painting.frechet import Gaussian, frechet_distance
from experiments.painting.measures import COMPONENTS, Balls, Painted, Ruler, principal_components
from maze_gen.errors import InputError

TRAIN, HELDOUT = (load_pictures("digits", split, SIDE, False) for split in ("train", "heldout"))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def ruler() -> Ruler:
    return Ruler(HELDOUT)


def test_frechet_distances_of_known_gaussians():
    first, second = (
        Gaussian(np.zeros(3), np.diag([1.0, 4.0, 9.0])),
        Gaussian(np.array([1.0, 2.0, 2.0]), np.diag([4.0, 4.0, 1.0])),
    )
    # (σ₁ − σ₂)² for each axis, and the squared distance of the means.
    assert frechet_distance(first, second) == pytest.approx(9 + 1 + 0 + 4)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    turned = [Gaussian(turn @ mean, turn @ covariance @ turn.T) for mean, covariance in (first, second)]
    assert frechet_distance(*turned) == pytest.approx(14)


@pytest.mark.parametrize("count", [50, 200])
def test_principal_components(count):
    points = np.random.default_rng(0).normal(size=(count, 100)) * np.arange(1, 101)
    points -= points.mean(0)
    found = principal_components(points)
    expected = np.linalg.svd(points, full_matrices=False)[2][:COMPONENTS]
    assert np.abs((found * expected).sum(1)) == pytest.approx(np.ones(COMPONENTS))


def test_coverage_by_its_definition():
    generator = np.random.default_rng(0)
    real, points = generator.normal(size=(40, 3)), generator.normal(size=(15, 3)) + 1
    covered = 0
    for i in range(40):
        apart = sorted(np.linalg.norm(real[i] - real[j]) for j in range(40) if j != i)
        covered += any(np.linalg.norm(real[i] - point) <= apart[4] for point in points)
    assert 0 < covered < 40
    assert Balls(real).coverage(points) == covered / 40


def test_the_classifier_reads_pictures_that_it_never_saw():
    found = read_digits(HELDOUT.images)
    assert found.features.shape == (len(HELDOUT), FEATURES)
    assert (found.classes == HELDOUT.labels).mean() > 0.97
    # The same pictures at another size are the same digits.
    large = load_pictures("digits", "heldout", 64, False)
    assert (read_digits(large.images).classes == large.labels).mean() > 0.97
    # The unit of the distance, which the file says.
    assert read_digits(TRAIN.images).features.var(0).sum() == pytest.approx(FEATURES, rel=0.01)


def test_the_shipped_classifier_is_of_the_kind_that_is_trained():
    network = classifier_training.trained(passes=3)
    assert classifier_training.accuracy(network, "heldout") > 0.8
    shipped = classifier()[0].state_dict()
    assert {name: part.shape for name, part in network.state_dict().items()} == {k: v.shape for k, v in shipped.items()}
    again = classifier_training.trained(passes=1).state_dict()
    for name, part in classifier_training.trained(passes=1).state_dict().items():
        assert torch.equal(part, again[name]), name


def test_known_collections_of_pictures(ruler):
    real = ruler.measure(Painted(TRAIN.images))
    one = ruler.measure(Painted(np.repeat(TRAIN.images[:1], 100, 0)))
    ones = ruler.measure(Painted(TRAIN.images[TRAIN.labels == 1]))
    without = ruler.measure(Painted(TRAIN.images[TRAIN.labels != 3]))
    rolled = ruler.measure(Painted(np.roll(TRAIN.images, 8, 2)))
    assert real.features is not None
    assert without.features is not None
    assert real.features < 0.5 * without.features
    for found in (one, ones, rolled):
        assert found.features is not None
        assert 20 * real.features < found.features
        assert 10 * real.components < found.components
        assert found.coverage is not None
        assert real.coverage is not None
        assert found.coverage < 0.4 < 0.9 < real.coverage
    assert (real.covered, without.covered, ones.covered, one.covered) == (10, 9, 1, 1)
    assert (real.collapsed, without.collapsed, ones.collapsed, one.collapsed) == (False, False, True, True)
    assert one.spread < 1e-6 < 0.5 < real.spread


def test_noise_only_makes_it_worse(ruler):
    generator = np.random.default_rng(0)
    found = []
    for share in (0, 0.1, 0.2, 0.4, 0.8):
        noise = generator.integers(0, 256, TRAIN.images.shape)
        found.append(ruler.measure(Painted(np.rint((1 - share) * TRAIN.images + share * noise).astype(np.uint8))))
    for name in ("features", "components"):
        values = [getattr(one, name) for one in found]
        assert values == sorted(values)


def test_distances_to_ones_own_and_to_others_targets(ruler):
    target, label = HELDOUT.images[:40], HELDOUT.labels[:40]
    found = ruler.measure(Painted(target, target, label, np.arange(40)))
    assert (found.distance, found.strokes) == (0, 19.5)
    between = [np.square(target[k] / 255 - target[k - 1] / 255).mean() for k in range(40)]
    assert found.others == pytest.approx(100 * np.mean(between))
    assert found.read is not None
    assert found.read > 0.9
    shifted = ruler.measure(Painted(np.roll(target, -1, 0), target, label))
    assert shifted.read == pytest.approx(np.mean(np.roll(label, -1) == label), abs=0.05)


def test_pictures_without_a_classifier():
    unknown = dataclasses.replace(HELDOUT, source="", images=HELDOUT.images.copy(), labels=HELDOUT.labels.copy())
    found = Ruler(unknown).measure(Painted(TRAIN.images))
    assert found.components == Ruler(HELDOUT).measure(Painted(TRAIN.images)).components
    assert (found.features, found.coverage, found.classes, found.covered, found.read) == (None,) * 5
    few = dataclasses.replace(HELDOUT, images=HELDOUT.images[:8].copy(), labels=HELDOUT.labels[:8].copy())
    with pytest.raises(InputError, match=f"more than {COMPONENTS}"):
        Ruler(few)
