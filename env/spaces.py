"""Gymnasium spaces of the observations and actions, shared by every face of a batch."""

import gymnasium
import numpy as np

from env.batch import Arrays
from env.navigation import NUM_ACTIONS

VELOCITY_BOUND = np.array([1000, 1000, 1000, 1000, 1000, 1000], np.float32)
"""Units/s and degrees/s; the rules reach 320 units/s and, at 20 pixels a frame, 151 degrees/s."""

ACTION_SPACE = gymnasium.spaces.Discrete(NUM_ACTIONS)


def observation_space(size: int, depth: bool) -> gymnasium.spaces.Dict:
    """Space of one world's observation: `rgb` [size, size, 3] uint8, `velocity` [6] float32, and `depth` [size, size] uint8."""
    spaces: dict[str, gymnasium.Space] = {
        "rgb": gymnasium.spaces.Box(0, 255, (size, size, 3), np.uint8),
        "velocity": gymnasium.spaces.Box(-VELOCITY_BOUND, VELOCITY_BOUND, dtype=np.float32),
    }
    if depth:
        spaces["depth"] = gymnasium.spaces.Box(0, 255, (size, size), np.uint8)
    return gymnasium.spaces.Dict(spaces)


def observed(depth: bool) -> set[str]:
    """Names of the arrays that a face observes."""
    return {"rgb", "velocity", "depth"} if depth else {"rgb", "velocity"}


def copied(observation: Arrays) -> dict[str, np.ndarray]:
    """The observation of a batch as a dictionary of arrays of its own, [N, ...], in the form of `observation_space`."""
    return {name: array.copy() for name, array in observation.items()}
