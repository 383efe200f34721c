"""State of objects as tensors by name, so that a training goes on where it was saved."""

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

State = dict[str, Tensor]


class Stateful(Protocol):
    """Something that changes while an agent trains."""

    def state_dict(self) -> State: ...

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None: ...


def join(parts: Mapping[str, Mapping[str, Tensor]]) -> State:
    """States by the name of their owner as one state; names are joined by a dot."""
    return {f"{owner}.{name}": value for owner, state in parts.items() for name, value in state.items()}


def part(state: Mapping[str, Tensor], owner: str) -> State:
    """The state of one owner out of a joined one."""
    return {name.removeprefix(f"{owner}."): value for name, value in state.items() if name.startswith(f"{owner}.")}


LARGEST = 1e15
"""Of the numbers of a state: differences and squares of such numbers are finite, too."""


def is_sound(values: Tensor) -> bool:
    """Whether a tensor of a state holds numbers that can be gone on with: finite ones, and of a size that stays so."""
    return not values.is_floating_point() or bool((values.abs() <= LARGEST).all())
