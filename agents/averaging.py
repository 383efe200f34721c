"""Averaged weights: an exponential mean of the parameters in the course of a training, which swings less than they do."""

import dataclasses
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from agents.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from agents.checkpoint_saver import is_finite
from agents.learning.population_store import BEST, GENERATION, MEMBERS
from agents.trainer import Callback, Trainer
from maze_gen.errors import InputError, Note

AVERAGED = "averaged.safetensors"
"""The averaged agent's name in a run's folder."""
UPDATES = 300
"""Of the optimiser: how far back the mean looks."""


class AveragedWeights(Callback):
    """Keeps the mean m of the parameters θ: after n updates, m += (1 − (1 − 1/`updates`)ⁿ) (θ − m).

    Of a population it keeps the mean of each member; a member's updates are its part of all.

    At the training's end it is saved as an agent that can be played and evaluated, but not trained further. A training that is
    resumed goes on with the mean beside its checkpoint, where that is of the same frames, and else begins with a mean of its own.

    Args:
        path: of the averaged agent.
        updates: how far back the mean looks.
    """

    def __init__(self, path: Path, updates: int = UPDATES) -> None:
        self.path = path
        self._decay = 1 - 1 / updates
        self._mean: dict[str, Tensor] = {}
        self._updates = 0
        # Of a population.
        self._members: Tensor | None = None
        self._generation: Tensor | None = None

    def start(self, trainer: Trainer) -> None:
        now = trainer.checkpoint()
        saved = _saved_mean(trainer.training.earlier, now)
        self._updates = int(now.statistics["updates"])
        if saved is not None:
            self._mean = saved.parameters
            self._members, self._generation = saved.statistics.get(MEMBERS), now.statistics.get(GENERATION)
        self._take(now)

    def tick(self, trainer: Trainer) -> None:
        self._take(trainer.checkpoint())

    def finish(self, trainer: Trainer) -> None:
        self._take(trainer.checkpoint())
        averaged = self.averaged(trainer.checkpoint())
        if is_finite(averaged):
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                save_checkpoint(self.path, averaged)
            except (OSError, InputError) as error:
                # The agent itself has been saved.
                warnings.warn(f"the averaged agent is lost: {error}", Note, stacklevel=2)

    def averaged(self, checkpoint: Checkpoint) -> Checkpoint:
        """The checkpoint with the mean instead of its parameters."""
        members = {} if self._members is None else {MEMBERS: self._members.clone()}
        exported: dict[str, Any] = {"statistics": members, "workers": {}, "log": {}}
        mean = dataclasses.replace(checkpoint, parameters={name: part.clone() for name, part in self._mean.items()}, **exported)
        if not members:
            return mean
        return dataclasses.replace(mean, parameters=mean.members[int(checkpoint.statistics[BEST])].parameters)

    def _take(self, checkpoint: Checkpoint) -> None:
        updates = int(checkpoint.statistics["updates"])
        weight = 1 - self._decay ** (max(updates - self._updates, 0) / checkpoint.config.population)
        if not self._mean:
            self._mean = {name: part.clone() for name, part in checkpoint.parameters.items()}
        else:
            for name, mean in self._mean.items():
                mean.lerp_(checkpoint.parameters[name], weight)
        if MEMBERS in checkpoint.statistics:
            self._take_members(checkpoint.statistics[MEMBERS], checkpoint.statistics[GENERATION], weight)
        self._updates = updates

    def _take_members(self, members: Tensor, generation: Tensor, weight: float) -> None:
        if self._members is None or self._generation is None:
            self._members = members.clone()
        else:
            # The mean of a member that was replaced begins anew.
            other = (generation != self._generation).unsqueeze(1)
            self._members = torch.where(other, members, self._members.lerp(members, weight))
        self._generation = generation.clone()


def _saved_mean(earlier: Checkpoint | None, now: Checkpoint) -> Checkpoint | None:
    """The mean that was saved beside the checkpoint to go on with; None where there is none, or that of another moment."""
    path = None if earlier is None else Path(earlier.origin).parent / AVERAGED
    if path is None or not path.exists():
        return None
    try:
        saved = load_checkpoint(path)
    except InputError as error:
        warnings.warn(f"{error}; the mean begins anew", Note, stacklevel=2)
        return None
    same = (saved.frames, saved.seed, saved.agent_name) == (now.frames, now.seed, now.agent_name)
    fits = {name: part.shape for name, part in saved.parameters.items()} == {
        name: part.shape for name, part in now.parameters.items()
    }
    return saved if same and fits and is_finite(saved) else None
