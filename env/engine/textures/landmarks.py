"""The 64 landmark pictures: a sign of one colour on a ground of another, in a frame on the wall.

Signs, grounds and colours are combined so that any two pictures differ even when they are a few pixels wide: of all combinations,
each next one is the one farthest from those already selected.
"""

import functools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from env.engine.textures.materials import SIZE, Floats
from maze_gen.maze import LANDMARKS

PICTURE_TEXELS = 44
"""Width and height of a picture with its frame, in texels of the finest level: 69 of a wall's 100 units."""
_FRAME = 3
_FINE = 4
_COARSE = 6

COLOURS = np.array(
    [
        [0.96, 0.95, 0.90],
        [0.08, 0.08, 0.12],
        [0.50, 0.25, 0.12],
        [0.98, 0.55, 0.05],
        [0.99, 0.90, 0.15],
        [0.10, 0.60, 0.20],
        [0.05, 0.75, 0.80],
        [0.10, 0.22, 0.80],
        [0.55, 0.15, 0.70],
        [0.98, 0.50, 0.75],
    ]
)
"""White, black, brown, orange, yellow, green, cyan, blue, purple, pink; red is the goal's."""

Sign = Callable[[Floats, Floats], npt.NDArray[np.bool_]]


def _polygon(*corners: tuple[float, float]) -> Sign:
    """The inside of a polygon, by counting crossings to the right."""

    def inside(x: Floats, y: Floats) -> npt.NDArray[np.bool_]:
        odd = np.zeros(x.shape, dtype=bool)
        for (x0, y0), (x1, y1) in zip(corners, (*corners[1:], corners[0]), strict=True):
            if y0 != y1:
                odd ^= ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
        return odd

    return inside


def _star(points: int, inner: float) -> Sign:
    angles = np.pi / 2 + np.arange(2 * points) * np.pi / points
    radii = np.where(np.arange(2 * points) % 2, inner, 0.95)
    return _polygon(*zip(radii * np.cos(angles), radii * np.sin(angles), strict=True))


def _disc(x: Floats, y: Floats, cx: float, cy: float, radius: float) -> npt.NDArray[np.bool_]:
    return (x - cx) ** 2 + (y - cy) ** 2 < radius**2


SIGNS: tuple[Sign, ...] = (
    lambda x, y: _disc(x, y, 0, 0, 0.75),
    lambda x, y: _disc(x, y, 0, 0, 0.85) & ~_disc(x, y, 0, 0, 0.45),
    lambda x, y: _disc(x, y, -0.1, 0, 0.85) & ~_disc(x, y, 0.3, 0.1, 0.7),
    _polygon((-0.85, -0.75), (0.85, -0.75), (0, 0.85)),
    _polygon((0.0, -0.9), (0.9, 0), (0, 0.9), (-0.9, 0)),
    lambda x, y: (abs(x) < 0.28) | (abs(y) < 0.28),
    lambda x, y: (abs(x - y) < 0.42) | (abs(x + y) < 0.42),
    lambda x, y: x + y > 0,
    lambda x, y: x < 0,
    lambda x, y: abs(y) < 0.36,
    lambda x, y: abs((x * 2.5) % 2 - 1) < 0.5,
    lambda x, y: abs((y * 2.5 + 1) % 2 - 1) < 0.5,
    lambda x, y: (x < 0) ^ (y < 0),
    _star(5, 0.4),
    _polygon((-0.2, -0.9), (0.2, -0.9), (0.2, 0.1), (0.65, 0.1), (0.0, 0.95), (-0.65, 0.1), (-0.2, 0.1)),
    _polygon((-0.9, -0.2), (-0.9, 0.2), (0.1, 0.2), (0.1, 0.65), (0.95, 0), (0.1, -0.65), (0.1, -0.2)),
    _polygon((-0.75, -0.85), (-0.75, 0.85), (-0.3, 0.85), (-0.3, -0.4), (0.75, -0.4), (0.75, -0.85)),
    _polygon((-0.85, 0.85), (0.85, 0.85), (0.85, 0.4), (0.25, 0.4), (0.25, -0.85), (-0.25, -0.85), (-0.25, 0.4), (-0.85, 0.4)),
    _polygon((0.3, 0.95), (-0.55, -0.1), (-0.05, -0.1), (-0.3, -0.95), (0.55, 0.15), (0.05, 0.15)),
    _polygon((-0.85, -0.85), (0.85, -0.85), (0.85, 0.15), (0, 0.85), (-0.85, 0.15)),
    lambda x, y: _disc(abs(x), y, 0.38, 0.3, 0.42) | ((y < 0.25) & (abs(x) < 0.78 + (y - 0.25) * 0.75)),
    lambda x, y: (abs(x) > 0.45) | (abs(y) > 0.45),
    lambda x, y: abs(y - 0.45 * np.sin(x * 4.5)) < 0.3,
    lambda x, y: _disc(abs(x), abs(y), 0.45, 0.45, 0.34),
)
"""Shapes in a square from -1 to 1, y upwards."""


@functools.cache
def _signs() -> Floats:
    """[signs, inner, inner] cover of each sign, its edges smoothed."""
    inner = PICTURE_TEXELS - 2 * _FRAME
    at = (np.arange(inner * _FINE) + 0.5) / (inner * _FINE) * 2 - 1
    x, y = np.meshgrid(at, -at)
    covers = np.stack([sign(x, y) for sign in SIGNS]).astype(np.float64)
    return covers.reshape(len(SIGNS), inner, _FINE, inner, _FINE).mean(axis=(2, 4))


@functools.cache
def recipes() -> tuple[tuple[int, int, int], ...]:
    """(sign, its colour, the ground's colour) of each of the 64 pictures."""
    covers = _signs()
    inner = covers.shape[1]
    at = np.arange(_COARSE + 1) * inner // _COARSE
    coarse = np.stack([np.add.reduceat(np.add.reduceat(cover, at[:-1], 0), at[:-1], 1) for cover in covers])
    coarse /= np.outer(np.diff(at), np.diff(at))
    apart = np.linalg.norm(COLOURS[:, None] - COLOURS[None], axis=-1) > 0.75
    combinations = np.array(
        [(sign, front, back) for sign in range(len(SIGNS)) for front, back in np.argwhere(apart)], dtype=np.int64
    )
    sign, front, back = combinations.T
    cover = coarse[sign][..., None]
    appearance = (cover * COLOURS[front][:, None, None] + (1 - cover) * COLOURS[back][:, None, None]).reshape(
        len(combinations), -1
    )
    selected = [0]
    distance = np.linalg.norm(appearance - appearance[0], axis=1)
    uses = np.zeros(len(SIGNS), dtype=int)
    uses[sign[0]] = 1
    most = -(-LANDMARKS // len(SIGNS))
    while len(selected) < LANDMARKS:
        following = int(np.argmax(np.where(uses[sign] < most, distance, -1)))
        selected.append(following)
        uses[sign[following]] += 1
        distance = np.minimum(distance, np.linalg.norm(appearance - appearance[following], axis=1))
    return tuple((int(s), int(f), int(b)) for s, f, b in combinations[selected])


@functools.cache
def pictures() -> Floats:
    """[64, 44, 44, 3] floats in [0, 1], the framed pictures."""
    covers = _signs()
    sign, front, back = np.array(recipes()).T
    cover = covers[sign][..., None]
    inside = cover * COLOURS[front][:, None, None] + (1 - cover) * COLOURS[back][:, None, None]
    at = np.arange(PICTURE_TEXELS)
    rim = np.minimum(np.minimum(at[:, None], at[None]), PICTURE_TEXELS - 1 - np.maximum(at[:, None], at[None]))
    wood = np.where(rim == 0, 0.55, np.where(rim == _FRAME - 1, 0.45, 1.0))[..., None] * np.array([0.30, 0.22, 0.15])
    framed = np.broadcast_to(wood, (LANDMARKS, PICTURE_TEXELS, PICTURE_TEXELS, 3)).copy()
    framed[:, _FRAME:-_FRAME, _FRAME:-_FRAME] = inside
    return framed


def landmark_walls(plain: Floats) -> Floats:
    """[64, 64, 64, 3]: a theme's plain wall [64, 64, 3] with each picture on it."""
    walls = np.repeat(plain[None], LANDMARKS, axis=0)
    left = (SIZE - PICTURE_TEXELS) // 2
    top = left - 2
    # A shadow to the right and below separates the picture from the wall.
    walls[:, top + 2 : top + PICTURE_TEXELS + 2, left + 2 : left + PICTURE_TEXELS + 2] *= 0.6
    walls[:, top : top + PICTURE_TEXELS, left : left + PICTURE_TEXELS] = pictures()
    return walls
