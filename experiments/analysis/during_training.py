"""A small reading while the training goes on: where the agent goes and whether it knows where it is, in TensorBoard.

Its pictures carry the training's frames as their step, so that TensorBoard's slider shows how the agent learns its maze.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from torch.utils.tensorboard.writer import SummaryWriter

from agents.checkpoint import Checkpoint
from experiments.analysis.activations import POSTERIOR, VALUE, record_activations
from experiments.analysis.items import Pixels
from experiments.analysis.metrics import POSITION
from experiments.analysis.trajectories import BLOCK, Recording
from maze_gen.topdown import TopDown

MINUTES = 2.0
"""Between two readings. One takes about two seconds of one core on the small tasks."""
STEPS = 300
FOLDER = "live"


def live_pictures(recording: Recording) -> dict[str, Pixels]:
    """Name → picture of a short recording; maps only where there is one maze."""
    maze = recording.task.mazes[recording.maze[0]]
    scale = 48 if maze.cols <= 12 else 32
    best = int(recording.returns.argmax())
    paths = TopDown(recording.task.mazes[recording.maze[best]], scale, things="none")
    paths.path(recording.position[best], values=recording.readings[VALUE][best], width=0.08)
    paths.goal(divmod(int(recording.goal_cell[best, 0]), maze.cols))
    pictures = {"path of the best of 25 episodes, coloured by value": paths.array()}
    if len(recording.task.mazes) > 1:
        return pictures
    cells, count = recording.task.cells, np.bincount(recording.cell.ravel(), minlength=recording.task.cells)
    share = np.where(maze.open.ravel(), 100 * count / recording.cell.size, np.nan)
    pictures["time spent in each cell in percent"] = TopDown(maze, scale).heat(share, low=0, colour_bar=True).array()
    if POSITION in recording.readings:
        right = recording.readings[POSITION] == recording.cell
        total = np.bincount(recording.cell.ravel(), weights=right.ravel(), minlength=cells)
        known = np.divide(100 * total, count, out=np.full(cells, np.nan), where=count > 0)
        pictures["accuracy of naming the cell in percent"] = (
            TopDown(maze, scale).heat(known, low=0, high=100, colour_bar=True).array()
        )
        belief = recording.readings[POSTERIOR][best, -1].astype(np.float32)
        seen = TopDown(maze, scale, things="none").heat(np.sqrt(belief), "Blues", low=0, high=1, opacity=1.0)
        x, y = recording.position[best, -1].tolist()
        pictures["where it believes it is after 20 seconds"] = seen.agent(
            x, y, float(recording.heading[best, -1]), colour=(208, 60, 42)
        ).array()
    return pictures


class LiveAnalysis:
    """Reads checkpoints of a training in a thread of its own, one at a time.

    Args:
        folder: of the run; the pictures go into the TensorBoard run `live` in it.
        minutes: between two readings.
    """

    def __init__(self, folder: Path, minutes: float = MINUTES) -> None:
        self.folder = folder / FOLDER
        self.minutes = minutes
        self.next = time.monotonic() + 60 * minutes
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def read_if_due(self, make_checkpoint: Callable[[], Checkpoint]) -> None:
        """Starts a reading of the checkpoint, if it is time and the last one is done."""
        if time.monotonic() < self.next or (self._thread is not None and self._thread.is_alive()):
            return
        self.next = time.monotonic() + 60 * self.minutes
        self._thread = threading.Thread(target=self.read, args=(make_checkpoint(),), name="live reading", daemon=True)
        self._thread.start()

    def read(self, checkpoint: Checkpoint) -> None:
        """Plays a block of short episodes and writes its pictures; a full disk is the training's concern, not this one's."""

        def go_on(_: str) -> None:
            if self._stopped.is_set():
                raise _StoppedError

        with contextlib.suppress(_StoppedError, OSError):
            recording = record_activations(checkpoint, checkpoint.task, BLOCK, seed=1, threads=1, steps=STEPS, progress=go_on)
            go_on("played")
            with SummaryWriter(str(self.folder)) as writer:
                for name, picture in live_pictures(recording).items():
                    writer.add_image(f"Live/{name}", picture, checkpoint.frames, dataformats="HWC")

    def stop(self) -> None:
        """Ends a reading that is under way, within about a second."""
        self._stopped.set()
        self.wait()

    def wait(self) -> None:
        """Until the last reading is done."""
        if self._thread is not None:
            self._thread.join()


class _StoppedError(Exception):
    """The training is over."""
