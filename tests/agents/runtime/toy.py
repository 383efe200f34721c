"""A toy whose learning curve is smooth and takes a second: name the quarter of the picture that is lit."""

import numpy as np
import numpy.typing as npt

from env.batch import Arrays
from tests.agents.worlds import CountingEnv

QUARTERS = 4


class QuarterEnv(CountingEnv):
    """A quarter of the picture is lit, another one at every step; actions q and q + 4 name quarter q.

    The reward is 1 for the right name and 0 else, so a fourth of it comes by chance. Each row draws from its own stream.
    """

    def reset(self, seed: int, streams: npt.ArrayLike | None = None) -> Arrays:
        rows = range(self.num_envs) if streams is None else np.asarray(streams).tolist()
        self.random = [np.random.default_rng((seed, row)) for row in rows]
        self.lit = np.zeros(self.num_envs, np.int64)
        return super().reset(seed, streams)

    def step(self, actions: npt.ArrayLike) -> Arrays:
        right = np.asarray(actions) % QUARTERS == self.lit
        observation = super().step(actions)
        self.outcome.reward[:] = right
        return observation

    def _observe(self) -> Arrays:
        super()._observe()
        self.lit[:] = [stream.integers(QUARTERS) for stream in self.random]
        size = self.observation["rgb"].shape[1]
        self.observation["rgb"][:] = 0
        half = size // 2
        for row, quarter in enumerate(self.lit):
            top, left = quarter // 2 * half, quarter % 2 * half
            self.observation["rgb"][row, top : top + half, left : left + half] = 255
        return self.observation
