"""What `render` shows: the agent's view, at any size."""

import numpy as np
import numpy.typing as npt

from env.batch import BatchEnv
from maze_gen.errors import InputError

SMALLEST, LARGEST = 16, 512
"""Pixels; sizes that are drawn, even ones. A larger or odd picture is resized from the nearest of them."""
MOST = 4096


class Painter:
    """Draws what the rows of a batch see."""

    def __init__(self, batch: BatchEnv, mode: str | None, size: int | None, picture: str = "rgb") -> None:
        """Names the observation that is shown.

        Raises:
            InputError: a mode other than `rgb_array`, or a size below 1 or above 4096 pixels.
        """
        if mode not in (None, "rgb_array"):
            raise InputError(f"render_mode {mode!r}: expected None or 'rgb_array'; `experiments.play` opens a window")
        if size is not None and (isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= MOST):
            raise InputError(f"render_size {size!r}: expected a whole number of pixels from 1 to {MOST}")
        self._batch, self._mode, self._size, self._picture = batch, mode, size, picture

    def pictures(self) -> npt.NDArray[np.uint8] | None:
        """[N, size, size, 3] uint8; None without a render mode."""
        if self._mode is None:
            return None
        return pictures_of(self._batch, self._size, self._picture)


def pictures_of(batch: BatchEnv, size: int | None, picture: str = "rgb") -> npt.NDArray[np.uint8]:
    """[N, size, size, 3] uint8: what the rows see now, drawn at that size, or at the observation's where it is None.

    Raises:
        InputError: these worlds can't draw at another size than the observation's.
    """
    seen = batch.observation[picture]
    if size is None or size == seen.shape[1]:
        return np.array(np.broadcast_to(seen, (*seen.shape[:3], 3)))
    drawn = min(max(size + size % 2, SMALLEST), LARGEST)
    return resized(batch.pictures(drawn), size)


def resized(pictures: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """[N, size, size, 3] uint8: every pixel is the nearest of `pictures` [N, n, n, 3]."""
    nearest = ((np.arange(size) + 0.5) * pictures.shape[1] / size).astype(np.int64)
    return np.ascontiguousarray(pictures[:, nearest][:, :, nearest])
