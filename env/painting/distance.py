"""Squared distances of canvases to their targets, compiled: sums of integers, the same in any order."""

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from env.engine.compile import cpu_kernel


@functools.cache
def _kernel() -> Any:
    def squared_distances(canvas, target, out):
        """Adds up (canvas - target)^2 of every row into `out`, int64 [N]; both are uint8 [N, entries]."""
        for row in range(canvas.shape[0]):
            left, right = canvas[row], target[row]
            total = np.int64(0)
            for i in range(len(left)):
                difference = np.int32(left[i]) - np.int32(right[i])
                total += np.int64(difference * difference)
            out[row] = total

    return cpu_kernel(squared_distances)


def squared_distances(canvas: npt.NDArray[np.uint8], target: npt.NDArray[np.uint8], out: npt.NDArray[np.int64]) -> None:
    """Σ (canvas − target)² of bytes, of every row: [N, side, side, C] uint8 twice, [N] int64 written."""
    _kernel()(canvas.reshape(len(canvas), -1), target.reshape(len(target), -1), out)
