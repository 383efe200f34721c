"""Keys of views: the loss against a plain loop over pairs, and keys that learn to tell places apart."""

import math

import numpy as np
import pytest
import torch

from auxiliary import same_place
from auxiliary.loss import HeadContext
from tests.agents.worlds import counting_task
from tests.mutants import Mutant, assert_caught, by_name

M = 40


def batch(seed):
    """(keys [M, KEY] of length 1, targets [M, 5]) of steps in three mazes, near each other."""
    random = np.random.default_rng(seed)
    keys = random.normal(size=(M, same_place.KEY))
    target = np.stack(
        (
            random.uniform(0, 1.5, M),
            random.uniform(0, 1.5, M),
            random.choice([350.0, 5.0, 20.0, 100.0], M),
            random.integers(0, 3, M),
            random.uniform(0, 20, M),
        ),
        1,
    )
    return keys / np.linalg.norm(keys, axis=1, keepdims=True), target.astype(np.float32).astype(np.float64)


def by_hand(keys, target):
    """(loss, pairs named, true, right), pair by pair."""
    total, same_pairs, named, true, right = 0.0, M, 0, 0, 0
    for i in range(M):
        for j in range(M):
            if i == j:
                continue
            maze = target[i, 3] == target[j, 3]
            turn = abs(target[i, 2] - target[j, 2])
            same = maze and math.dist(target[i, :2], target[j, :2]) < 0.6 and min(turn, 360 - turn) < 25
            logit = 10 * float(keys[i] @ keys[j]) - 5
            total += (1.0 if maze else 0.1) * math.log1p(math.exp(-logit if same else logit))
            same_pairs += same
            if maze and abs(target[i, 4] - target[j, 4]) > 3:
                named, true, right = named + (logit > 0), true + same, right + (same and logit > 0)
    return total / same_pairs, named, true, right


def check_loss(module):
    loss = module.SamePlaceLoss(HeadContext(counting_task().spec(), 8, 8))
    for seed in range(3):
        keys, target = batch(seed)
        made, sums = loss.loss(torch.tensor(keys), torch.tensor(target))
        expected, named, true, right = by_hand(keys, target)
        assert float(made) == pytest.approx(expected, rel=1e-5)
        assert [int(sums[name]) for name in ("named", "true", "right")] == [named, true, right]


MUTANTS = by_name(
    [
        Mutant(name, same_place, old, new, check_loss)
        for name, old, new in (
            ("headings don't wrap", ".remainder(360) - 180).abs()", " - 180).abs()"),
            ("mazes are confused", "same = same_maze & (away", "same = (away"),
            ("a view is compared with itself", ".fill_diagonal_(0)", ""),
            ("neighbours in time are counted", "> APART_SECONDS", ">= 0"),
        )
    ]
)


def test_the_loss_is_that_of_all_pairs():
    check_loss(same_place)


@pytest.mark.parametrize("name", MUTANTS)
def test_an_error_is_noticed(name, tmp_path):
    assert_caught(MUTANTS[name], tmp_path)


def test_keys_learn_to_name_places():
    torch.manual_seed(0)
    loss = same_place.SamePlaceLoss(HeadContext(counting_task().spec(), 8, 8))
    places = torch.arange(M) % 8
    target = torch.zeros(M, 5)
    target[:, 0] = places
    target[:, 4] = torch.arange(M) * 5
    keys = torch.nn.Embedding(8, same_place.KEY)
    optimizer = torch.optim.Adam(keys.parameters(), 0.05)
    found = []
    for _ in range(60):
        value, sums = loss.loss(torch.nn.functional.normalize(keys(places), dim=1), target)
        found.append(loss.metrics({name: float(part) for name, part in sums.items()}))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    assert found[-1] == {"precision": 1.0, "recall": 1.0}
