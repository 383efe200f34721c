"""What the workers share: parameters and the optimiser's statistics. A worker needs no more of it than `pull` and `push`."""

import contextlib
from typing import Any, Protocol

import torch
from torch import Tensor

from agents.config import TrainConfig
from agents.model import FlatParameters
from agents.optimizer import clip_gradient, make_optimizer


class Store(Protocol):
    """The seam between a worker and whatever holds the parameters: shared memory here, another machine later."""

    def pull(self, parameters: Tensor) -> None:
        """Copies the present parameters into `parameters` [P]."""
        ...

    def push(self, gradients: Tensor) -> float:
        """Applies `gradients` [P], which may be overwritten; returns their length before clipping."""
        ...


class SharedStore:
    """Parameters and statistics in memory that all processes of this machine see.

    Attributes:
        parameters: [P] float32.
        optimizer: with its statistics.
        progress: one number in [0, 1], the share of the training's budget that is spent.
        lock: held while an update is applied, where the configuration wants it; a context manager.
    """

    def __init__(self, config: TrainConfig, flat: FlatParameters, lock: Any = None) -> None:
        self.config = config
        self.agent_size = flat.agent_size
        self.parameters = flat.values.clone()
        self.optimizer = make_optimizer(config, len(self.parameters), self.parameters.dtype)
        self.progress = torch.zeros((), dtype=torch.float64)
        self.lock = lock

    def share_memory(self) -> None:
        self.parameters.share_memory_()
        self.progress.share_memory_()
        self.optimizer.share_memory()

    def pull(self, parameters: Tensor) -> None:
        parameters.copy_(self.parameters)

    def push(self, gradients: Tensor) -> float:
        # The decoder's gradient changes only the decoder: it takes no part in the length that is clipped.
        length = clip_gradient(gradients[: self.agent_size], self.config.gradient_norm)
        with self.lock if self.lock is not None and self.config.locked_updates else contextlib.nullcontext():
            self.optimizer.apply(self.parameters, gradients, self._learning_rates())
        return length

    def _learning_rates(self) -> Tensor:
        config = self.config
        share = 1 + float(self.progress) * (config.final_learning_rate_share - 1)
        rates = torch.full_like(self.parameters, config.learning_rate * share)
        rates[self.agent_size :] = config.decoder_learning_rate * share
        return rates
