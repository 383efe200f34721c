"""Loop-closure labels, made as positions come, against the definition's three nested loops."""

import numpy as np
import pytest
import torch

from auxiliary.loop_closure import LoopClosureLabels, LoopClosureLoss, MaskedLabels
from tests.auxiliary.checks import random_path
from tests.auxiliary.reference import loop_labels


class MaskedArrays:
    """`MaskedLabels` with the arrays of `LoopClosureLabels`."""

    def __init__(self, num_envs, episode_steps):
        self.labels = MaskedLabels(num_envs, episode_steps)

    def label(self, position, starts):
        out = torch.empty(len(position), dtype=torch.uint8)
        self.labels.write(torch.from_numpy(position), torch.from_numpy(starts), out)
        return out.numpy()


each_kind = pytest.mark.parametrize("kind", [LoopClosureLabels, MaskedArrays])


@each_kind
def test_labels_are_the_definitions(kind):
    random = np.random.default_rng(0)
    paths = [random_path(random, 160) for _ in range(5)]
    labels = kind(5, 160)
    made = np.array([labels.label(np.array([path[t] for path in paths]), np.full(5, t == 0)) for t in range(160)])
    for row, path in enumerate(paths):
        assert made[:, row].tolist() == loop_labels(path)
    assert 0.1 < made.mean() < 0.9


@each_kind
def test_an_episodes_start_forgets_the_one_before(kind):
    random = np.random.default_rng(1)
    path = random_path(random, 200)
    labels = kind(2, 200)
    made = []
    for t in range(200):
        # Row 1 starts a second episode after 90 steps.
        made.append(labels.label(np.array([path[t], path[t]]), np.array([t == 0, t in (0, 90)])))
    made = np.array(made)
    assert made[:, 0].tolist() == loop_labels(path)
    assert made[90:, 1].tolist() == loop_labels(path[90:])
    assert made[90:, 1].sum() < made[90:, 0].sum()


def test_longer_episodes_than_announced_are_labelled_too():
    path = random_path(np.random.default_rng(2), 50)
    labels = LoopClosureLabels(1, 10)
    made = [int(labels.label(path[t : t + 1], np.array([t == 0]))[0]) for t in range(50)]
    assert made == loop_labels(path)


@each_kind
def test_a_respawn_can_close_a_loop(kind):
    """A teleport away and back to a known place: recognised, though no way was walked."""
    path = np.array([[50, 50], [850, 450], [60, 60]], np.float32)
    labels = kind(1, 10)
    assert [int(labels.label(p[None], np.array([t == 0]))[0]) for t, p in enumerate(path)] == [0, 0, 1]


def test_metrics_are_those_of_the_confusion_table():
    metrics = LoopClosureLoss.metrics({"true_positives": 30.0, "predicted": 40.0, "actual": 60.0, "steps": 100.0})
    assert metrics["precision"] == pytest.approx(0.75)
    assert metrics["recall"] == pytest.approx(0.5)
    assert metrics["F1"] == pytest.approx(2 * 0.75 * 0.5 / (0.75 + 0.5))
    assert LoopClosureLoss.metrics({"true_positives": 0.0, "predicted": 0.0, "actual": 0.0, "steps": 9.0})["F1"] == 0
