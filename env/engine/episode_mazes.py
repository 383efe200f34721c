"""Which maze an episode is played in, without playing it."""

import numpy as np
import numpy.typing as npt

from env.engine import philox

BLOCK = 4096
"""Episodes that are looked at together."""
MOST = 1 << 26
"""Episodes looked at before a maze counts as never drawn."""


def mazes_of_episodes(seed: int, stream: int, episodes: npt.NDArray[np.int64], mazes: int) -> npt.NDArray[np.int64]:
    """Index of the maze that each of the episodes [K] draws among `mazes`, [K] int64: the rule of `env.engine.rules.lay_out`."""
    numbers = philox.build(_plain)
    words = numbers.draw(np.uint64(seed), np.uint64(stream), episodes.astype(np.uint64), philox.MAZE, 0)
    return np.asarray(numbers.below(words[0], mazes)).astype(np.int64)


def next_episode_in(maze: int, seed: int, stream: int, first: int, mazes: int) -> int:
    """The first episode from `first` on that draws a maze; about `mazes` episodes are passed over.

    Raises:
        OverflowError: the number of episodes is exhausted, which no maze below `mazes` makes likely.
    """
    for begin in range(first, first + MOST, BLOCK):
        found = np.flatnonzero(mazes_of_episodes(seed, stream, np.arange(begin, begin + BLOCK), mazes) == maze)
        if len(found):
            return begin + int(found[0])
    raise OverflowError(f"no episode of seed {seed} draws maze {maze}")


def _plain(function):
    return function
