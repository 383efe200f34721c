"""Pictures of mazes from above, with paths, heat maps and marks over them; everything that draws a maze calls this."""

import io
import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

import matplotlib
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from maze_gen import icon_colours as palette
from maze_gen.errors import InputError
from maze_gen.files import write_whole
from maze_gen.icon_colours import RGB
from maze_gen.icons import WALL_WIDTH, draw_apple, draw_goal, draw_strawberry, draw_walls, text_font
from maze_gen.maze import CELL_UNITS, Cell, Maze

Mark = Literal["disc", "ring", "cross", "square", "triangle"]
Things = Literal["maze", "none"]

TELEPORT_UNITS = 1.5 * CELL_UNITS
"""A path isn't drawn between two points farther apart: nobody walks that in one step, so it was a respawn."""
SMALLEST_SCALE, LARGEST_SCALE = 4, 400


class TopDown:
    """A canvas that shows a maze from above.

    What stands still (floor, walls, pictures, things) is drawn once for a maze and kept, so that a new canvas every frame of a
    live view costs little. Every method draws over what is there and returns the canvas. Places are in units, in the frame of
    `maze_gen.maze`; a cell's middle is `maze.center(cell)`.

    Args:
        maze: what to show.
        scale: pixels a cell.
        things: `maze` shows the maze's own fruit, goals and spawns, `none` leaves that to `apples`, `strawberries` and `goal`.
        labels: numbers of rows and columns at the border.
        smoothing: pixels are drawn this many times as large, then averaged.
    """

    def __init__(self, maze: Maze, scale: int = 32, things: Things = "maze", labels: bool = False, smoothing: int = 2) -> None:
        if not SMALLEST_SCALE <= scale <= LARGEST_SCALE:
            raise InputError(f"scale = {scale}: expected {SMALLEST_SCALE} to {LARGEST_SCALE} pixels a cell")
        self.maze = maze
        self.scale = scale
        self.smoothing = smoothing
        self._things: Things = things
        self._unit = scale * smoothing
        # Room for the outer walls' thickness, and for the labels.
        self._margin = max(round(self._unit * WALL_WIDTH * 2), smoothing) + (round(0.55 * self._unit) if labels else 0)
        self._labels = labels
        floor, self._over = _layers(maze, self._unit, self._margin, things, labels)
        self._picture = floor.copy()
        self._picture.paste(self._over, (0, 0), self._over)
        self._draw = ImageDraw.Draw(self._picture)
        self._bar: tuple[str, float, float] | None = None

    def heat(
        self,
        values: npt.ArrayLike,
        colormap: str = "viridis",
        low: float | None = None,
        high: float | None = None,
        opacity: float = 0.85,
        colour_bar: bool = False,
    ) -> "TopDown":
        """Colours the floor of every open cell by a number, under walls and things; what was drawn there before is covered.

        Args:
            values: [rows, cols] or [rows x cols] numbers; NaN leaves a cell as it is.
            colormap: one of Matplotlib's.
            low, high: the numbers at the colormap's ends; the least and greatest finite value without them.
            opacity: 0 to 1.
            colour_bar: draws the scale beside the maze.

        Raises:
            InputError: another shape, or no such colormap.
        """
        field = np.asarray(values, dtype=np.float64)
        if field.size != self.maze.open.size:
            raise InputError(f"heat of shape {field.shape}: expected one number a cell, {self.maze.open.shape}")
        field = field.reshape(self.maze.open.shape)
        shown = self.maze.open & np.isfinite(field)
        if shown.any():
            low = float(field[shown].min()) if low is None else low
            high = float(field[shown].max()) if high is None else high
            colours = _colours(field[shown], colormap, low, high)
            for (row, col), colour in zip(np.argwhere(shown).tolist(), colours, strict=True):
                left, top = self._margin + col * self._unit, self._margin + row * self._unit
                self._draw.rectangle(
                    (left, top, left + self._unit - 1, top + self._unit - 1), _mix(palette.FLOOR, colour, opacity)
                )
            if colour_bar:
                self._bar = (colormap, low, high)
            self._picture.paste(self._over, (0, 0), self._over)
        return self

    def path(
        self,
        points: npt.ArrayLike,
        values: npt.ArrayLike | None = None,
        colormap: str = "plasma",
        colour: RGB | None = None,
        width: float = 0.09,
        low: float | None = None,
        high: float | None = None,
    ) -> "TopDown":
        """Draws a line through places; it breaks where they leap, as at a respawn, and at NaN.

        Args:
            points: [T, 2] x and y in units.
            values: [T] numbers that colour the line, such as time or value; the place in the row (time) without them.
            colormap: one of Matplotlib's.
            colour: one colour for the whole line instead.
            width: in cells.
            low, high: the numbers at the colormap's ends.
        """
        places = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        if len(places) == 0:
            return self
        numbers = np.arange(len(places), dtype=np.float64) if values is None else np.asarray(values, dtype=np.float64)
        if numbers.shape != (len(places),):
            raise InputError(f"{numbers.shape} values for a path of {len(places)} points: expected one a point")
        finite = numbers[np.isfinite(numbers)]
        low = float(finite.min()) if low is None and finite.size else low or 0.0
        high = float(finite.max()) if high is None and finite.size else high or 0.0
        colours = [colour] * len(places) if colour else _colours(numbers, colormap, low, high)
        thickness = max(1, round(width * self._unit))
        joint = thickness / 2 - 0.5
        for index in range(1, len(places)):
            before, here = places[index - 1], places[index]
            if not np.isfinite(before).all() or not np.isfinite(here).all() or math.dist(before, here) > TELEPORT_UNITS:
                continue
            start, end = self._pixel(*before), self._pixel(*here)
            self._draw.line((start, end), fill=colours[index], width=thickness)
            if joint >= 1:
                for x, y in (start, end):
                    self._draw.ellipse((x - joint, y - joint, x + joint, y + joint), fill=colours[index])
        return self

    def marker(
        self, x: float, y: float, kind: Mark = "disc", colour: RGB = palette.AGENT, size: float = 0.3, width: float = 0.07
    ) -> "TopDown":
        """Draws a mark at a place: its size and its line's width are in cells."""
        centre_x, centre_y = self._pixel(x, y)
        radius = size * self._unit / 2
        line = max(1, round(width * self._unit))
        box = (centre_x - radius, centre_y - radius, centre_x + radius, centre_y + radius)
        if kind == "disc":
            self._draw.ellipse(box, fill=colour)
        elif kind == "ring":
            self._draw.ellipse(box, outline=colour, width=line)
        elif kind == "square":
            self._draw.rectangle(box, outline=colour, width=line)
        elif kind == "triangle":
            corners = [
                (centre_x + radius * math.sin(angle), centre_y - radius * math.cos(angle))
                for angle in (0, 2 * math.pi / 3, 4 * math.pi / 3)
            ]
            self._draw.polygon(corners, fill=colour)
        elif kind == "cross":
            self._draw.line((box[:2], box[2:]), fill=colour, width=line)
            self._draw.line(((box[0], box[3]), (box[2], box[1])), fill=colour, width=line)
        else:
            raise InputError(f"mark {kind!r}: expected disc, ring, cross, square or triangle")
        return self

    def label(self, x: float, y: float, text: str, colour: RGB = palette.AGENT, size: float = 0.4) -> "TopDown":
        """Writes text whose middle is at a place, on a pale halo; `size` is the letters' height in cells."""
        self._draw.text(
            self._pixel(x, y),
            text,
            fill=colour,
            font=text_font(size * self._unit),
            anchor="mm",
            stroke_width=max(1, round(0.03 * self._unit)),
            stroke_fill=palette.FLOOR,
        )
        return self

    def agent(self, x: float, y: float, heading: float, colour: RGB = palette.AGENT, size: float = 0.55) -> "TopDown":
        """Draws an arrow at a place, pointing along `heading` in degrees; `size` is its length in cells."""
        centre_x, centre_y = self._pixel(x, y)
        corners = []
        for distance, turn in ((0.6, 0), (0.55, 142), (0.22, 180), (0.55, -142)):
            angle = math.radians(heading + turn)
            reach = distance * size * self._unit
            corners.append((centre_x + reach * math.cos(angle), centre_y - reach * math.sin(angle)))
        self._draw.polygon(corners, fill=colour)
        self._draw.line([*corners, corners[0]], fill=(255, 255, 255), width=max(1, round(0.035 * self._unit)))
        return self

    def apples(self, cells: Sequence[Cell]) -> "TopDown":
        """Draws apples, for a canvas made without the maze's own things."""
        for cell in cells:
            draw_apple(self._draw, self._pixel(*self.maze.center(cell)), self._unit)
        return self

    def strawberries(self, cells: Sequence[Cell]) -> "TopDown":
        """Draws strawberries, for a canvas made without the maze's own things."""
        for cell in cells:
            draw_strawberry(self._draw, self._pixel(*self.maze.center(cell)), self._unit)
        return self

    def goal(self, cell: Cell) -> "TopDown":
        """Draws the goal, for a canvas made without the maze's own things."""
        draw_goal(self._draw, self._pixel(*self.maze.center(cell)), self._unit)
        return self

    def image(self) -> Image.Image:
        """The picture so far; the canvas can be drawn on further."""
        picture = self._picture.reduce(self.smoothing) if self.smoothing > 1 else self._picture.copy()
        return picture if self._bar is None else _beside_bar(picture, self.scale, *self._bar)

    def array(self) -> npt.NDArray[np.uint8]:
        """[height, width, 3] uint8, the picture so far."""
        return np.asarray(self.image())

    def save(self, path: str | Path) -> None:
        """Writes the picture as PNG.

        Raises:
            InputError: the file can't be written.
        """
        content = io.BytesIO()
        self.image().save(content, "PNG", optimize=True)
        write_whole(path, content.getvalue())

    def pixel(self, x: float, y: float) -> tuple[float, float]:
        """(column, row) in the finished picture of a place in units."""
        column, row = self._pixel(x, y)
        return column / self.smoothing, row / self.smoothing

    def _pixel(self, x: float, y: float) -> tuple[float, float]:
        pixels = self._unit / CELL_UNITS
        return self._margin + x * pixels, self._margin + (self.maze.rows * CELL_UNITS - y) * pixels


@lru_cache(maxsize=6)
def _layers(maze: Maze, unit: int, margin: int, things: Things, labels: bool) -> tuple[Image.Image, Image.Image]:
    """What lies under heat maps (RGB), and what lies over them (RGBA)."""
    size = (maze.cols * unit + 2 * margin, maze.rows * unit + 2 * margin)
    floor = Image.new("RGB", size, palette.FLOOR if maze.geometry == "thin" else palette.SOLID)
    if labels:
        floor.paste((255, 255, 255), (0, 0, *size))
    draw = ImageDraw.Draw(floor)
    for row in range(maze.rows):
        for col in range(maze.cols):
            left, top = margin + col * unit, margin + row * unit
            colour = palette.FLOOR if maze.open[row, col] else palette.SOLID
            draw.rectangle((left, top, left + unit - 1, top + unit - 1), fill=colour)
    over = Image.new("RGBA", size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(over)
    draw_walls(draw, maze, unit, margin)
    if labels:
        _draw_labels(draw, maze, unit, margin)
    if things == "maze":
        pixels = unit / CELL_UNITS

        def place(cell: Cell) -> tuple[float, float]:
            x, y = maze.center(cell)
            return margin + x * pixels, margin + (maze.rows * CELL_UNITS - y) * pixels

        for cell in maze.spawns:
            x, y = place(cell)
            radius = 0.07 * unit
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(150, 154, 166))
        for cell in maze.apples:
            draw_apple(draw, place(cell), unit)
        for cell in maze.strawberries:
            draw_strawberry(draw, place(cell), unit)
        for cell in maze.goals:
            draw_goal(draw, place(cell), unit)
    return floor, over


def _draw_labels(draw: ImageDraw.ImageDraw, maze: Maze, unit: int, margin: int) -> None:
    font = text_font(0.32 * unit)
    middle = 0.275 * unit
    for col in range(maze.cols):
        draw.text((margin + (col + 0.5) * unit, middle), str(col), fill=palette.SOLID, font=font, anchor="mm")
    for row in range(maze.rows):
        draw.text((middle, margin + (row + 0.5) * unit), str(row), fill=palette.SOLID, font=font, anchor="mm")


def _beside_bar(picture: Image.Image, scale: int, colormap: str, low: float, high: float) -> Image.Image:
    height = max(picture.height, 48)
    letters = max(11, min(0.4 * scale, 22))
    font = text_font(letters)
    texts = [f"{value:.3g}" for value in (high, (low + high) / 2, low)]
    text_width = max(_text_width(font, text) for text in texts)
    thickness = max(10, round(0.35 * scale))
    gap = max(6, round(0.25 * scale))
    whole = Image.new("RGB", (picture.width + 3 * gap + thickness + math.ceil(text_width), height), (255, 255, 255))
    whole.paste(picture, (0, 0))
    top, bottom = round(letters), height - round(letters)
    left = picture.width + gap
    column = np.array(_colours(np.linspace(1.0, 0.0, bottom - top), colormap, 0.0, 1.0), dtype=np.uint8)
    whole.paste(Image.fromarray(np.repeat(column[:, None], thickness, axis=1)), (left, top))
    draw = ImageDraw.Draw(whole)
    draw.rectangle((left, top, left + thickness - 1, bottom - 1), outline=palette.SOLID)
    for text, y in zip(texts, (top, (top + bottom) / 2, bottom - 1), strict=True):
        draw.text((left + thickness + gap / 2, y), text, fill=palette.SOLID, font=font, anchor="lm")
    return whole


def _text_width(font: ImageFont.FreeTypeFont | ImageFont.ImageFont, text: str) -> float:
    left, _, right, _ = font.getbbox(text)
    return right - left


def _colours(values: npt.NDArray[np.floating], colormap: str, low: float, high: float) -> list[RGB]:
    if colormap not in matplotlib.colormaps:
        raise InputError(f"colormap {colormap!r}: Matplotlib has none of that name")
    span = high - low
    places = np.clip((values - low) / span, 0.0, 1.0) if span > 0 else np.full(len(values), 0.5)
    rgba = matplotlib.colormaps[colormap](places, bytes=True)
    return [(int(red), int(green), int(blue)) for red, green, blue, _ in rgba]


def _mix(under: RGB, over: RGB, opacity: float) -> RGB:
    red, green, blue = (round(a + (b - a) * opacity) for a, b in zip(under, over, strict=True))
    return red, green, blue
