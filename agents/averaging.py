"""Averaged weights: an exponential mean of the parameters in the course of a training, which swings less than they do."""

import dataclasses
from pathlib import Path
from typing import Any

from torch import Tensor

from agents.checkpoint import Checkpoint, save_checkpoint
from agents.checkpoint_saver import is_finite
from agents.trainer import Callback, Trainer

AVERAGED = "averaged.safetensors"
"""The averaged agent's name in a run's folder."""
UPDATES = 300
"""Of the optimiser: how far back the mean looks."""


class AveragedWeights(Callback):
    """Keeps the mean m of the parameters θ: after n updates, m += (1 − (1 − 1/`updates`)ⁿ) (θ − m).

    At the training's end it is saved as an agent that can be played and evaluated, but not trained further. A training that is
    resumed begins with a mean of its own.

    Args:
        path: of the averaged agent.
        updates: how far back the mean looks.
    """

    def __init__(self, path: Path, updates: int = UPDATES) -> None:
        self.path = path
        self._decay = 1 - 1 / updates
        self._mean: dict[str, Tensor] = {}
        self._updates = 0

    def start(self, trainer: Trainer) -> None:
        self._take(trainer.checkpoint())

    def tick(self, trainer: Trainer) -> None:
        self._take(trainer.checkpoint())

    def finish(self, trainer: Trainer) -> None:
        self._take(trainer.checkpoint())
        averaged = self.averaged(trainer.checkpoint())
        if is_finite(averaged):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            save_checkpoint(self.path, averaged)

    def averaged(self, checkpoint: Checkpoint) -> Checkpoint:
        """The checkpoint with the mean instead of its parameters."""
        exported: dict[str, Any] = {"statistics": {}, "workers": {}, "log": {}}
        return dataclasses.replace(checkpoint, parameters={name: part.clone() for name, part in self._mean.items()}, **exported)

    def _take(self, checkpoint: Checkpoint) -> None:
        updates = int(checkpoint.statistics["updates"])
        if not self._mean:
            self._mean = {name: part.clone() for name, part in checkpoint.parameters.items()}
        else:
            weight = 1 - self._decay ** max(updates - self._updates, 0)
            for name, mean in self._mean.items():
                mean.lerp_(checkpoint.parameters[name], weight)
        self._updates = updates
