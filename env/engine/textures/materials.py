"""Procedural textures of walls, floors, ceilings and the sky; floats in [0, 1], rows from the top.

Walls and planes are [64, 64, 3] and repeat: walls horizontally, floors and ceilings in both directions. Each of the five themes
has materials of its own. No wall is red and no floor is bright, so that the goal and fruit stand out.
"""

import numpy as np
import numpy.typing as npt

SIZE = 64

Floats = npt.NDArray[np.floating]

WALL_COLOURS = np.array([[0.22, 0.42, 0.86], [0.93, 0.78, 0.20], [0.18, 0.62, 0.36], [0.66, 0.34, 0.78]])
"""Blue, yellow, green and violet: face codes 2 to 5, in every theme."""

_PLAIN_COLOURS = np.array([[0.78, 0.58, 0.45], [0.62, 0.68, 0.76], [0.63, 0.45, 0.29], [0.84, 0.88, 0.86], [0.50, 0.52, 0.55]])

V, U = np.mgrid[0:SIZE, 0:SIZE]


def noise(seed: int, cells: int, rows: int | None = None) -> Floats:
    """[64, 64] smooth random values in [0, 1] with `cells` grid points across and `rows` down, periodic in both directions."""
    down = cells if rows is None else rows
    grid = np.random.default_rng(seed).random((down, cells))

    def place(count: int) -> tuple[npt.NDArray[np.intp], Floats]:
        at = np.arange(SIZE) * count / SIZE
        whole = np.floor(at).astype(np.intp)
        part = at - whole
        return whole, part * part * (3 - 2 * part)

    (i, s), (j, t) = place(down), place(cells)
    i, j, s, t = i[:, None], j[None, :], s[:, None], t[None, :]
    over = grid[i, j] * (1 - t) + grid[i, (j + 1) % cells] * t
    under = grid[(i + 1) % down, j] * (1 - t) + grid[(i + 1) % down, (j + 1) % cells] * t
    return over * (1 - s) + under * s


def _grain(seed: int) -> Floats:
    """[64, 64] noise of several scales around 0."""
    return 0.5 * noise(seed, 8) + 0.3 * noise(seed + 1, 16) + 0.2 * noise(seed + 2, 64) - 0.5


def _each(seed: int, numbers: npt.NDArray[np.integer]) -> Floats:
    """A random value in [-0.5, 0.5] for each number, which distinguishes bricks and boards."""
    return np.random.default_rng(seed).random(int(numbers.max()) + 1)[numbers] - 0.5


def _brick(seed: int) -> tuple[Floats, Floats]:
    course = V // 8
    along = (U + 8 * (course % 2)) % SIZE
    shade = 0.86 + 0.22 * _each(seed, course * 4 + along // 16) + 0.25 * _grain(seed)
    edge = (V % 8 == 0) | (along % 16 == 0)
    lit = (V % 8 == 1) | (along % 16 == 1)
    return shade + 0.07 * lit, edge * 1.0


def _stone(seed: int) -> tuple[Floats, Floats]:
    course = np.searchsorted([14, 34, 50], V, side="right")
    along = (U + np.array([0, 19, 7, 28])[course]) % SIZE
    middle = np.array([30, 36, 26, 33])[course]
    top = np.array([0, 14, 34, 50])[course]
    shade = 0.84 + 0.24 * _each(seed, course * 2 + (along >= middle)) + 0.4 * _grain(seed)
    edge = (top == V) | (along == 0) | (along == middle)
    lit = (top + 1 == V) | (along == 1) | (along == middle + 1)
    return shade + 0.08 * lit, edge * 1.0


def _boards(seed: int) -> tuple[Floats, Floats]:
    board = U // 8
    rings = np.sin(2 * np.pi * (V / 24 + 2.2 * noise(seed, 8, 3) + _each(seed, board) * 3))
    shade = 0.84 + 0.24 * _each(seed + 1, board) + 0.07 * rings + 0.16 * _grain(seed)
    rail = (V >= 40) & (V < 45)
    shade = np.where(rail, 0.98 + 0.1 * _grain(seed), shade)
    edge = ((U % 8 == 0) & ~rail) | (V == 39) | (V == 45)
    return shade, edge * 0.9


def _tiles(seed: int) -> tuple[Floats, Floats]:
    tile = (V // 8) * 8 + U // 8
    shade = 0.92 + 0.1 * _each(seed, tile) + 0.06 * _grain(seed)
    gleam = (V % 8 == 2) & (U % 8 >= 2) & (U % 8 <= 4)
    edge = (V % 8 == 0) | (U % 8 == 0)
    return shade + 0.1 * gleam, edge * 0.55


def _plates(seed: int) -> tuple[Floats, Floats]:
    brushed = noise(seed, 4, 64) - 0.5
    upper = V < 34
    across, down = U % 32, np.where(upper, V, V - 34)
    tall = np.where(upper, 34, 30)
    shade = 0.88 + 0.1 * _each(seed, (U // 32) + 2 * upper) + 0.14 * brushed + 0.1 * _grain(seed)
    rivet = ((across - 4) % 24 <= 1) & ((down == 4) | (down == 5) | (down == tall - 5) | (down == tall - 4))
    edge = (across == 0) | (down == 0)
    lit = (across == 1) | (down == 1)
    return shade + 0.1 * lit + 0.2 * rivet, edge * 1.0


_MATERIALS = (_brick, _stone, _boards, _tiles, _plates)
_JOINT = (0.62, 0.45, 0.40, 0.62, 0.42)


def walls(theme: int) -> Floats:
    """[5, 64, 64, 3]: the plain wall of a theme, then its four coloured walls."""
    shade, edge = _MATERIALS[theme](10 * theme + 3)
    shade = shade * (1 - edge * (1 - _JOINT[theme]))
    # Darker towards floor and ceiling, with a skirting: the wall's edges are visible on any floor.
    shade = shade * (1 - 0.22 * np.exp(-V / 5.0) - 0.20 * np.exp(-(63 - V) / 6.0))
    shade = np.where(V >= 60, 0.45 * shade, shade)
    colours = np.concatenate([_PLAIN_COLOURS[theme : theme + 1], WALL_COLOURS])
    return np.clip(shade[None, :, :, None] * colours[:, None, None, :], 0, 1)


def floor(theme: int) -> Floats:
    """[64, 64, 3]: one cell of a theme's floor; u goes east and v goes north."""
    seed = 500 + 10 * theme
    grain = _grain(seed)
    if theme == 0:  # planks with staggered ends
        plank = V // 8
        along = (U + 24 * (plank % 3)) % SIZE
        shade = 0.80 + 0.3 * _each(seed, plank * 2 + along // 32) + 0.25 * (noise(seed, 4, 32) - 0.5)
        colour = np.array([0.46, 0.34, 0.24])
        edge = (V % 8 == 0) | (along % 32 == 0)
    elif theme == 1:  # slabs of two sizes
        shade = 0.84 + 0.5 * _each(seed, (U >= 40) * 1 + (V >= 40) * 2) + 0.4 * grain
        colour = np.array([0.42, 0.42, 0.40])
        edge = (U == 0) | (V == 0) | (U == 40) | (V == 40)
    elif theme == 2:  # a carpet of diamonds
        away = np.abs((U % 32) - 15.5) + np.abs((V % 32) - 15.5)
        shade = 0.78 + 0.3 * (away < 10) + 0.25 * grain
        colour = np.array([0.26, 0.33, 0.42])
        edge = np.abs(away - 13) < 1
    elif theme == 3:  # a chessboard
        shade = 1.05 - 0.45 * (((U // 16) + (V // 16)) % 2) + 0.12 * grain
        colour = np.array([0.46, 0.46, 0.47])
        edge = (U % 16 == 0) | (V % 16 == 0)
    else:  # studded steel
        stud = (((U % 16) - 8) ** 2 + ((V % 16) - 8) ** 2) < 9
        shade = 0.72 + 0.42 * stud + 0.2 * grain
        colour = np.array([0.38, 0.36, 0.31])
        edge = (U % 32 == 0) | (V % 32 == 0)
    shade = shade * np.where(edge, 0.6, 1.0)
    return np.clip(shade[..., None] * colour, 0, 1)


def ceiling(theme: int) -> Floats:
    """[64, 64, 3]: one cell of a theme's ceiling; u goes east and v goes north."""
    grain = _grain(700 + 10 * theme)
    if theme == 0:  # plaster between beams
        shade = np.where((U % 32) < 7, 0.48 + 0.15 * grain, 0.92 + 0.12 * grain)
        colour = np.array([0.86, 0.80, 0.70])
    elif theme == 1:  # a coffer a cell
        distance = np.minimum(np.minimum(U, SIZE - 1 - U), np.minimum(V, SIZE - 1 - V))
        shade = 0.55 + 0.35 * (distance > 8) - 0.2 * (np.abs(distance - 8) < 1) + 0.3 * grain
        colour = np.array([0.52, 0.56, 0.62])
    elif theme == 2:  # boards
        shade = 0.80 + 0.25 * _each(702, V // 16) - 0.3 * (V % 16 == 0) + 0.2 * (noise(703, 4, 32) - 0.5)
        colour = np.array([0.80, 0.70, 0.52])
    elif theme == 3:  # panels around a lamp
        lamp = (U >= 20) & (U < 44) & (V >= 12) & (V < 52)
        shade = 0.74 + 0.26 * lamp - 0.22 * ((U % 32 == 0) | (V % 32 == 0)) + 0.05 * grain
        colour = np.array([0.92, 0.96, 0.98])
    else:  # dark plates with a strip of light
        shade = np.where(np.abs(V - 31.5) < 4, 1.0, 0.42 - 0.15 * (U % 32 == 0) + 0.15 * grain)
        colour = np.array([0.74, 0.84, 0.88])
    return np.clip(shade[..., None] * colour, 0, 1)


def sky(columns: int) -> Floats:
    """[64, columns, 3]: a panorama of the sky, the zenith at the top, the horizon at the bottom; with clouds and a sun."""
    down = (np.arange(SIZE)[:, None] + 0.5) / SIZE
    around = (np.arange(columns)[None, :] + 0.5) / columns
    blue = np.stack([0.25 + 0.5 * down**1.5, 0.48 + 0.37 * down**1.2, 0.86 + 0.10 * down], axis=-1)
    rng = np.random.default_rng(90)
    cover = np.zeros((SIZE, columns))
    for _ in range(26):
        centre, height, width, tall = rng.random(), rng.uniform(0.1, 0.75), rng.uniform(0.02, 0.06), rng.uniform(0.03, 0.08)
        off = (around - centre + 0.5) % 1 - 0.5
        cover += np.exp(-((off / width) ** 2) - ((down - height) / tall) ** 2)
    cloud = np.clip(cover * 1.4 - 0.35, 0, 0.9)[..., None]
    picture = np.broadcast_to(blue, (SIZE, columns, 3)) * (1 - cloud) + cloud * np.array([0.97, 0.97, 1.0])
    sun = np.exp(-(((around - 0.12) / 0.02) ** 2) - ((down - 0.45) / 0.12) ** 2)[..., None]
    return np.clip(picture + sun * np.array([1.0, 0.9, 0.5]), 0, 1)
