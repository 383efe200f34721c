"""Pictures small and few enough for a test."""

import numpy as np

from experiments.classification.data import Pictures


def small_pictures(labels: tuple[int, ...] = (), classes: int = 4) -> Pictures:
    """96 + 40 random pictures of 12 x 12; the label is which quarter is brighter."""
    rng = np.random.default_rng(0)

    def draw(count: int):
        images = rng.integers(0, 120, (count, 12, 12, 3), dtype=np.uint8)
        asked = rng.integers(classes, size=(count, *labels))
        corner = asked.reshape(count, -1)[:, 0]
        for image, label in zip(images, corner, strict=True):
            row, col = 6 * (label // 2), 6 * (label % 2)
            image[row : row + 6, col : col + 6] += 120
        return images, asked

    train, train_labels = draw(96)
    test, test_labels = draw(40)
    return Pictures("small", train, train_labels, test, test_labels, classes)
