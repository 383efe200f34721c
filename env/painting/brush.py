"""The interface of brushes: what lays strokes on a batch of canvases."""

from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt


class Brush(ABC):
    """Lays the strokes of N rows on their canvases; both are arrays that the maker gives it, and that stay where they are.

    What a row's canvas becomes depends on what was laid on it since it was cleared, and on nothing else.
    """

    @abstractmethod
    def lay(self) -> None:
        """Lays the present strokes of all rows."""

    @abstractmethod
    def clear(self, rows: npt.NDArray[np.bool_]) -> None:
        """Makes the canvases of `rows` [N] white."""

    @abstractmethod
    def close(self) -> None:
        """Frees what the brush holds."""
