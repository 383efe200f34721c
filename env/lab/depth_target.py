"""The depth target on DeepMind Lab: measured in the maze by the engine's own rays, from the poses that the simulators report."""

import numpy as np
import numpy.typing as npt

from env.engine.frame_engine import FrameEngine
from env.engine.motion import FULL_TURN
from env.task import Task


class DepthTarget:
    """An engine whose agents are placed at the simulators' poses.

    Attributes:
        array: [N, 4, 16] float32, see `env.navigation`; written in place.
    """

    def __init__(self, task: Task, num_envs: int) -> None:
        self._engine = FrameEngine(task, num_envs, observe={"depth_target"})
        self.array = self._engine.observation["depth_target"]

    def reset(self, seed: int, streams: npt.NDArray[np.int64]) -> None:
        """Starts the same episodes as the simulators: the same mazes and the same first poses."""
        self._engine.reset(seed, streams)

    def reset_rows(self, rows: npt.NDArray[np.bool_]) -> None:
        """Starts the next episodes of some rows."""
        self._engine.reset_rows(rows)

    def measure(self, position: npt.NDArray[np.float32], heading: npt.NDArray[np.float32]) -> None:
        """Measures from [N, 2] positions in units and [N] headings in degrees."""
        turns = np.rint(heading * (FULL_TURN / 360)).astype(np.int32) % FULL_TURN
        self._engine.look_from(position, turns)

    def close(self) -> None:
        """Frees the engine."""
        self._engine.close()
