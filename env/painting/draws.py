"""What is drawn at random for an episode: which picture, and the noise; functions of seed, stream and episode alone."""

from types import SimpleNamespace

import numpy as np
import numpy.typing as npt

from env.engine import philox

PICTURE, NOISE = range(2)
"""Purposes of the draws of an episode."""

_UNIFORMS = 12
"""Of 16 bits, whose sum less 6 has mean 0 and variance 1, and is about normal: exact on every machine, as a logarithm is not."""
_IN_A_DRAW = 8


def _plain() -> SimpleNamespace:
    # Not compiled: the same source computes with whole arrays.
    return philox.build(lambda function: function)


def pictures(
    seeds: npt.NDArray[np.int64], streams: npt.NDArray[np.int64], episodes: npt.NDArray[np.int64], count: int
) -> npt.NDArray[np.int64]:
    """[N]: the picture, of `count`, of each episode."""
    functions = _plain()
    word = functions.draw(seeds, streams, episodes, np.full(len(seeds), PICTURE), np.zeros(len(seeds), np.int64))[0]
    return functions.below(word, np.full(len(seeds), count)).astype(np.int64)


def noise(
    seeds: npt.NDArray[np.int64], streams: npt.NDArray[np.int64], episodes: npt.NDArray[np.int64], entries: int
) -> npt.NDArray[np.float32]:
    """[N, entries] float32: about normal, each the sum of twelve uniform numbers less 6."""
    draw = _plain().draw
    N, needed = len(seeds), entries * _UNIFORMS
    halves = []
    for index in range(-(-needed // _IN_A_DRAW)):
        words = draw(seeds, streams, episodes, np.full(N, NOISE), np.full(N, index))
        for word in words:
            halves += [word & np.uint64(0xFFFF), word >> np.uint64(16)]
    parts = np.stack(halves[:needed], 1).astype(np.int64).reshape(N, entries, _UNIFORMS)
    # The middle of each of 2^16 equal parts of [0, 1).
    return ((2 * parts.sum(2) + _UNIFORMS) / 2**17 - _UNIFORMS / 2).astype(np.float32)
