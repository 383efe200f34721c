"""Odd values and small changes, drawn from a random stream."""

import math
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt

NUMBERS: tuple[Any, ...] = (
    0,
    1,
    -1,
    2,
    3,
    255,
    256,
    65535,
    2**31,
    2**63 - 1,
    2**63,
    -(2**63),
    2**64,
    10**400,
    0.5,
    -0.0,
    1e-300,
    1e308,
)
VALUES: tuple[Any, ...] = (
    *NUMBERS,
    math.nan,
    math.inf,
    -math.inf,
    None,
    True,
    False,
    "",
    "abc",
    "1",
    "nav",
    "\x00",
    "\ud800",
    "é" * 300,
)


def value(random: Random, depth: int = 0) -> Any:
    """Anything that JSON can hold, and a little more."""
    pick = random.random()
    if pick < 0.1 and depth < 3:
        return [value(random, depth + 1) for _ in range(random.randrange(4))]
    if pick < 0.2 and depth < 3:
        return {str(value(random, 3)): value(random, depth + 1) for _ in range(random.randrange(3))}
    return random.choice(VALUES)


def changed(content: Any, random: Random) -> Any:
    """JSON with one value, name or list changed somewhere."""
    if isinstance(content, dict) and content and random.random() < 0.92:
        key = random.choice(sorted(content))
        pick = random.random()
        if pick < 0.1:
            return {name: item for name, item in content.items() if name != key}
        if pick < 0.15:
            return content | {str(random.choice(VALUES)): value(random)}
        return content | {key: changed(content[key], random)}
    if isinstance(content, list) and content and random.random() < 0.7:
        place = random.randrange(len(content))
        return [*content[:place], changed(content[place], random), *content[place + random.randrange(2) :]]
    if isinstance(content, int | float) and not isinstance(content, bool) and random.random() < 0.3:
        return content + random.choice((-1, 1, 0.5, 1000))
    return value(random)


DTYPES = ("uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64", "bool", "uint64")


def array(values: npt.NDArray[Any], random: Random) -> npt.NDArray[Any]:
    """An array with other entries, another shape, or another type."""
    pick = random.random()
    if pick < 0.5 and values.size and values.dtype.kind in "biuf":
        made = values.copy()
        flat = made.reshape(-1)
        for _ in range(random.choice((1, 1, 3, 20))):
            place = random.randrange(values.size)
            if values.dtype.kind == "f":
                flat[place] = random.choice((math.nan, math.inf, -math.inf, -1.0, 0.0, 1.0, 1e30, -1e30, 1e-40, 1e5))
            elif values.dtype.kind == "b":
                flat[place] = not flat[place]
            else:
                limits = np.iinfo(values.dtype)
                odd = random.choice((limits.min, limits.max, 0, 1, int(flat[place]) + 1, int(flat[place]) - 1, 77))
                flat[place] = min(max(odd, limits.min), limits.max)
        return made
    if pick < 0.7:
        shape = list(values.shape)
        if shape and random.random() < 0.7:
            place = random.randrange(len(shape))
            shape[place] = random.choice((0, 1, shape[place] + 1, max(0, shape[place] - 1), 2 * shape[place]))
        else:
            shape = shape[1:] if random.random() < 0.5 else [1, *shape]
        return np.resize(values, shape) if values.size else np.zeros(shape, values.dtype)
    if pick < 0.9 and values.dtype.kind in "biuf":
        with np.errstate(all="ignore"):
            return values.astype(random.choice(DTYPES))
    return np.zeros_like(values)
