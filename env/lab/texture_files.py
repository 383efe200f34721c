"""The engine's textures as files for our level, so that both backends show the same walls, floors, ceilings and landmarks."""

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from env.engine.textures.atlas import (
    CEILING_SLOT,
    FLOOR_SLOT,
    SIZE,
    SKY_COLUMNS,
    SKY_SLOT,
    SLOT_TEXELS,
    THEME_SLOTS,
    all_textures,
)
from maze_gen.errors import InputError

SHADE = 3 / 4
"""The engine draws walls along x a quarter darker, so that corners are visible."""
SKY_SIZE = 256
"""Height and width of a side of the sky box."""


def textures_folder(cache: Path, theme: int) -> Path:
    """The folder with the textures of a theme, which is created where it is missing.

    Raises:
        InputError: it cannot be written.
    """
    texels = all_textures()
    digest = hashlib.sha256(texels.tobytes()).hexdigest()[:16]
    folder = cache / f"textures-{digest}-{theme}"
    if folder.is_dir():
        return folder
    try:
        cache.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=cache))
        for name, picture in _pictures(texels, theme).items():
            (made / f"{name}.rgba").write_bytes(picture.tobytes())
        # Another process that was faster has written the same files.
        with contextlib.suppress(FileExistsError):
            os.rename(made, folder)
    except OSError as error:
        raise InputError(f"{cache}: DeepMind Lab's textures cannot be stored there: {error.strerror or error}") from error
    return folder


def _pictures(texels: npt.NDArray[np.int32], theme: int) -> dict[str, npt.NDArray[np.uint8]]:
    pictures = {
        "floor": _picture(texels, FLOOR_SLOT + theme),
        "ceiling": _picture(texels, CEILING_SLOT + theme),
    }
    for number in range(1, THEME_SLOTS):
        picture = _picture(texels, theme * THEME_SLOTS + number)
        pictures[f"wall_{number:02x}"] = picture
        shaded = picture.copy()
        shaded[..., :3] = picture[..., :3] * SHADE
        pictures[f"shaded_{number:02x}"] = shaded
    return pictures | _sky(texels)


def _sky(texels: npt.NDArray[np.int32]) -> dict[str, npt.NDArray[np.uint8]]:
    """The engine's sky as a sky box: sides to the east (rt), west (lf), north (bk) and south (ft), and above (up)."""
    columns = texels[SKY_SLOT * SLOT_TEXELS :][: SKY_COLUMNS * SIZE].view(np.uint8).reshape(SKY_COLUMNS, SIZE, 4)
    down, left = (1 - 2 * (np.mgrid[0:SKY_SIZE, 0:SKY_SIZE] + 0.5) / SKY_SIZE) * np.array([-1, 1])[:, None, None]
    one = np.ones_like(down)
    # Texture coordinates grow against x or y, and down, on the four sides; against x and y on the top.
    sides = {
        "rt": (one, left, -down),
        "lf": (-one, left, -down),
        "bk": (left, one, -down),
        "ft": (left, -one, -down),
        "up": (left, -down, one),
    }
    pictures = {}
    for name, (x, y, z) in sides.items():
        around = np.arctan2(y, x) % (2 * np.pi) * (SKY_COLUMNS / (2 * np.pi))
        rows = np.clip(SIZE - 1 - (SIZE - 1) * z / np.hypot(x, y), 0, SIZE - 1)
        picture = columns[(SKY_COLUMNS - 1 - around.astype(int)) % SKY_COLUMNS, np.rint(rows).astype(int)]
        picture[..., 3] = 255
        pictures[f"sky_{name}"] = picture
    return pictures


def _picture(texels: npt.NDArray[np.int32], slot: int) -> npt.NDArray[np.uint8]:
    """[64, 64, 4] uint8, rows from the top."""
    finest = texels[slot * SLOT_TEXELS :][: SIZE * SIZE].view(np.uint8).reshape(SIZE, SIZE, 4)
    picture = finest.transpose(1, 0, 2).copy()
    picture[..., 3] = 255
    return picture
