"""Tensors of something that changes while an agent trains, copied back from where they were saved."""

from collections.abc import Mapping
from types import MappingProxyType

from torch import Tensor

from maze_gen.errors import InputError

ANY: Mapping[str, int] = MappingProxyType({})


def copy_into(places: Mapping[str, Tensor], state: Mapping[str, Tensor], most: Mapping[str, int] = ANY) -> None:
    """Copies saved tensors into those of the same names: all of them, or none.

    Args:
        places, state: tensors of any shapes and types, the same for each name.
        most: the largest value of those that something is indexed with; the least is 0.

    Raises:
        InputError: one is missing, of another shape or type, or out of range.
    """
    for name, place in places.items():
        values = state.get(name)
        if values is None or values.shape != place.shape or values.dtype != place.dtype:
            found = "missing" if values is None else f"{list(values.shape)} {values.dtype}"
            raise InputError(f"state {name!r} is {found}, expected {list(place.shape)} {place.dtype}")
        if name in most and bool(((values < 0) | (values > most[name])).any()):
            wrong = values[(values < 0) | (values > most[name])][0]
            raise InputError(f"{name} holds {wrong}, expected 0 to {most[name]}")
    for name, place in places.items():
        place.copy_(state[name])
