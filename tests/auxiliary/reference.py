"""Auxiliary losses, their labels and metrics in NumPy, float64, one element at a time.

A head's weights come by name, as `named_parameters` has them: `hidden.weight` [H, F], `output.bias` [K], ... A loss returns the
mean loss and the metrics.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Weights = Mapping[str, Array]
Loss = tuple[float, dict[str, float]]


def linear(w: Weights, layer: str, x: Array) -> Array:
    return w[f"{layer}.weight"] @ x + w[f"{layer}.bias"]


def head(w: Weights, x: Array) -> Array:
    """A hidden layer with rectifiers, then a linear one."""
    return linear(w, "output", np.maximum(linear(w, "hidden", x), 0))


def cross_entropy(scores: Array, label: int) -> float:
    return float(np.log(np.exp(scores).sum()) - scores[label])


def depth_classes(w: Weights, features: Array, target: npt.NDArray[np.integer]) -> Loss:
    """Features [M, F]; target [M, 64] in 0 … 7. The output's entry 64 c + p is the score of class c of pixel p."""
    losses, right = [], []
    for x, labels in zip(features, target, strict=True):
        output = head(w, x)
        for pixel, label in enumerate(labels):
            scores = np.array([output[64 * c + pixel] for c in range(8)])
            losses.append(cross_entropy(scores, label))
            right.append(np.argmax(scores) == label)
    return float(np.mean(losses)), {"accuracy": float(np.mean(right))}


def depth_regression(w: Weights, features: Array, target: Array) -> Loss:
    """Features [M, F]; target [M, 128] in [0, 1]."""
    errors = [(head(w, x) - values) ** 2 for x, values in zip(features, target, strict=True)]
    loss = float(np.mean(errors))
    return loss, {"mean squared error": loss, "explained variance": 1 - loss / float(np.var(target))}


def loop_closure(w: Weights, features: Array, target: npt.NDArray[np.integer]) -> Loss:
    """Features [M, F]; target [M] in {0, 1}. A softmax over two classes."""
    losses, table = [], np.zeros((2, 2))
    for x, label in zip(features, target, strict=True):
        scores = head(w, x)
        losses.append(cross_entropy(scores, label))
        table[int(np.argmax(scores)), label] += 1
    precision, recall = table[1, 1] / table[1].sum(), table[1, 1] / table[:, 1].sum()
    f1 = 2 * precision * recall / (precision + recall)
    return float(np.mean(losses)), {"precision": precision, "recall": recall, "F1": f1, "loop rate": float(np.mean(target))}


def reward_prediction(w: Weights, features: Array, target: npt.NDArray[np.integer]) -> Loss:
    """Features [3 K, F], window by window; target [K] in {0, 1, 2}."""
    losses, right = [], []
    for k, label in enumerate(target):
        scores = head(w, np.concatenate([features[3 * k], features[3 * k + 1], features[3 * k + 2]]))
        losses.append(cross_entropy(scores, label))
        right.append(np.argmax(scores) == label)
    return float(np.mean(losses)), {"accuracy": float(np.mean(right))}


def position(w: Weights, features: Array, target: npt.NDArray[np.integer]) -> Loss:
    """Features [M, F]; target [M], a cell. A linear softmax."""
    scores = [linear(w, "output", x) for x in features]
    losses = [cross_entropy(part, label) for part, label in zip(scores, target, strict=True)]
    right = [np.argmax(part) == label for part, label in zip(scores, target, strict=True)]
    return float(np.mean(losses)), {"accuracy": float(np.mean(right))}


EDGES = (0.05, 0.175, 0.3, 0.425, 0.55, 0.675, 0.8)


def depth_class(distance: float) -> int:
    """The paper's class of a planar distance in units: the z-buffer between 4 and 1100 units, to the tenth power, in bins."""
    buffer = 1100 / (1100 - 4) * (1 - 4 / distance)
    return sum(buffer**10 >= edge for edge in EDGES)


def depth_values(depth: npt.NDArray[np.uint8]) -> Array:
    """[128] of a square depth picture: (byte / 255)^10 in the middles of 8 x 16 tiles of the crop, row by row."""
    size = len(depth)
    top, left = 16 * size // 84, 2 * size // 84
    tile_height, tile_width = (size - 2 * top) / 8, (size - 2 * left) / 16
    values = []
    for row in range(8):
        for col in range(16):
            byte = depth[top + int((row + 0.5) * tile_height), left + int((col + 0.5) * tile_width)]
            values.append((byte / 255) ** 10)
    return np.array(values)


def loop_labels(path: npt.NDArray[np.floating]) -> list[int]:
    """Of positions [T, 2] in units: 1 where some s < u < t have |p(s) − p(t)| ≤ 100 and |p(u) − p(t)| > 200."""
    labels = []
    for t in range(len(path)):
        distance = np.linalg.norm(path[:t] - path[t], axis=1)
        labels.append(int(any(distance[s] <= 100 and distance[u] > 200 for u in range(t) for s in range(u))))
    return labels


def reward_windows(reward: npt.NDArray[np.floating], starts: npt.NDArray[np.bool_]) -> dict[tuple[int, int], int]:
    """(row, time of the last picture) → 0, 1 or 2 for a reward of zero, above or below it after the last picture.

    Args:
        reward, starts: [T, N]. Windows of three pictures don't cross the start of an episode: only their first may be one.
    """
    T, N = reward.shape
    labels = {}
    for n in range(N):
        for t in range(2, T):
            if not starts[t - 1, n] and not starts[t, n]:
                labels[n, t] = 0 if reward[t, n] == 0 else 1 if reward[t, n] > 0 else 2
    return labels
