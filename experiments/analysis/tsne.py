"""t-SNE (van der Maaten and Hinton 2008), exact, for about a thousand points: similar points lie together in a plane."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

PERPLEXITY = 30.0
ITERATIONS = 400
EXAGGERATED = 100
"""First iterations, in which similarities are multiplied by 12 (early exaggeration)."""


def embed(
    points: npt.NDArray[np.float32], iterations: int = ITERATIONS, perplexity: float = PERPLEXITY
) -> npt.NDArray[np.float32]:
    """[K, D] → [K, 2]; deterministic, since the map is initialised with the first two principal components."""
    if len(points) < 4:
        return np.zeros((len(points), 2), dtype=np.float32)
    inputs = torch.from_numpy(np.ascontiguousarray(points, dtype=np.float32))
    similarities = _similarities(inputs, min(perplexity, (len(points) - 1) / 3))
    centred = inputs - inputs.mean(0)
    _, _, axes = torch.linalg.svd(centred, full_matrices=False)
    flat = centred @ axes[:2].T
    if flat.shape[1] < 2:
        flat = torch.cat((flat, torch.zeros(len(flat), 2 - flat.shape[1])), 1)
    flat = 1e-4 * flat / flat[:, 0].std().clamp_min(1e-12)
    velocity, gain = torch.zeros_like(flat), torch.ones_like(flat)
    rate = max(50.0, len(points) / 48)
    for iteration in range(iterations):
        early = iteration < EXAGGERATED
        gradient = _gradient(similarities * (12.0 if early else 1.0), flat)
        gain = torch.where((gradient > 0) == (velocity > 0), gain * 0.8, gain + 0.2).clamp_min(0.01)
        velocity = (0.5 if early else 0.8) * velocity - rate * gain * gradient
        flat = flat + velocity
        flat = flat - flat.mean(0)
    return flat.numpy()


def _similarities(points: Tensor, perplexity: float) -> Tensor:
    """[K, K] joint probabilities whose rows have the given perplexity, found by bisection of each row's precision."""
    squares = torch.cdist(points, points).square()
    squares = squares / squares.mean().clamp_min(1e-12)
    squares.fill_diagonal_(float("inf"))
    low, high = torch.full((len(points), 1), 1e-3), torch.full((len(points), 1), 1e6)
    rows = torch.zeros_like(squares)
    for _ in range(50):
        precision = (low * high).sqrt()
        rows = torch.softmax(-squares * precision, 1)
        entropy = -(rows * rows.clamp_min(1e-12).log()).sum(1, keepdim=True)
        wide = entropy > np.log(perplexity)
        low, high = torch.where(wide, precision, low), torch.where(wide, high, precision)
    return ((rows + rows.T) / (2 * len(points))).clamp_min(1e-12)


def _gradient(similarities: Tensor, flat: Tensor) -> Tensor:
    """Gradient of the Kullback-Leibler divergence (equation 5)."""
    affinity = 1 / (1 + torch.cdist(flat, flat).square())
    affinity.fill_diagonal_(0)
    pull = (similarities - affinity / affinity.sum()) * affinity
    return 4 * (pull.sum(1, keepdim=True) * flat - pull @ flat)
