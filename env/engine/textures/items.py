"""Sprites of the apple, the strawberry and the goal: [64, 64, 3] floats in [0, 1] and their cover [64, 64], rows from the top.

Each has a colour that nothing else in a maze has, so that it is recognised from ten cells away, where it is two or three pixels
wide.
"""

import numpy as np

from env.engine.textures.materials import SIZE, Floats

_FINE = 4

Layer = tuple[Floats, Floats]


def _grid() -> tuple[Floats, Floats]:
    at = (np.arange(SIZE * _FINE) + 0.5) / (SIZE * _FINE) * 2 - 1
    x, y = np.meshgrid(at, -at)
    return x, y


def _ball(x: Floats, y: Floats, colour: tuple[float, float, float], lit: float = 0.35) -> Floats:
    """A colour with the shading of a ball lit from the upper left."""
    light = 0.82 + lit * (0.6 * y - 0.5 * x) - 0.18 * (x * x + y * y)
    gleam = np.exp(-(((x + 0.32) / 0.16) ** 2) - ((y - 0.38) / 0.2) ** 2)
    return np.clip(light[..., None] * np.array(colour) + 0.75 * gleam[..., None], 0, 1)


def _paint(*layers: tuple[np.ndarray, Floats]) -> Layer:
    """Composes layers (inside, colour) from back to front and averages down to 64 x 64."""
    colour = np.zeros((SIZE * _FINE, SIZE * _FINE, 3))
    cover = np.zeros((SIZE * _FINE, SIZE * _FINE))
    for inside, paint in layers:
        colour = np.where(inside[..., None], paint, colour)
        cover = np.where(inside, 1.0, cover)

    def smaller(values: np.ndarray) -> np.ndarray:
        return values.reshape(SIZE, _FINE, SIZE, _FINE, -1).mean(axis=(1, 3))

    solid = smaller(cover)
    return smaller(colour * cover[..., None]) / np.maximum(solid, 1e-6), solid[..., 0]


def apple() -> Layer:
    """A green apple with stem and leaf."""
    x, y = _grid()
    body = ((np.abs(x) - 0.28) / 0.66) ** 2 + ((y + 0.14) / 0.80) ** 2 < 1
    body |= (np.abs(x) < 0.3) & (y < 0.5) & (y > -0.84)
    body &= ~((x / 0.3) ** 2 + ((y - 0.74) / 0.22) ** 2 < 1)
    stem = (np.abs(x - 0.12 * (y - 0.4)) < 0.06) & (y > 0.45) & (y < 0.97)
    leaf = ((x - 0.36) / 0.32) ** 2 + ((y - 0.78 - 0.3 * (x - 0.36)) / 0.13) ** 2 < 1
    return _paint(
        (stem, np.array([0.32, 0.2, 0.08])), (body, _ball(x, y, (0.45, 1.0, 0.12))), (leaf, np.array([0.08, 0.5, 0.08]))
    )


def strawberry() -> Layer:
    """A pink strawberry with yellow seeds under green leaves."""
    x, y = _grid()
    # Broad and pink down to its tip, with few seeds: at a distance only the mean colour remains, and only where most is covered.
    width = 0.98 * np.clip((y + 0.98) / 1.45, 0, 1) ** 0.4
    body = (np.abs(x) < width) & ((x / 0.98) ** 2 + ((y + 0.14) / 0.86) ** 2 < 1)
    row = np.floor(y / 0.26)
    seeds = (((x + 0.16 * (row % 2)) % 0.32 - 0.16) / 0.04) ** 2 + ((y % 0.26 - 0.13) / 0.06) ** 2 < 1
    angle = np.arctan2(y - 0.62, x)
    leaves = np.hypot(x, (y - 0.62) * 1.5) < 0.34 + 0.2 * np.cos(5 * angle + np.pi / 2)
    stem = (np.abs(x) < 0.06) & (y > 0.6) & (y < 0.98)
    return _paint(
        (body, _ball(x, y, (1.0, 0.1, 0.55))),
        (body & seeds, np.array([1.0, 0.92, 0.45])),
        (leaves, np.array([0.10, 0.55, 0.12])),
        (stem, np.array([0.12, 0.45, 0.10])),
    )


def goal() -> Layer:
    """A red beacon: a ball with a white star on a red foot."""
    x, y = _grid()
    ball = np.hypot(x, y - 0.22) < 0.74
    foot = (np.abs(x) < 0.22 + 0.34 * np.clip((-0.45 - y) / 0.5, 0, 1)) & (y < -0.4) & (y > -0.97)
    angle = np.arctan2(x, y - 0.22)
    fifth = (angle + np.pi / 5) % (2 * np.pi / 5) - np.pi / 5
    star = np.hypot(x, y - 0.22) * (np.cos(fifth) + 1.7 * np.abs(np.sin(fifth))) < 0.46
    ring = np.abs(np.hypot(x, y - 0.22) - 0.70) < 0.045
    return _paint(
        (foot, np.clip(0.62 - 0.3 * x, 0, 1)[..., None] * np.array([0.85, 0.05, 0.05])),
        (ball, _ball(x, y - 0.22, (1.0, 0.04, 0.03), 0.25)),
        (ring & ball, np.array([0.55, 0.0, 0.0])),
        (star, np.array([1.0, 0.95, 0.85])),
    )
