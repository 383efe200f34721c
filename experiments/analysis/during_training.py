"""A short analysis in the course of a training: paths and position accuracy, as pictures in TensorBoard.

The pictures carry the training's frames as their step, so that TensorBoard's slider shows how the agent learns its maze.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from agents.checkpoint import Checkpoint
from agents.trainer import Callback, Trainer
from experiments.analysis.activations import VALUE, record_activations
from experiments.analysis.head_outputs import POSITION, POSTERIOR
from experiments.analysis.items import Pixels, png
from experiments.analysis.maps import TRUE_POSITION, heat_map, mean_by_cell, occupancy_percent, path_map, posterior_plan
from experiments.analysis.playback import Playback
from experiments.analysis.recorder import BLOCK
from experiments.analysis.trajectories import Trajectories
from experiments.event_file import EventFile
from experiments.summaries import image
from experiments.tags import LIVE_ACCURACY, LIVE_OCCUPANCY, LIVE_PATH, LIVE_POSTERIOR, Tag
from maze_gen.errors import InputError

MINUTES = 2.0
"""Between two analyses. One takes about two seconds of one core on the small tasks."""
STEPS = 300
FOLDER = "live"


def live_pictures(trajectories: Trajectories) -> dict[Tag, Pixels]:
    """The pictures of a short playback; maps only where there is one maze."""
    maze = trajectories.task.mazes[0]
    best = int(trajectories.returns.argmax())
    pictures = {LIVE_PATH: path_map(trajectories, best, trajectories.signals[VALUE][best])}
    if len(trajectories.task.mazes) > 1:
        return pictures
    pictures[LIVE_OCCUPANCY] = heat_map(maze, occupancy_percent(trajectories))
    if POSITION in trajectories.signals:
        correct = trajectories.signals[POSITION] == trajectories.cell
        accuracy = mean_by_cell(100 * correct, trajectories.cell, trajectories.task.cells)
        pictures[LIVE_ACCURACY] = heat_map(maze, accuracy, high=100)
        plan = posterior_plan(maze, trajectories.signals[POSTERIOR][best, -1].astype(np.float32))
        x, y = trajectories.position[best, -1].tolist()
        plan.agent(x, y, float(trajectories.heading[best, -1]), colour=TRUE_POSITION)
        pictures[LIVE_POSTERIOR] = plan.array()
    return pictures


class LiveAnalysis:
    """Analyses checkpoints of a training in a thread of its own, one at a time.

    Args:
        folder: of the run; the pictures go into the TensorBoard run `live` in it.
        minutes: between two analyses.
    """

    def __init__(self, folder: Path, minutes: float = MINUTES) -> None:
        self.folder = folder / FOLDER
        self.minutes = minutes
        self.next = time.monotonic() + 60 * minutes
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def start_if_due(self, make_checkpoint: Callable[[], Checkpoint]) -> None:
        """Starts an analysis of the checkpoint, if it is due and the last one has finished."""
        if time.monotonic() < self.next or (self._thread is not None and self._thread.is_alive()):
            return
        self.next = time.monotonic() + 60 * self.minutes
        self._thread = threading.Thread(target=self.analyse, args=(make_checkpoint(),), name="live analysis", daemon=True)
        self._thread.start()

    def analyse(self, checkpoint: Checkpoint) -> None:
        """Plays a block of short episodes and writes its pictures; errors of the disk are left for the training to report."""

        def check(_: str) -> None:
            if self._stopped.is_set():
                raise _StoppedError

        # An agent that has diverged can't be played; the next save says so.
        with contextlib.suppress(_StoppedError, OSError, InputError):
            playback = Playback(checkpoint.task, BLOCK, seed=1, threads=1, progress=check)
            trajectories = record_activations(checkpoint, playback, steps=STEPS)
            check("played")
            pictures = live_pictures(trajectories)
            with contextlib.closing(EventFile(self.folder)) as file:
                for tag, picture in pictures.items():
                    height, width = picture.shape[:2]
                    file.add(image(tag.tag, png(picture), (height, width), tag.name, tag.meaning), checkpoint.frames)

    def stop(self) -> None:
        """Ends an analysis that is in progress, within about a second."""
        self._stopped.set()
        self.wait()

    def wait(self) -> None:
        """Returns when the last analysis has finished."""
        if self._thread is not None:
            self._thread.join()


class _StoppedError(Exception):
    """The training is over."""


class AnalysisCallback(Callback):
    """Analyses the agent now and then while it trains, in a thread of its own."""

    def __init__(self, folder: Path) -> None:
        self.analysis = LiveAnalysis(folder)

    def tick(self, trainer: Trainer) -> None:
        self.analysis.start_if_due(trainer.checkpoint)

    def stop(self, trainer: Trainer) -> None:
        self.analysis.stop()
