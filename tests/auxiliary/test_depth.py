"""Depth classes of distances against the classes of DeepMind Lab's depth bytes for them; a head that learns them."""

import numpy as np
import pytest
import torch

from auxiliary.depth import CLASS_EDGES, FAR, NEAR, DepthLoss, classes_of_distance, distance_edges


def byte_of(distance: np.ndarray) -> np.ndarray:
    """DeepMind Lab's depth byte with planes at 4 and 1100 units."""
    return np.clip(np.floor(255 * FAR / (FAR - NEAR) * (1 - NEAR / distance)), 0, 255)


def classes_of_byte(byte: np.ndarray) -> np.ndarray:
    """Depth bytes → classes in the paper's bins."""
    return np.searchsorted(CLASS_EDGES, (byte / 255) ** 10, side="right")


def test_the_edges_lie_where_the_paper_says():
    assert distance_edges().round().tolist() == [15, 25, 34, 47, 65, 95, 156]


def test_distances_and_their_bytes_fall_into_the_same_classes():
    """A byte is rounded down, so only distances within a byte of an edge may differ, by one class."""
    distance = np.geomspace(NEAR, FAR, 20000)
    ours, theirs = classes_of_distance(distance).astype(int), classes_of_byte(byte_of(distance)).astype(int)
    differs = ours != theirs
    assert (np.abs(ours - theirs) <= 1).all()
    # Where they differ, a byte more would have been in the other class.
    assert (classes_of_byte(byte_of(distance[differs]) + 1) == ours[differs]).all()
    assert set(ours) == set(range(8))


@pytest.mark.parametrize("reads", ["encoder", "core"])
def test_a_head_learns_a_picture(reads):
    torch.manual_seed(0)
    head = DepthLoss(16, reads)
    features = torch.randn(6, 16)
    target = torch.randint(0, 8, (6, 64), dtype=torch.uint8)
    optimizer = torch.optim.Adam(head.parameters(), 0.01)
    for _ in range(150):
        optimizer.zero_grad()
        loss, sums = head.loss(features, target)
        loss.backward()
        optimizer.step()
    assert head.metrics({name: float(value) for name, value in sums.items()})["accuracy"] > 0.95
