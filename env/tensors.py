"""A batch of worlds as torch tensors: what they tell is read, and what they are told is given, without a copy."""

from typing import Any

import torch
from torch import Tensor

from env.batch import BatchEnv


class TensorWorlds:
    """The arrays of a `BatchEnv` as tensors that lie where the worlds are computed; every step overwrites them.

    Attributes:
        env: the worlds.
        device: where the tensors lie.
        rgb, velocity, depth, depth_target: see `env.batch.Observation`.
        reward, truncated, goals: see `env.batch.Outcome`.
        position, cell: see `env.batch.Privileged`.
    """

    def __init__(self, env: BatchEnv) -> None:
        self.env = env
        seen, outcome, facts = env.observation, env.outcome, env.privileged
        self.rgb = tensor_of(seen.rgb)
        self.velocity = tensor_of(seen.velocity)
        self.depth = None if seen.depth is None else tensor_of(seen.depth)
        self.depth_target = None if seen.depth_target is None else tensor_of(seen.depth_target)
        self.reward = tensor_of(outcome.reward)
        self.truncated = tensor_of(outcome.truncated)
        self.goals = tensor_of(outcome.goals)
        self.position = tensor_of(facts.position)
        self.cell = tensor_of(facts.cell)
        self.device = self.rgb.device

    def step(self, actions: Tensor) -> None:
        """Plays `actions` [N] int64; see `BatchEnv.step`."""
        self.env.step(self._for_env(actions))

    def reset_rows(self, rows: Tensor) -> None:
        """Starts the next episode of `rows` [N] bool; see `BatchEnv.reset_rows`."""
        self.env.reset_rows(self._for_env(rows))

    def _for_env(self, tensor: Tensor) -> Any:
        return tensor.numpy() if self.device.type == "cpu" else tensor


def tensor_of(array: Any) -> Tensor:
    """A NumPy array as a tensor that shares its memory; a tensor as it is."""
    return array if isinstance(array, Tensor) else torch.from_numpy(array)
