"""Random streams of a worker: for its actions, the order of its minibatches, and the samples of replay memories."""

import json
from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from maze_gen.config_io import parse_json
from maze_gen.errors import InputError


class RandomStream(Protocol):
    """A stream of random numbers that a seed repeats."""

    def uniforms(self, out: Tensor) -> None:
        """Fills `out`, float32 of any shape, with numbers in [0, 1)."""
        ...

    def order(self, count: int) -> Tensor:
        """[count] int64, the numbers from 0 to count - 1 in random order."""
        ...

    def state_dict(self) -> dict[str, Tensor]:
        """Where the stream is."""
        ...

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continues from `state_dict`."""
        ...


class NumpyStream:
    """From NumPy, for tensors on the CPU."""

    def __init__(self, seed: np.random.SeedSequence) -> None:
        self.generator = np.random.default_rng(seed)

    def uniforms(self, out: Tensor) -> None:
        self.generator.random(dtype=np.float32, out=out.numpy())

    def order(self, count: int) -> Tensor:
        return torch.from_numpy(self.generator.permutation(count))

    def state_dict(self) -> dict[str, Tensor]:
        text = json.dumps(self.generator.bit_generator.state)
        return {"numpy": torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        if "numpy" not in state:
            # Of a worker that drew its numbers on a GPU: this stream starts anew.
            return
        try:
            content = parse_json(state["numpy"].numpy().tobytes().decode(), "the state of a random stream")
            self.generator.bit_generator.state = content
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError(f"the state of a random stream can't be restored ({error})") from error


class TorchStream:
    """From torch, generated on the device, so that nothing is copied or synchronised."""

    def __init__(self, seed: np.random.SeedSequence, device: torch.device) -> None:
        self.device = device
        self.generator = torch.Generator(device).manual_seed(int(seed.generate_state(1, np.uint64)[0] >> 1))

    def uniforms(self, out: Tensor) -> None:
        out.uniform_(generator=self.generator)

    def order(self, count: int) -> Tensor:
        # Sorting random numbers: `torch.randperm` may synchronise with the device.
        return torch.rand(count, dtype=torch.float64, device=self.device, generator=self.generator).argsort()

    def state_dict(self) -> dict[str, Tensor]:
        return {"torch": self.generator.get_state()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        if "torch" not in state:
            # Of a worker that drew its numbers on the CPU: this stream starts anew.
            return
        self.generator.set_state(state["torch"])
