"""Random numbers that are the same on every machine and with every version of Python and NumPy."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Item = TypeVar("Item")

_MASK = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15
_FIRST = 0xBF58476D1CE4E5B9
_SECOND = 0x94D049BB133111EB


def seed_from(*parts: object) -> int:
    """A 64-bit seed that depends on every part (through its `str`), so that streams for different purposes are independent."""
    content = "\n".join(str(part) for part in parts).encode()
    return int.from_bytes(hashlib.sha256(content).digest()[:8], "little")


class RandomStream:
    """A stream of SplitMix64 numbers (Steele, Lea and Flood 2014); integers only, so that no rounding differs anywhere."""

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def bits(self) -> int:
        """A number in [0, 2**64)."""
        self._state = z = (self._state + _STEP) & _MASK
        z = ((z ^ (z >> 30)) * _FIRST) & _MASK
        z = ((z ^ (z >> 27)) * _SECOND) & _MASK
        return z ^ (z >> 31)

    def below(self, bound: int) -> int:
        """A number in [0, bound); its bias is below bound / 2**64."""
        return (self.bits() * bound) >> 64

    def between(self, low: int, high: int) -> int:
        """A number in [low, high], both included."""
        return low + self.below(high - low + 1)

    def chance(self, probability: float) -> bool:
        """True with that probability, in steps of 2**-32."""
        return self.bits() >> 32 < round(probability * (1 << 32))

    def shuffled(self, items: Sequence[Item]) -> list[Item]:
        """The items in random order."""
        order = list(items)
        for last in range(len(order) - 1, 0, -1):
            other = self.below(last + 1)
            order[last], order[other] = order[other], order[last]
        return order

    def array(self, size: int) -> npt.NDArray[np.uint64]:
        """[size] uint64, the same numbers as `size` calls of `bits`."""
        z = np.uint64(self._state) + np.arange(1, size + 1, dtype=np.uint64) * np.uint64(_STEP)
        self._state = (self._state + size * _STEP) & _MASK
        z = (z ^ (z >> np.uint64(30))) * np.uint64(_FIRST)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(_SECOND)
        return z ^ (z >> np.uint64(31))
