"""Pictures of mazes from above, with paths, heat maps and marks over them; everything that draws a maze calls this."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from maze_gen.colormaps import colormap as colour_table
from maze_gen.colormaps import colours as colours_of
from maze_gen.errors import InputError
from maze_gen.files import write_whole
from maze_gen.icons import AGENT, FLOOR, HATCH, SOLID, WALL_WIDTH, WHITE, draw_walls, icon
from maze_gen.maze import CELL_UNITS, Cell, Maze
from maze_gen.raster import RGB, Layer, Pixels, disc, ellipse, encode_png, fill, resize, stroke, text, text_width

Mark = Literal["disc", "ring", "cross", "square", "triangle"]
Things = Literal["maze", "none"]
Coordinate = TypeVar("Coordinate", float, npt.NDArray[np.float64])

TELEPORT_UNITS = 1.5 * CELL_UNITS
"""A path isn't drawn between two points farther apart: nobody walks that in one step, so it was a respawn."""
SMALLEST_SCALE, LARGEST_SCALE = 4, 400


class TopDown:
    """A canvas that shows a maze from above.

    Floor, walls, pictures on walls and the maze's things are drawn once for a maze and kept, so that a new canvas for every
    frame of a live view costs little. Every method draws over what is there and returns the canvas. Places are in units, in the
    frame of `maze_gen.maze`; a cell's middle is `maze.center(cell)`. Lines and edges are drawn to a fraction of a pixel.

    Args:
        maze: what to show.
        scale: pixels a cell.
        things: `maze` shows the maze's own fruit, goals and spawns, `none` leaves that to `apples`, `strawberries` and `goal`.
        labels: numbers of rows and columns at the border.
        smoothing: pixels are drawn this many times as large, then averaged; edges are smooth without it.
    """

    def __init__(self, maze: Maze, scale: int = 32, things: Things = "maze", labels: bool = False, smoothing: int = 1) -> None:
        if not SMALLEST_SCALE <= scale <= LARGEST_SCALE:
            raise InputError(f"scale = {scale}: expected {SMALLEST_SCALE} to {LARGEST_SCALE} pixels a cell")
        self.maze = maze
        self.scale = scale
        self.smoothing = smoothing
        self._unit = scale * smoothing
        # The outer walls' thickness, and the labels, lie in the margin.
        margin = max(1, round(scale * WALL_WIDTH * 2)) + (round(0.55 * scale) if labels else 0)
        self._margin = margin * smoothing
        self._plan = _plan(maze, self._unit, self._margin, things, labels)
        self._pixels = self._plan.picture.copy()
        self._bar: tuple[str, float, float] | None = None

    def heat(
        self,
        values: npt.ArrayLike,
        colormap: str = "viridis",
        low: float | None = None,
        high: float | None = None,
        opacity: float = 0.85,
        colour_bar: bool = False,
        hatched: bool = False,
    ) -> "TopDown":
        """Colours the floor of every open cell by a number, under walls and things; what was drawn there before is covered.

        Args:
            values: [rows, cols] or [rows x cols] numbers; a cell whose number is NaN or infinite stays as it is.
            colormap: one of `colormaps.COLORMAPS`.
            low, high: the numbers at the colormap's ends; the least and greatest finite value without them.
            opacity: 0 to 1.
            colour_bar: draws the scale beside the maze.
            hatched: hatches open cells without a number, so that they can't be taken for cells of a low or a high one.

        Raises:
            InputError: another shape, or no such colormap.
        """
        field = np.asarray(values, dtype=np.float64)
        if field.size != self.maze.open.size:
            raise InputError(f"heat of shape {field.shape}: expected one number a cell, {self.maze.open.shape}")
        field = field.reshape(self.maze.open.shape)
        shown = self.maze.open & np.isfinite(field)
        low, high = _ends(field[shown], low, high)
        colours = colours_of(field, colormap, low, high)
        unknown = self.maze.open & ~np.isfinite(field)
        hatched = hatched and bool(unknown.any())
        if hatched:
            self._hatch(unknown)
        if not shown.any():
            if hatched:
                self._plan.over.lay_over(self._pixels)
            return self
        mixed = np.round(np.array(FLOOR) + (colours - np.array(FLOOR, dtype=np.float64)) * opacity).astype(np.uint8)
        rows, cols = (size * self._unit for size in field.shape)
        np.copyto(self._inside, resize(mixed, cols, rows, enlarge=True), where=self._pixels_of(shown)[..., None])
        if colour_bar:
            self._bar = (colormap, low, high)
        self._plan.over.lay_over(self._pixels)
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
            values: [T] numbers that colour the line, such as time or value; the index t (time) without them. The segment that
                ends at a point has that point's colour.
            colormap: one of `colormaps.COLORMAPS`.
            colour: one colour for the whole line instead.
            width: in cells, drawn as at least one pixel.
            low, high: the numbers at the colormap's ends; the least and greatest finite value without them.

        Raises:
            InputError: another number of values than of points, or no such colormap.
        """
        places = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        numbers = np.arange(len(places), dtype=np.float64) if values is None else np.asarray(values, dtype=np.float64)
        if numbers.shape != (len(places),):
            raise InputError(f"{numbers.shape} values for a path of {len(places)} points: expected one a point")
        low, high = _ends(numbers[np.isfinite(numbers)], low, high)
        colours = np.full((len(places), 3), colour) if colour else colours_of(numbers, colormap, low, high)
        # The comparison is False at NaN.
        joined = np.hypot(*(places[1:] - places[:-1]).T) <= TELEPORT_UNITS
        pixels = np.stack(self._pixel(places[:, 0], places[:, 1]), axis=1)
        thickness = max(1.0, width * self._unit)
        ends = np.flatnonzero(joined) + 1
        # Segments that follow one another and have one colour are one line.
        follow = (np.diff(ends) > 1) | (colours[ends[1:]] != colours[ends[:-1]]).any(axis=1) if len(ends) else []
        for run in np.split(ends, np.flatnonzero(follow) + 1) if len(ends) else ():
            red, green, blue = colours[run[0]].tolist()
            stroke(self._pixels, pixels[run[0] - 1 : run[-1] + 1], thickness, (red, green, blue))
        return self

    def marker(
        self, x: float, y: float, kind: Mark = "disc", colour: RGB = AGENT, size: float = 0.3, width: float = 0.07
    ) -> "TopDown":
        """Draws a mark at a place: its size and its line's width are in cells.

        Raises:
            InputError: no such kind.
        """
        place = centre_x, centre_y = self._pixel(x, y)
        radius = size * self._unit / 2
        line = max(1.0, width * self._unit)
        left, top, right, bottom = centre_x - radius, centre_y - radius, centre_x + radius, centre_y + radius
        square = [(left, top), (right, top), (right, bottom), (left, bottom)]
        if kind == "disc":
            disc(self._pixels, place, radius, colour)
        elif kind == "ring":
            fill(self._pixels, [ellipse(place, radius), ellipse(place, max(0.0, radius - line) or 1e-3)], colour)
        elif kind == "square":
            inset = min(line, radius)
            inner = [
                (left + inset, top + inset),
                (right - inset, top + inset),
                (right - inset, bottom - inset),
                (left + inset, bottom - inset),
            ]
            fill(self._pixels, [square, inner], colour)
        elif kind == "triangle":
            angles = np.radians((0, 120, 240))
            corners = np.stack([centre_x + radius * np.sin(angles), centre_y - radius * np.cos(angles)], axis=1)
            fill(self._pixels, [corners], colour)
        elif kind == "cross":
            # The round ends stay within the mark.
            inset = min(line / 2, radius)
            for sign in (-1, 1):
                reach = (radius - inset) * np.array([[-1, -sign], [1, sign]])
                stroke(self._pixels, np.array(place) + reach, line, colour)
        else:
            raise InputError(f"mark {kind!r}: expected disc, ring, cross, square or triangle")
        return self

    def label(self, x: float, y: float, words: str, colour: RGB = AGENT, size: float = 0.4) -> "TopDown":
        """Writes text whose middle is at a place, on a pale halo; `size` is that of the font in cells."""
        halo = (max(1.0, 0.03 * self._unit), FLOOR)
        text(self._pixels, self._pixel(x, y), words, size * self._unit, colour, "middle", halo)
        return self

    def agent(self, x: float, y: float, heading: float, colour: RGB = AGENT, size: float = 0.55) -> "TopDown":
        """Draws an arrow at a place, pointing along `heading` in degrees; `size` is its length in cells."""
        reach = size * self._unit * np.array((0.6, 0.55, 0.22, 0.55))
        angles = np.radians(heading + np.array((0, 142, 180, -142)))
        corners = np.array(self._pixel(x, y)) + np.stack([reach * np.cos(angles), -reach * np.sin(angles)], axis=1)
        fill(self._pixels, [corners], colour)
        stroke(self._pixels, corners, max(1.0, 0.035 * self._unit), WHITE, closed=True)
        return self

    def apples(self, cells: Sequence[Cell]) -> "TopDown":
        """Draws apples, for a canvas made without the maze's own things."""
        return self._icons("apple", cells)

    def strawberries(self, cells: Sequence[Cell]) -> "TopDown":
        """Draws strawberries, for a canvas made without the maze's own things."""
        return self._icons("strawberry", cells)

    def goal(self, cell: Cell) -> "TopDown":
        """Draws the goal, for a canvas made without the maze's own things."""
        return self._icons("goal", [cell])

    def array(self) -> Pixels:
        """[height, width, 3] uint8, red, green, blue: a copy of the picture so far; the canvas can be drawn on further."""
        pixels = self._pixels.copy()
        if self.smoothing > 1:
            pixels = resize(pixels, pixels.shape[1] // self.smoothing, pixels.shape[0] // self.smoothing)
        return pixels if self._bar is None else _beside_bar(pixels, self.scale, *self._bar)

    def save(self, path: str | Path) -> None:
        """Writes the picture as PNG, whole or not at all.

        Raises:
            InputError: the file can't be written.
        """
        write_whole(path, encode_png(self.array()))

    def pixel(self, x: float, y: float) -> tuple[float, float]:
        """(column, row) in the finished picture of a place in units; the middle of the first pixel is (0.5, 0.5)."""
        column, row = self._pixel(x, y)
        return column / self.smoothing, row / self.smoothing

    def _pixel(self, x: Coordinate, y: Coordinate) -> tuple[Coordinate, Coordinate]:
        pixels = self._unit / CELL_UNITS
        return self._margin + x * pixels, self._margin + (self.maze.rows * CELL_UNITS - y) * pixels

    @property
    def _inside(self) -> Pixels:
        """The cells' pixels, without the margin."""
        rows, cols = self.maze.rows * self._unit, self.maze.cols * self._unit
        return self._pixels[self._margin : self._margin + rows, self._margin : self._margin + cols]

    def _pixels_of(self, cells: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """[rows, cols] cells → their pixels, [height, width] bool."""
        return np.repeat(np.repeat(cells, self._unit, axis=0), self._unit, axis=1)

    def _hatch(self, cells: npt.NDArray[np.bool_]) -> None:
        """Draws diagonal lines on the floor of cells, over walls and things too."""
        inside = self._inside
        y, x = np.arange(inside.shape[0])[:, None], np.arange(inside.shape[1])
        # Four lines a cell meet those of the next cell; the smallest cells have a line every other pixel.
        period = max(2, self._unit // 4)
        lines = (x + y) % period < max(1, period // 3)
        chosen = self._pixels_of(cells)
        inside[chosen] = FLOOR
        inside[chosen & lines] = HATCH

    def _icons(self, kind: str, cells: Sequence[Cell]) -> "TopDown":
        _lay_icons(self._pixels, kind, cells, self._unit, self._margin)
        return self


class _Plan(NamedTuple):
    """What stands still in a maze.

    Attributes:
        picture: floor, walls and things.
        over: what lies over heat maps: walls, labels and things.
    """

    picture: Pixels
    over: Layer


@lru_cache(maxsize=6)
def _plan(maze: Maze, unit: int, margin: int, things: Things, labels: bool) -> _Plan:
    def draw(pixels: Pixels) -> None:
        # Walls have edges on half pixels too.
        large = resize(pixels, 2 * width, 2 * height, enlarge=True)
        draw_walls(large, maze, 2 * unit, 2 * margin)
        pixels[...] = resize(large, width, height)
        if labels:
            _draw_labels(pixels, maze, unit, margin)
        if things == "maze":
            for kind, cells in (
                ("spawn", maze.spawns),
                ("apple", maze.apples),
                ("strawberry", maze.strawberries),
                ("goal", maze.goals),
            ):
                _lay_icons(pixels, kind, cells, unit, margin)

    height, width = maze.rows * unit + 2 * margin, maze.cols * unit + 2 * margin
    around = WHITE if labels else FLOOR if maze.geometry == "thin" else SOLID
    picture = np.full((height, width, 3), around, dtype=np.uint8)
    cells = np.where(maze.open[..., None], FLOOR, SOLID).astype(np.uint8)
    picture[margin : height - margin, margin : width - margin] = np.repeat(np.repeat(cells, unit, axis=0), unit, axis=1)
    over = Layer(height, width, draw)
    over.lay_over(picture)
    return _Plan(picture, over)


def _lay_icons(pixels: Pixels, kind: str, cells: Sequence[Cell], unit: int, margin: int) -> None:
    for row, col in cells:
        icon(kind, unit).lay_over(pixels, margin + col * unit, margin + row * unit)


def _draw_labels(pixels: Pixels, maze: Maze, unit: int, margin: int) -> None:
    middle = 0.275 * unit
    for col in range(maze.cols):
        text(pixels, (margin + (col + 0.5) * unit, middle), str(col), 0.32 * unit, SOLID, "middle")
    for row in range(maze.rows):
        text(pixels, (middle, margin + (row + 0.5) * unit), str(row), 0.32 * unit, SOLID, "middle")


def _beside_bar(picture: Pixels, scale: int, colormap: str, low: float, high: float) -> Pixels:
    height = max(picture.shape[0], 48)
    size = max(11, min(0.4 * scale, 22))
    numbers = [f"{value:.3g}" for value in (high, (low + high) / 2, low)]
    thickness, gap = max(10, round(0.35 * scale)), max(6, round(0.25 * scale))
    width = picture.shape[1] + 3 * gap + thickness + max(text_width(number, size) for number in numbers)
    whole = np.full((height, width, 3), 255, dtype=np.uint8)
    whole[: picture.shape[0], : picture.shape[1]] = picture
    top, bottom = round(size), height - round(size)
    left = picture.shape[1] + gap
    whole[top:bottom, left : left + thickness] = SOLID
    inside = whole[top + 1 : bottom - 1, left + 1 : left + thickness - 1]
    inside[...] = colour_table(colormap)[np.linspace(255, 0, len(inside)).round().astype(int)][:, None]
    for number, y in zip(numbers, (top, (top + bottom) / 2, bottom), strict=True):
        text(whole, (left + thickness + gap / 2, y), number, size, SOLID)
    return whole


def _ends(values: npt.NDArray[np.float64], low: float | None, high: float | None) -> tuple[float, float]:
    """`low` and `high`, or the least and greatest of `values` where they are None; 0 where there are no values."""
    least, greatest = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    return least if low is None else low, greatest if high is None else high
