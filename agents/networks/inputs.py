"""What an agent perceives: the arrays of an observation joined into pictures and vectors, the last action and the last reward."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

import torch
from torch import Tensor

from agents.config import AgentConfig
from env.batch import ArraySpec, WorldSpec
from maze_gen.errors import InputError


@dataclass
class Inputs:
    """What the agent perceives at each step; leading axes are [N] for a step and [T, B] for a sequence.

    Attributes:
        image: [..., height, width, C] uint8, all pictures that the agent perceives, channel after channel; C may be 0.
        vector: [..., V] float32, all other arrays that it perceives, one after the other; V may be 0.
        reward: [...] float32, of the step before; 0 at an episode's start.
        action: [..., A] float32, one-hot for each part of the action, of the step before; all 0 at an episode's start.
        privileged: [..., C] float32, what the critic alone reads, while training; C is 0 without a privileged critic.
        tracked: [..., D] float32, what the core computed of the past without parameters (`agents.networks.cores.Core.tracked`).
    """

    image: Tensor
    vector: Tensor
    reward: Tensor
    action: Tensor
    privileged: Tensor = field(default_factory=lambda: torch.empty(0))
    tracked: Tensor = field(default_factory=lambda: torch.empty(0))

    def rows(self, rows: Tensor) -> "Inputs":
        """The same of some rows of a sequence: [T, B, ...] → [T, len(rows), ...]."""
        # Many times as fast as an index.
        return Inputs(*(getattr(self, item.name).index_select(1, rows) for item in fields(self)))

    def parts(self) -> Sequence[Tensor]:
        """The tensors, in the order of the fields."""
        return [getattr(self, item.name) for item in fields(self)]


class Perception:
    """Which arrays of the worlds an agent perceives, and how they are joined.

    Attributes:
        names: of the arrays.
        image_shape: (height, width, channels) of the joined pictures; (0, 0, 0) without any.
        vector_scale: a typical size of each entry of the joined vector, by which networks divide.
        action_sizes: number of choices of each part of an action.
        grid: (rows, columns) of the parts of an action that are places; (0, 0) without any.
        step_seconds: simulated seconds of an agent step.
        tracked_width: D, entries that the core leaves in `Inputs.tracked`; set once it is made.
    """

    def __init__(self, agent: AgentConfig, spec: WorldSpec, privileged_width: int = 0) -> None:
        """Asks the specification.

        Args:
            privileged_width: C, entries that the critic reads.

        Raises:
            InputError: the agent wants an array that the worlds can't make, or pictures that differ in size.
        """
        found = spec.observed(agent.perceives(spec))
        self.names = frozenset(found)
        shades = (torch.arange(256) / 255) ** agent.depth_power * 255
        self._depth_table = shades.round().to(torch.uint8) if agent.depth_input and agent.depth_power != 1 else None
        self._images = {name: array for name, array in found.items() if array.is_image}
        self._vectors = {name: array for name, array in found.items() if not array.is_image}
        sizes = {array.shape[:2] for array in self._images.values()}
        if len(sizes) > 1:
            raise InputError(f"pictures {', '.join(self._images)} have the sizes {sorted(sizes)}: expected one size")
        channels = sum(_channels(array) for array in self._images.values())
        height, width = sizes.pop() if sizes else (0, 0)
        self.image_shape = (height, width, channels)
        scales: list[float] = []
        for array in self._vectors.values():
            width = _width(array)
            scales += array.scale or (1.0,) * width
        self.vector_scale = tuple(scales)
        self.action_sizes = spec.action.sizes
        self.grid = next((part.grid for part in spec.action.parts if part.grid is not None), (0, 0))
        self.privileged_width = privileged_width
        self.step_seconds = spec.frames_per_step / spec.frames_per_second
        self.tracked_width = 0

    def first_of(self, name: str) -> int:
        """Index of the first entry of an array in the joined vector.

        Raises:
            InputError: the agent doesn't perceive it, or as a picture.
        """
        first = 0
        for found, array in self._vectors.items():
            if found == name:
                return first
            first += _width(array)
        raise InputError(
            f"this agent needs {name!r} among what it perceives; these worlds show it {', '.join(sorted(self.names))}"
        )

    def allocate(self, leading: Sequence[int], device: torch.device | str = "cpu") -> Inputs:
        """Inputs of zeros with these leading axes."""
        zeros = lambda *shape, dtype=torch.float32: torch.zeros(*leading, *shape, dtype=dtype, device=device)  # noqa: E731
        return Inputs(
            zeros(*self.image_shape, dtype=torch.uint8),
            zeros(len(self.vector_scale)),
            zeros(),
            zeros(sum(self.action_sizes)),
            zeros(self.privileged_width),
            zeros(self.tracked_width),
        )

    def present(self, observation: Mapping[str, Tensor], num_envs: int, device: torch.device | str) -> Inputs:
        """Inputs [N, ...] that `observe` keeps up to date; what needs no joining is the worlds' own memory.

        Raises:
            InputError: the worlds don't make an array that the agent perceives.
        """
        missing = sorted(self.names - set(observation))
        if missing:
            raise InputError(
                f"this agent perceives {', '.join(sorted(self.names))}: "
                f"make the worlds with {missing[0]!r} among what they observe"
            )
        inputs = self.allocate((num_envs,), device)
        image, vector = self._alone(self._images), self._alone(self._vectors)
        if image is not None and self._images[image].shape == self.image_shape:
            inputs.image = observation[image]
        if vector is not None and self._vectors[vector].dtype == "float32" and len(self._vectors[vector].shape) == 1:
            inputs.vector = observation[vector]
        return inputs

    def observe(self, observation: Mapping[str, Tensor], inputs: Inputs) -> None:
        """Joins the present observation into `inputs`, where they aren't the worlds' own memory."""
        self._join(self._images, observation, inputs.image)
        self._join(self._vectors, observation, inputs.vector)

    def _join(self, arrays: Mapping[str, ArraySpec], observation: Mapping[str, Tensor], out: Tensor) -> None:
        if len(arrays) == 1 and observation[next(iter(arrays))] is out:
            return
        first = 0
        for name, array in arrays.items():
            width = _channels(array) if array.is_image else _width(array)
            place = out[..., first : first + width]
            values = observation[name].reshape(place.shape)
            if name == "depth" and self._depth_table is not None:
                self._depth_table = self._depth_table.to(values.device)
                values = self._depth_table[values.int()]
            place.copy_(values)
            first += width

    @staticmethod
    def _alone(arrays: Mapping[str, ArraySpec]) -> str | None:
        return next(iter(arrays)) if len(arrays) == 1 else None


def _channels(array: ArraySpec) -> int:
    return array.shape[2] if len(array.shape) == 3 else 1


def _width(array: ArraySpec) -> int:
    width = 1
    for size in array.shape:
        width *= size
    return width
