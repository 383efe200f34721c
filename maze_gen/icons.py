"""Colours and shapes of a maze's picture from above: walls with their colours and pictures, fruit, and the goal.

Lengths are in pixels; a `unit` is the width of a cell in pixels.
"""

from collections.abc import Callable
from functools import lru_cache

from maze_gen.maze import EAST, FIRST_LANDMARK_FACE, NORTH, SOUTH, WEST, Maze
from maze_gen.raster import RGB, Layer, Pixels, box, disc, ellipse, fill, stroke

PLAIN_WALLS: tuple[RGB, ...] = ((178, 132, 96), (122, 142, 120), (128, 136, 158), (186, 166, 128), (146, 118, 136))
"""A colour for each theme: clay, moss, slate, sand, heather."""

COLOURED_WALLS: tuple[RGB, ...] = ((46, 114, 190), (232, 168, 40), (60, 156, 88), (150, 74, 168))
"""Colours of the face codes 2 to 5: blue, amber, green, violet. None is red, for the goal is."""

FLOOR: RGB = (246, 243, 236)
SOLID: RGB = (74, 72, 78)
HATCH: RGB = (176, 172, 168)
"""Lines on the floor of cells about which nothing is known."""
PICTURE: RGB = (232, 60, 140)
APPLE: RGB = (112, 176, 50)
STRAWBERRY: RGB = (236, 90, 120)
GOAL: RGB = (214, 32, 40)
AGENT: RGB = (20, 26, 40)
SPAWN: RGB = (150, 154, 166)
WHITE: RGB = (255, 255, 255)
_LEAF: RGB = (58, 128, 46)

WALL_WIDTH = 0.07
"""In cells, of each of the two sides of a wall: a dark core on the grid's line and the face's colour before it."""


def face_colour(theme: int, face: int) -> RGB:
    """Colour of a wall by its code in `Decoration.faces`; a wall that bears a picture has the plain colour behind it."""
    return COLOURED_WALLS[face - 2] if 2 <= face < 2 + len(COLOURED_WALLS) else PLAIN_WALLS[theme % len(PLAIN_WALLS)]


def draw_walls(pixels: Pixels, maze: Maze, unit: int, margin: int) -> None:
    """Draws every face of wall as a stripe of its colour, the walls' dark cores over them, then the pictures.

    Args:
        margin: pixels before the first row and column of cells.
    """
    core = max(1, round(0.04 * unit))
    stripe = max(core + 1, round((WALL_WIDTH + 0.04) * unit))
    faces = maze.decoration.faces.tolist()
    # A block's dark body is the core of its walls.
    layers = ((stripe, 0), (core, core)) if maze.geometry == "thin" else ((stripe, 0),)
    for thickness, reach in layers:
        for row in range(maze.rows):
            for col in range(maze.cols):
                left, top = margin + col * unit, margin + row * unit
                right, bottom = left + unit, top + unit
                for side, (rows, cols) in (
                    (EAST, ((top - reach, bottom + reach), (right - thickness, right + reach))),
                    (NORTH, ((top - reach, top + thickness), (left - reach, right + reach))),
                    (WEST, ((top - reach, bottom + reach), (left - reach, left + thickness))),
                    (SOUTH, ((bottom - thickness, bottom + reach), (left - reach, right + reach))),
                ):
                    face = faces[row][col][side]
                    if face:
                        colour = SOLID if reach else face_colour(maze.decoration.theme, face)
                        pixels[slice(*rows), slice(*cols)] = colour
    for row in range(maze.rows):
        for col in range(maze.cols):
            for side in range(4):
                if faces[row][col][side] >= FIRST_LANDMARK_FACE:
                    _draw_picture(pixels, (margin + (col + 0.5) * unit, margin + (row + 0.5) * unit), side, unit, stripe)


def _draw_picture(pixels: Pixels, centre: tuple[float, float], side: int, unit: int, stripe: int) -> None:
    """Draws a picture on a wall of a cell: a plate as wide as half the wall, with a white line around it."""
    x, y = centre
    half, depth = 0.24 * unit, max(3.0, 1.15 * stripe)
    near, far = unit / 2 - depth, unit / 2 - max(1, round(0.04 * unit))
    left, top, right, bottom = {
        EAST: (x + near, y - half, x + far, y + half),
        WEST: (x - far, y - half, x - near, y + half),
        NORTH: (x - half, y - far, x + half, y - near),
        SOUTH: (x - half, y + near, x + half, y + far),
    }[side]
    line = max(0.75, 0.02 * unit)
    box(pixels, (left, top, right, bottom), WHITE)
    box(pixels, (left + line, top + line, right - line, bottom - line), PICTURE)


def _draw_apple(pixels: Pixels, unit: int) -> None:
    middle = unit / 2
    radius, rim = 0.15 * unit, max(0.75, 0.02 * unit)
    for inset, colour in ((0.0, (70, 120, 30)), (rim, APPLE)):
        fill(pixels, [ellipse((middle, middle + 0.075 * radius), radius - inset, 0.925 * radius - inset)], colour)
    stem = [(middle, middle - 0.7 * radius), (middle + 0.25 * radius, middle - 1.5 * radius)]
    stroke(pixels, stem, max(1.0, 0.04 * unit), (96, 66, 40))
    fill(pixels, [ellipse((middle + 0.6 * radius, middle - 1.25 * radius), 0.4 * radius, 0.25 * radius)], _LEAF)


def _draw_strawberry(pixels: Pixels, unit: int) -> None:
    x = y = unit / 2
    radius = 0.17 * unit
    shoulders = [ellipse((x + side * radius / 2, y - radius / 2), radius / 2, start=180, end=360) for side in (-1, 1)]
    fill(pixels, [[*shoulders[0], *shoulders[1], (x, y + 1.2 * radius)]], STRAWBERRY)
    fill(pixels, [[(x - 0.7 * radius, y - 1.1 * radius), (x, y - 0.3 * radius), (x + 0.7 * radius, y - 1.1 * radius)]], _LEAF)
    for dx, dy in ((-0.4, 0.0), (0.4, 0.0), (0.0, 0.45)):
        disc(pixels, (x + dx * radius, y + dy * radius), max(0.6, 0.02 * unit), (255, 230, 150))


def _draw_goal(pixels: Pixels, unit: int) -> None:
    """Draws a red disc with a white ring: nothing else in the picture is red."""
    for radius, colour in ((0.3, GOAL), (0.2, WHITE), (0.12, GOAL)):
        disc(pixels, (unit / 2, unit / 2), radius * unit, colour)


def _draw_spawn(pixels: Pixels, unit: int) -> None:
    disc(pixels, (unit / 2, unit / 2), 0.07 * unit, SPAWN)


_ICONS: dict[str, Callable[[Pixels, int], None]] = {
    "spawn": _draw_spawn,
    "apple": _draw_apple,
    "strawberry": _draw_strawberry,
    "goal": _draw_goal,
}


@lru_cache(maxsize=32)
def icon(kind: str, unit: int) -> Layer:
    """The icon of a `spawn`, `apple`, `strawberry` or `goal` in the middle of a cell of `unit` x `unit` pixels."""
    return Layer(unit, unit, lambda pixels: _ICONS[kind](pixels, unit))
