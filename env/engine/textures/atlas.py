"""Every texture of the project, generated from seeds, in one array that the device functions read.

A texture has a slot of 5,504 texels: its mipmap levels one after the other, 64 x 64, 32 x 32, ... 1 x 1, each level in column
order, texel (u, v) of a level of 2^b x 2^b at (u << b) + v; u grows to the right, v downwards. A texel is 8 bits of red, green
and blue from the lowest byte on, and 255 in the top byte where it is opaque, which makes the int32 negative.

Slots: for each theme 70 walls (0 unused, 1 plain, 2 to 5 coloured, 6 to 69 landmarks), then a floor and a ceiling for each
theme, the sky (three slots that hold 256 columns of 64 texels), and the three items.
"""

import functools

import numpy as np
import numpy.typing as npt

from env.engine.code_cache import read_entry, write_entry
from env.engine.textures import items, landmarks, materials
from maze_gen.maze import COLOURED_FACES, FIRST_LANDMARK_FACE, LANDMARKS, PLAIN_FACE, THEMES

SIZE = 64
SLOT_TEXELS = 5504
THEME_SLOTS = PLAIN_FACE + COLOURED_FACES + 1 + LANDMARKS
FLOOR_SLOT = THEMES * THEME_SLOTS
CEILING_SLOT = FLOOR_SLOT + THEMES
SKY_SLOT = CEILING_SLOT + THEMES
SKY_COLUMNS = 256
ITEM_SLOT = SKY_SLOT + 3
LAST_TEXEL = 2**21 - 1
"""The array's size is a power of two, so that every index can be masked."""

MIN_COVER = 0.45
"""Fraction of a texel that an item has to cover for the texel to be opaque."""
COLOUR = 0xFFFFFF
"""The bytes of a texel that are its colour."""
QUARTER = 0x3F3F3F
"""Mask of a colour shifted right by two bits: a quarter of each channel."""


def texture_number(face_code: int) -> int:
    """The number, 1 to 69, of a wall's texture in `Pool.faces`; 0 for no wall. It is the same in every theme."""
    if face_code >= FIRST_LANDMARK_FACE:
        return face_code - FIRST_LANDMARK_FACE + PLAIN_FACE + COLOURED_FACES + 1
    return face_code


ENTRY = "textures.bin"
"""In `env.engine.code_cache`'s folder, whose name stands for the sources that the textures are drawn by."""


@functools.cache
def all_textures() -> npt.NDArray[np.int32]:
    """[2^21] int32, all slots; read-only. They are drawn once and kept on disk: reading them takes a tenth of the time."""
    kept = read_entry(ENTRY)
    if kept is not None and len(kept) == 4 * (LAST_TEXEL + 1):
        return np.frombuffer(kept, np.int32)
    drawn = draw_textures()
    write_entry(ENTRY, drawn.tobytes())
    return drawn


def draw_textures() -> npt.NDArray[np.int32]:
    """[2^21] int32, all slots; read-only."""
    texels = np.zeros(LAST_TEXEL + 1, dtype=np.uint32)
    for theme in range(THEMES):
        walls = materials.walls(theme)
        _store(texels, theme * THEME_SLOTS + 1, np.concatenate([walls, landmarks.landmark_walls(walls[0])]))
        _store(texels, FLOOR_SLOT + theme, materials.floor(theme)[None])
        _store(texels, CEILING_SLOT + theme, materials.ceiling(theme)[None])
    sky = _pack(materials.sky(SKY_COLUMNS))
    texels[SKY_SLOT * SLOT_TEXELS :][: sky.size] = sky.T.ravel()
    for item, draw in enumerate((items.apple, items.strawberry, items.goal)):
        colour, cover = draw()
        _store(texels, ITEM_SLOT + item, colour[None], cover[None])
    packed = texels.view(np.int32)
    packed.setflags(write=False)
    return packed


def _store(texels: np.ndarray, slot: int, colours: np.ndarray, covers: np.ndarray | None = None) -> None:
    """Writes textures [K, 64, 64, 3] into slots from `slot` on, with their smaller mipmap levels.

    Where `covers` [K, 64, 64] is given, only texels covered by at least MIN_COVER are opaque.
    """
    count = len(colours)
    slots = texels[slot * SLOT_TEXELS : (slot + count) * SLOT_TEXELS].reshape(count, SLOT_TEXELS)
    colour = colours.astype(np.float32)
    cover = None if covers is None else covers.astype(np.float32)[..., None]
    at, size = 0, SIZE
    while True:
        packed = _pack(colour, None if cover is None else cover[..., 0] >= MIN_COVER)
        slots[:, at : at + size * size] = packed.transpose(0, 2, 1).reshape(count, -1)
        if size == 1:
            return
        at, size = at + size * size, size // 2
        blocks = (count, size, 2, size, 2)
        if cover is None:
            colour = colour.reshape(*blocks, 3).mean(axis=(2, 4))
        else:
            colour = (colour * cover).reshape(*blocks, 3).mean(axis=(2, 4))
            cover = cover.reshape(*blocks, 1).mean(axis=(2, 4))
            colour = colour / np.maximum(cover, np.float32(1e-6))


def _pack(colour: np.ndarray, opaque: np.ndarray | None = None) -> npt.NDArray[np.uint32]:
    bytes_ = np.clip(np.rint(colour * 255), 0, 255).astype(np.uint32)
    packed = bytes_[..., 0] | bytes_[..., 1] << 8 | bytes_[..., 2] << 16
    if opaque is not None:
        packed |= np.where(opaque, 0xFF000000, 0).astype(np.uint32)
    return packed.astype(np.uint32)
