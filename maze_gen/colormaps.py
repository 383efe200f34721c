"""Colour maps by name: OpenCV's, grey, and the blues of ColorBrewer."""

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from maze_gen.errors import InputError

_OPENCV = ("viridis", "plasma", "magma", "inferno", "cividis", "turbo")
_BLUES = (
    (247, 251, 255),
    (222, 235, 247),
    (198, 219, 239),
    (158, 202, 225),
    (107, 174, 214),
    (66, 146, 198),
    (33, 113, 181),
    (8, 81, 156),
    (8, 48, 107),
)
"""ColorBrewer's sequential blues, of nine classes (Brewer 2003), from least to greatest."""

COLORMAPS = (*_OPENCV, "gray", "Blues")
"""Names; each with `_r` behind it is the same colours the other way round."""


@cache
def colormap(name: str) -> npt.NDArray[np.uint8]:
    """[256, 3] uint8: red, green, blue from the least value to the greatest.

    Raises:
        InputError: no colour map has that name.
    """
    base = name.removesuffix("_r")
    if base not in COLORMAPS:
        raise InputError(f"colormap {name!r}: expected one of {', '.join(COLORMAPS)}, or one of them with _r behind it")
    steps = np.arange(256, dtype=np.uint8)
    if base == "gray":
        table = np.repeat(steps[:, None], 3, axis=1)
    elif base == "Blues":
        places = np.linspace(0, 1, len(_BLUES))
        table = np.stack([np.interp(steps / 255, places, channel) for channel in np.array(_BLUES).T], axis=1).round()
    else:
        table = cv2.applyColorMap(steps[:, None], getattr(cv2, f"COLORMAP_{base.upper()}"))[:, 0, ::-1]
    table = np.ascontiguousarray(table[::-1] if name.endswith("_r") else table, dtype=np.uint8)
    table.setflags(write=False)
    return table


def colours(values: npt.NDArray[np.floating], name: str, low: float, high: float) -> npt.NDArray[np.uint8]:
    """[..., 3] uint8: the colour of each value on the scale from `low` to `high`; NaN has the colour of `low`.

    Values beyond the scale have the colour of its end; where `low` equals `high` all have the colour in the middle.

    Raises:
        InputError: no colour map has that name.
    """
    span = high - low
    places = np.nan_to_num(np.clip((values - low) / span, 0.0, 1.0)) if span > 0 else np.full(values.shape, 0.5)
    return colormap(name)[np.minimum((places * 256).astype(np.intp), 255)]
