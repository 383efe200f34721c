"""The renderer's device functions on given scenes and poses, without an engine; shared by the tests of pictures and depth."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from env.engine.compile import cpu
from env.engine.render.camera import Camera
from env.engine.state import Scene
from env.engine.textures.atlas import LAST_TEXEL, SLOT_TEXELS, all_textures


class Surroundings(NamedTuple):
    """What the cameras of a test share."""

    cols: int
    theme: int
    ceiling: int


@cpu
def camera_at(surroundings, poses, row):
    """The camera at a pose, [N, 4] float32: x, y, cosine and sine of the heading."""
    return Camera(
        0,
        surroundings.cols,
        surroundings.theme,
        surroundings.ceiling,
        poses[row, 0],
        poses[row, 1],
        poses[row, 2],
        poses[row, 3],
    )


def scene_of(faces: npt.NDArray[np.uint8], textures: npt.NDArray[np.int32] | None = None) -> Scene:
    """The scene of one maze whose faces, [rows, cols, 4], count from the bottom row up."""
    sides = np.ascontiguousarray(faces).reshape(1, -1).view(np.uint32)
    return Scene(sides, all_textures() if textures is None else textures)


def flat_textures(colours: dict[int, tuple[int, int, int]]) -> npt.NDArray[np.int32]:
    """Textures whose slots each have one colour; black where none is given."""
    texels = np.zeros(LAST_TEXEL + 1, dtype=np.int32)
    for slot, (red, green, blue) in colours.items():
        start = slot * SLOT_TEXELS
        texels[start : start + SLOT_TEXELS] = red | green << 8 | blue << 16 | -(1 << 24)
    return texels
