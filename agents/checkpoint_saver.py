"""Saves checkpoints while an agent trains: every save is checked, and a training that diverges keeps its last finite one."""

import tempfile
import time
import warnings
from pathlib import Path

import torch

from agents.checkpoint import Checkpoint, save_checkpoint
from agents.state import is_sound
from agents.trainer import Callback, Trainer
from maze_gen.errors import InputError, Note


class DivergedError(InputError):
    """Parameters or statistics are no longer finite; the last finite checkpoint is as it was."""


class CheckpointSaver(Callback):
    """Writes a training's checkpoint at its start, every few minutes, and at its end.

    A periodic save that fails (a full disk) is reported and tried again; only the last one may fail for good, and then the
    checkpoint goes to the folder for temporary files.

    Attributes:
        path: of the checkpoint; after the training, where it lies.
    """

    def __init__(self, path: Path, minutes: float) -> None:
        self.path = path
        self.minutes = minutes
        self._saved = time.monotonic()
        self._diverged = False

    def start(self, trainer: Trainer) -> None:
        # There is a checkpoint from the first moment on, and a folder that can't be written is known before the work.
        self._write(trainer.checkpoint(with_workers=True))

    def tick(self, trainer: Trainer) -> None:
        if time.monotonic() - self._saved < 60 * self.minutes:
            return
        checkpoint = trainer.checkpoint(with_workers=True)
        if not is_finite(checkpoint):
            self._diverged = True
            raise self._divergence(trainer)
        try:
            self._write(checkpoint)
        except InputError as error:
            self._saved = time.monotonic()
            warnings.warn(f"{error}; the next save will try again", Note, stacklevel=2)

    def finish(self, trainer: Trainer) -> None:
        if self._diverged:
            return
        checkpoint = trainer.checkpoint(with_workers=True)
        if not is_finite(checkpoint):
            raise self._divergence(trainer)
        try:
            self._write(checkpoint)
        except InputError as error:
            elsewhere = Path(tempfile.mkdtemp(prefix="knossos-")) / self.path.name
            save_checkpoint(elsewhere, checkpoint)
            self.path = elsewhere
            warnings.warn(f"{error}; the checkpoint is {elsewhere} instead", Note, stacklevel=2)

    def _write(self, checkpoint: Checkpoint) -> None:
        # Someone may have removed the folder meanwhile.
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write {self.path}: {error.strerror or error}") from error
        save_checkpoint(self.path, checkpoint)
        self._saved = time.monotonic()

    def _divergence(self, trainer: Trainer) -> DivergedError:
        rate = trainer.training.config.learning_rate
        return DivergedError(
            f"the parameters are no longer finite after {trainer.progress.frames:,} frames: {self.path} is the last finite "
            f"checkpoint; go on from it with a --learning-rate below {rate:g}"
        )


def is_finite(checkpoint: Checkpoint) -> bool:
    """Whether all parameters and statistics are finite, and the states of all workers such that they can be gone on with."""
    states = (part for state in checkpoint.workers.values() for part in state.values())
    parts = (*checkpoint.parameters.values(), *checkpoint.statistics.values())
    return all(bool(torch.isfinite(part).all()) for part in parts) and all(map(is_sound, states))
