"""The random numbers of a worker: for its actions, the order of its minibatches, and what its memories draw."""

from typing import Protocol

import numpy as np
import torch
from torch import Tensor


class RandomStream(Protocol):
    """A stream of random numbers that a seed repeats."""

    def uniforms(self, out: Tensor) -> None:
        """Fills `out`, float32 of any shape, with numbers in [0, 1)."""
        ...

    def order(self, count: int) -> Tensor:
        """[count] int64, the numbers from 0 to count - 1 in random order."""
        ...


class NumpyStream:
    """From NumPy, for tensors on the CPU."""

    def __init__(self, seed: np.random.SeedSequence) -> None:
        self.generator = np.random.default_rng(seed)

    def uniforms(self, out: Tensor) -> None:
        self.generator.random(dtype=np.float32, out=out.numpy())

    def order(self, count: int) -> Tensor:
        return torch.from_numpy(self.generator.permutation(count))


class TorchStream:
    """From torch, made where they are used, so that nobody waits for them."""

    def __init__(self, seed: np.random.SeedSequence, device: torch.device) -> None:
        self.device = device
        self.generator = torch.Generator(device).manual_seed(int(seed.generate_state(1, np.uint64)[0] >> 1))

    def uniforms(self, out: Tensor) -> None:
        out.uniform_(generator=self.generator)

    def order(self, count: int) -> Tensor:
        # Sorting random numbers, where `torch.randperm` might ask the device something.
        return torch.rand(count, dtype=torch.float64, device=self.device, generator=self.generator).argsort()
