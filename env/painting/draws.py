"""What is drawn at random for an episode: which picture, and the noise; functions of seed, stream and episode alone."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from env.engine import philox

PICTURE, NOISE, SAMPLE = range(3)
"""Purposes of the draws of an episode."""

Identity = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""Seeds, streams and episodes, each [N]."""

_UNIFORMS = 12
"""Of 16 bits, whose sum less 6 has mean 0 and variance 1, and is about normal: exact on every machine, as a logarithm is not."""
_IN_A_DRAW = 8


def _uncompiled(function: Any) -> Any:
    return function


def _plain() -> SimpleNamespace:
    # The same source computes with whole arrays.
    return philox.build(_uncompiled)


def pictures(identity: Identity, count: int, purpose: int = PICTURE) -> npt.NDArray[np.int64]:
    """[N]: the picture, of `count`, of each episode, for a purpose."""
    functions, (seeds, streams, episodes) = _plain(), identity
    word = functions.draw(seeds, streams, episodes, np.full(len(seeds), purpose), np.zeros(len(seeds), np.int64))[0]
    return functions.below(word, np.full(len(seeds), count)).astype(np.int64)


def noise(identity: Identity, entries: int) -> npt.NDArray[np.float32]:
    """[N, entries] float32: about normal, each the sum of twelve uniform numbers less 6."""
    draw, (seeds, streams, episodes) = _plain().draw, identity
    N, needed = len(seeds), entries * _UNIFORMS
    halves = []
    for index in range(-(-needed // _IN_A_DRAW)):
        words = draw(seeds, streams, episodes, np.full(N, NOISE), np.full(N, index))
        for word in words:
            halves += [word & np.uint64(0xFFFF), word >> np.uint64(16)]
    parts = np.stack(halves[:needed], 1).astype(np.int64).reshape(N, entries, _UNIFORMS)
    # The middle of each of 2^16 equal parts of [0, 1).
    return ((2 * parts.sum(2) + _UNIFORMS) / 2**17 - _UNIFORMS / 2).astype(np.float32)
