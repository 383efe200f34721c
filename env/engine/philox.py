"""Counter-based random numbers: Philox 4x32-10 (Salmon and others 2011), a pure function of a key and a counter.

The key is the seed; the counter is (stream, episode, purpose and index). So a number does not depend on what was drawn before,
and is the same on every device.
"""

import functools
from types import SimpleNamespace

import numpy as np

from env.engine.compile import Jit

MAZE, GOAL, FRUIT, SPAWN = range(4)
"""Purposes of the draws of an episode."""

MAX_INDEX = 1 << 24
"""Draws of one purpose in an episode have indices below this."""

# uint64 holds every product of two 32-bit words: nothing overflows, in compiled code or in plain Python.
_WORD = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_FIRST_FACTOR = np.uint64(0xD2511F53)
_SECOND_FACTOR = np.uint64(0xCD9E8D57)
_FIRST_STEP = np.uint64(0x9E3779B9)
_SECOND_STEP = np.uint64(0xBB67AE85)
_PURPOSE_SHIFT = np.uint64(24)


@functools.cache
def build(jit: Jit) -> SimpleNamespace:
    """Defines the device functions under a compiler.

    Returns:
        A namespace of `philox`, `draw` and `below`.
    """

    @jit
    def philox(c0, c1, c2, c3, k0, k1):
        """Four words in [0, 2**32), from a counter of four words and a key of two; all are uint64."""
        for _ in range(10):
            first = c0 * _FIRST_FACTOR
            second = c2 * _SECOND_FACTOR
            c0 = (second >> _SHIFT) ^ c1 ^ k0
            c1 = second & _WORD
            c2 = (first >> _SHIFT) ^ c3 ^ k1
            c3 = first & _WORD
            k0 = (k0 + _FIRST_STEP) & _WORD
            k1 = (k1 + _SECOND_STEP) & _WORD
        return c0, c1, c2, c3

    @jit
    def draw(seed, stream, episode, purpose, index):
        """Four words for draw `index` of a purpose; all are int64."""
        key = np.uint64(seed)
        source = np.uint64(stream)
        number = (np.uint64(purpose) << _PURPOSE_SHIFT) | np.uint64(index)
        return philox(source & _WORD, source >> _SHIFT, np.uint64(episode) & _WORD, number, key & _WORD, key >> _SHIFT)

    @jit
    def below(word, bound):
        """An integer in [0, bound), bound < 2**32, from a word; its bias is below bound / 2**32."""
        return np.int64((word * np.uint64(bound)) >> _SHIFT)

    return SimpleNamespace(philox=philox, draw=draw, below=below)
