"""Patterns of walls, floors, ceilings, sky and items, drawn by formulas; [64, 64, 3] floats in [0, 1], rows from the top."""

import numpy as np

SIZE = 64


def _noise(seed: int, cells: int, size: int = SIZE) -> np.ndarray:
    grid = np.random.default_rng(seed).random((cells, cells))
    at = np.arange(size) * cells / size
    low = at.astype(int)
    t = at - low
    t = t * t * (3 - 2 * t)
    a = grid[low][:, low]
    b = grid[low][:, (low + 1) % cells]
    c = grid[(low + 1) % cells][:, low]
    d = grid[(low + 1) % cells][:, (low + 1) % cells]
    tx, ty = t[None, :], t[:, None]
    return (a * (1 - tx) + b * tx) * (1 - ty) + (c * (1 - tx) + d * tx) * ty


BASE = np.array([[0.72, 0.55, 0.42], [0.55, 0.62, 0.70], [0.62, 0.66, 0.50], [0.70, 0.66, 0.58], [0.58, 0.52, 0.64]])
TINTS = np.array([[0.25, 0.45, 0.80], [0.85, 0.70, 0.20], [0.20, 0.62, 0.40], [0.68, 0.35, 0.70]])


def walls(theme: int) -> list[np.ndarray]:
    v, u = np.mgrid[0:SIZE, 0:SIZE]
    row = v // 16
    brick = ((v % 16) < 1) | (((u + 16 * (row % 2)) % 32) < 1)
    shade = 0.8 + 0.3 * _noise(theme, 16) - 0.3 * brick
    return [shade[..., None] * colour for colour in [BASE[theme], *TINTS]]


def landmark_walls(theme: int, plain: np.ndarray) -> list[np.ndarray]:
    pictures = []
    for k in range(64):
        wall = plain.copy()
        rng = np.random.default_rng(k)
        wall[14:50, 12:52] = np.kron(rng.random((6, 5, 3)), np.ones((6, 8, 1)))
        pictures.append(wall)
    return pictures


def floor(theme: int) -> np.ndarray:
    v, u = np.mgrid[0:SIZE, 0:SIZE]
    check = ((u // 32) + (v // 32)) % 2
    return (0.3 + 0.15 * check + 0.15 * _noise(50 + theme, 16))[..., None] * np.array([1.0, 0.95, 0.9])


def ceiling(theme: int) -> np.ndarray:
    v, u = np.mgrid[0:SIZE, 0:SIZE]
    seam = (u % 32 < 1) | (v % 32 < 1)
    return (0.75 - 0.2 * seam + 0.1 * _noise(90 + theme, 16))[..., None] * np.array([0.9, 0.95, 1.0])


def sky(columns: int) -> np.ndarray:
    v = np.arange(SIZE)[:, None] / SIZE
    cloud = np.tile(_noise(7, 8), (1, columns // SIZE))
    blue = np.stack([0.35 + 0.4 * v, 0.55 + 0.3 * v, 0.9 + 0 * v], axis=-1) * np.ones((1, columns, 1))
    return blue + 0.25 * (cloud > 0.6)[..., None]


def items() -> list[tuple[np.ndarray, np.ndarray]]:
    v, u = (np.mgrid[0:SIZE, 0:SIZE] + 0.5) / SIZE * 2 - 1
    disc = (u * u + v * v < 0.9).astype(float)
    colours = np.array([[0.3, 0.9, 0.2], [1.0, 0.25, 0.6], [0.95, 0.05, 0.05]])
    return [(np.ones((SIZE, SIZE, 3)) * colour, disc) for colour in colours]
