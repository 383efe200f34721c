"""Loop-closure labels, made as positions come, against the definition's three nested loops."""

import numpy as np
import pytest
import torch

from auxiliary.loop_closure import LoopClosureLabels, LoopClosureLoss, MaskedLabels
from auxiliary.loss import HeadContext
from tests.agents.worlds import counting_task

NEAR, FAR = 100.0, 200.0


def by_definition(path):
    """1 where some s < u < t have |p(s) − p(t)| ≤ η1 and |p(u) − p(t)| > η2."""
    labels = []
    for t in range(len(path)):
        distance = np.linalg.norm(path[:t] - path[t], axis=1)
        labels.append(any(distance[s] <= NEAR and distance[u] > FAR for u in range(t) for s in range(u)))
    return np.array(labels, np.uint8)


def random_path(random, steps):
    """A walk with momentum in a box of 5 x 10 cells, with a few teleports, as respawns are."""
    position, velocity, path = random.uniform(0, 500, 2), np.zeros(2), []
    for _ in range(steps):
        velocity = 0.9 * velocity + random.normal(size=2) * 12
        position = np.clip(position + velocity, 0, [1000, 500])
        if random.random() < 0.01:
            position = random.uniform(0, 1, 2) * [1000, 500]
        path.append(position)
    return np.array(path, np.float32)


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
        assert made[:, row].tolist() == by_definition(path).tolist()
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
    assert made[:, 0].tolist() == by_definition(path).tolist()
    assert made[90:, 1].tolist() == by_definition(path[90:]).tolist()
    assert made[90:, 1].sum() < made[90:, 0].sum()


def test_longer_episodes_than_announced_are_labelled_too():
    path = random_path(np.random.default_rng(2), 50)
    labels = LoopClosureLabels(1, 10)
    made = [int(labels.label(path[t : t + 1], np.array([t == 0]))[0]) for t in range(50)]
    assert made == by_definition(path).tolist()


@each_kind
def test_a_respawn_can_close_a_loop(kind):
    """A teleport away and back to a known place: recognised, though no way was walked."""
    path = np.array([[50, 50], [850, 450], [60, 60]], np.float32)
    labels = kind(1, 10)
    assert [int(labels.label(p[None], np.array([t == 0]))[0]) for t, p in enumerate(path)] == [0, 0, 1]


def test_metrics_are_those_of_the_confusion_table():
    metrics = LoopClosureLoss.metrics({"hits": 30.0, "said": 40.0, "true": 60.0, "steps": 100.0})
    assert metrics["precision"] == pytest.approx(0.75)
    assert metrics["recall"] == pytest.approx(0.5)
    assert metrics["F1"] == pytest.approx(2 * 0.75 * 0.5 / (0.75 + 0.5))
    assert LoopClosureLoss.metrics({"hits": 0.0, "said": 0.0, "true": 0.0, "steps": 9.0})["F1"] == 0


def test_the_log_odds_are_of_two_classes():
    """One number from two classes: the cross-entropy is that of a softmax over both."""
    torch.manual_seed(0)
    head = LoopClosureLoss(HeadContext(counting_task().spec(), 16, 16))
    features, target = torch.randn(9, 16), torch.tensor([0, 1, 1, 0, 1, 0, 0, 1, 1], dtype=torch.uint8)
    logits = head.output(torch.relu(head.hidden(features)))
    expected = torch.nn.functional.cross_entropy(logits, target.long())
    loss, sums = head.loss(features, target)
    torch.testing.assert_close(loss, expected)
    said = logits.argmax(1)
    assert float(sums["hits"]) == int(((said == 1) & (target == 1)).sum())
    assert float(sums["said"]) == int(said.sum())
