"""A batch of worlds as torch tensors, without a copy: what they observe is read, and actions are given."""

from typing import Any

import torch
from torch import Tensor

from env.batch import BatchEnv


class TensorWorlds:
    """The arrays of a `BatchEnv` as tensors that lie where the worlds are computed; every step overwrites them.

    Attributes:
        env: the worlds.
        device: where the tensors lie.
        observation, privileged, statistics: by name, as the worlds' own.
        reward, terminated, truncated: see `env.batch.Outcome`.
    """

    def __init__(self, env: BatchEnv) -> None:
        self.env = env
        self.spec = env.spec
        self.observation = {name: tensor_of(array) for name, array in env.observation.items()}
        self.privileged = {name: tensor_of(array) for name, array in env.privileged.items()}
        self.statistics = {name: tensor_of(array) for name, array in env.outcome.statistics.items()}
        self.reward = tensor_of(env.outcome.reward)
        self.terminated = tensor_of(env.outcome.terminated)
        self.truncated = tensor_of(env.outcome.truncated)
        self.device = self.reward.device

    def step(self, actions: Tensor) -> None:
        """Plays `actions` [N] or [N, K] int64; see `BatchEnv.step`."""
        self.env.step(self._for_env(actions))

    def reset_rows(self, rows: Tensor) -> None:
        """Starts the next episode of `rows` [N] bool; see `BatchEnv.reset_rows`."""
        self.env.reset_rows(self._for_env(rows))

    def _for_env(self, tensor: Tensor) -> Any:
        return tensor.numpy() if self.device.type == "cpu" else tensor


def tensor_of(array: Any) -> Tensor:
    """A NumPy array as a tensor that shares its memory; a tensor as it is."""
    return array if isinstance(array, Tensor) else torch.from_numpy(array)
