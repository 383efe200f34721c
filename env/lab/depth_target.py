"""Distances from where DeepMind Lab says the agents are: the depth target, measured in the maze by the engine's own rays."""

import numpy as np
import numpy.typing as npt

from env.engine.frame_engine import FrameEngine
from env.engine.motion import FULL_TURN
from env.task import Task


class View:
    """An engine that stands where it is told.

    Attributes:
        target: [N, 4, 16] float32, see `env.navigation.navigation_spec`; written in place.
    """

    def __init__(self, task: Task, num_envs: int) -> None:
        self._engine = FrameEngine(task, num_envs, observe={"depth_target"})
        self.target = self._engine.observation["depth_target"]

    def reset(self, seed: int, streams: npt.NDArray[np.int64]) -> None:
        """Starts the same episodes as the simulators: the mazes are theirs, and so is where the agents start."""
        self._engine.reset(seed, streams)

    def reset_rows(self, rows: npt.NDArray[np.bool_]) -> None:
        """Starts the next episodes of some rows."""
        self._engine.reset_rows(rows)

    def measure(self, position: npt.NDArray[np.float32], heading: npt.NDArray[np.float32]) -> None:
        """Measures from [N, 2] positions in units and [N] headings in degrees."""
        turns = np.rint(heading * (FULL_TURN / 360)).astype(np.int32) % FULL_TURN
        self._engine.put(position, turns, np.zeros_like(position))

    def close(self) -> None:
        """Frees the engine."""
        self._engine.close()
