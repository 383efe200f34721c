"""The shapes of a top-down picture: walls with their colours and pictures, fruit, and the goal. Lengths are in pixels."""

from functools import lru_cache

from PIL import ImageDraw, ImageFont

from maze_gen import icon_colours as palette
from maze_gen.maze import EAST, FIRST_LANDMARK_FACE, NORTH, SOUTH, WEST, Maze

WALL_WIDTH = 0.07
"""In cells, of each of the two sides of a wall: a dark core on the grid's line and the face's colour before it."""

Place = tuple[float, float]


def draw_walls(draw: ImageDraw.ImageDraw, maze: Maze, unit: int, margin: int) -> None:
    """Draws every face of wall as a stripe of its colour, the walls' dark cores over them, then the pictures."""
    core = max(1, round(0.04 * unit))
    stripe = max(core + 1, round((WALL_WIDTH + 0.04) * unit))
    faces = maze.decoration.faces.tolist()
    theme = maze.decoration.theme
    pictures: list[tuple[int, int, int]] = []
    sides = ((EAST, "right"), (NORTH, "top"), (WEST, "left"), (SOUTH, "bottom"))
    # A block's dark body is the core of its walls.
    layers = ((stripe, False), (core, True)) if maze.geometry == "thin" else ((stripe, False),)
    for thickness, is_core in layers:
        for row in range(maze.rows):
            for col in range(maze.cols):
                left, top = margin + col * unit, margin + row * unit
                right, bottom = left + unit, top + unit
                for side, name in sides:
                    face = faces[row][col][side]
                    if not face:
                        continue
                    reach = core if is_core else 0
                    box = {
                        "right": (right - thickness, top - reach, right + reach - 1, bottom + reach - 1),
                        "left": (left - reach, top - reach, left + thickness - 1, bottom + reach - 1),
                        "top": (left - reach, top - reach, right + reach - 1, top + thickness - 1),
                        "bottom": (left - reach, bottom - thickness, right + reach - 1, bottom + reach - 1),
                    }[name]
                    draw.rectangle(box, fill=palette.SOLID if is_core else palette.face_colour(theme, face))
                    if not is_core and face >= FIRST_LANDMARK_FACE:
                        pictures.append((row, col, side))
    for row, col, side in pictures:
        _draw_picture(draw, margin + (col + 0.5) * unit, margin + (row + 0.5) * unit, side, unit, stripe)


def _draw_picture(draw: ImageDraw.ImageDraw, x: float, y: float, side: int, unit: int, stripe: int) -> None:
    """A picture on a wall: a plate as wide as half the wall, with a white line around it."""
    half, depth = 0.24 * unit, max(3.0, 1.15 * stripe)
    near, far = unit / 2 - depth, unit / 2 - max(1, round(0.04 * unit))
    box = {
        EAST: (x + near, y - half, x + far, y + half),
        WEST: (x - far, y - half, x - near, y + half),
        NORTH: (x - half, y - far, x + half, y - near),
        SOUTH: (x - half, y + near, x + half, y + far),
    }[side]
    draw.rectangle(box, fill=palette.PICTURE, outline=(255, 255, 255), width=max(1, round(0.02 * unit)))


def draw_apple(draw: ImageDraw.ImageDraw, place: Place, unit: int) -> None:
    x, y = place
    radius = 0.15 * unit
    draw.ellipse((x - radius, y - 0.85 * radius, x + radius, y + radius), fill=palette.APPLE, outline=(70, 120, 30))
    draw.line((x, y - 0.7 * radius, x + 0.25 * radius, y - 1.5 * radius), fill=(96, 66, 40), width=max(1, round(0.04 * unit)))
    leaf = 0.5 * radius
    draw.ellipse((x + 0.2 * radius, y - 1.5 * radius, x + 0.2 * radius + 1.6 * leaf, y - 1.5 * radius + leaf), fill=(58, 128, 46))


def draw_strawberry(draw: ImageDraw.ImageDraw, place: Place, unit: int) -> None:
    x, y = place
    radius = 0.17 * unit
    draw.polygon(((x - radius, y - 0.5 * radius), (x, y + 1.2 * radius), (x + radius, y - 0.5 * radius)), fill=palette.STRAWBERRY)
    draw.pieslice((x - radius, y - radius, x, y), 180, 360, fill=palette.STRAWBERRY)
    draw.pieslice((x, y - radius, x + radius, y), 180, 360, fill=palette.STRAWBERRY)
    draw.polygon(
        ((x - 0.7 * radius, y - 1.1 * radius), (x, y - 0.3 * radius), (x + 0.7 * radius, y - 1.1 * radius)), fill=(58, 128, 46)
    )
    seed = max(1.0, 0.02 * unit)
    for dx, dy in ((-0.4, 0.0), (0.4, 0.0), (0.0, 0.45)):
        draw.ellipse(
            (x + dx * radius - seed, y + dy * radius - seed, x + dx * radius + seed, y + dy * radius + seed), fill=(255, 230, 150)
        )


def draw_goal(draw: ImageDraw.ImageDraw, place: Place, unit: int) -> None:
    """A red disc with a white ring: the one thing in the picture that is red."""
    x, y = place
    for share, colour in ((0.3, palette.GOAL), (0.2, (255, 255, 255)), (0.12, palette.GOAL)):
        radius = share * unit
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


@lru_cache(maxsize=64)
def text_font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own letters, of that height."""
    return ImageFont.load_default(max(6, round(size)))
