"""Drawing on arrays of pixels with OpenCV: shapes with exact edges, text, and PNG.

Pictures are [height, width, 3] uint8 arrays in the order red, green, blue, drawn on in place. Places are (x, y) in pixels, not
rounded: x to the right and y down from the upper left corner of the picture, so that the middle of pixel (row, column) is
(column + 0.5, row + 0.5). What lies outside the picture is cut off.

OpenCV's own anti-aliased lines (`LINE_AA`) widen every shape by half a pixel or more. Here a shape is filled on a mask that is
FINE times finer, and the mask is averaged, so that a pixel's share of the colour is the share of its area that is covered.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from maze_gen.errors import InputError

Pixels = npt.NDArray[np.uint8]
"""[height, width, 3] uint8, red, green, blue."""
RGB = tuple[int, int, int]
Place = tuple[float, float]
"""(x, y) in pixels."""

Points = npt.NDArray[np.float64]
"""[K, 2] x and y in pixels."""
Mask = npt.NDArray[np.uint8]
FixedPoints = npt.NDArray[np.int32]
"""[K, 2] in fractions of a mask's pixel, as OpenCV takes them."""
ToFixed = Callable[[Points], FixedPoints]

FINE, COARSE = 8, 4
"""Pixels of the mask a pixel, along each axis: for small shapes, and for shapes whose box exceeds LARGE_BOX pixels."""
LARGE_BOX = 1 << 14
STROKE_RUN = 8
"""Segments of a line that are drawn with one mask; a longer line covers little of its bounding box."""

_SHIFT = 8
_FONT = cv2.FontFace("sans")
_WEIGHT = 400
_CAP_HEIGHT = 0.75
"""Height of capitals and digits of OpenCV's built-in font, as a fraction of its size."""


def fill(pixels: Pixels, outlines: Sequence[npt.ArrayLike], colour: RGB) -> None:
    """Fills polygons.

    Args:
        outlines: polygons, each [K, 2] x and y in pixels; where two overlap nothing is filled, so that an outline within another
            is a hole.
    """
    corners = [np.asarray(outline, dtype=np.float64).reshape(-1, 2) for outline in outlines]

    def draw(mask: Mask, fixed: ToFixed, _: int) -> None:
        cv2.fillPoly(mask, [fixed(outline) for outline in corners], 255, cv2.LINE_8, _SHIFT)

    _draw(pixels, np.concatenate(corners), 0.0, colour, draw)


def stroke(pixels: Pixels, points: npt.ArrayLike, width: float, colour: RGB, closed: bool = False) -> None:
    """Draws a line with round joints and ends through `points`, [K, 2] x and y in pixels; `width` is in pixels."""
    places = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    if closed:
        places = np.concatenate([places, places[:1]])

    for first in range(0, max(1, len(places) - 1), STROKE_RUN):
        run = places[first : first + STROKE_RUN + 1]

        def draw(mask: Mask, fixed: ToFixed, fine: int, run: Points = run) -> None:
            # OpenCV's lines are about one pixel wider than it is asked for.
            cv2.polylines(mask, [fixed(run)], False, 255, max(1, round(width * fine) - 1), cv2.LINE_8, _SHIFT)

        _draw(pixels, run, width / 2, colour, draw)


def ellipse(centre: Place, radius_x: float, radius_y: float | None = None, start: float = 0, end: float = 360) -> Points:
    """[65, 2] the outline of an ellipse, or of its sector from `start` to `end` degrees, clockwise from the right.

    `radius_y` is `radius_x` without a value of its own. A sector's outline leaves out the centre.
    """
    angles = np.radians(np.linspace(start, end, 65))
    x, y = centre
    return np.stack([x + radius_x * np.cos(angles), y + (radius_y or radius_x) * np.sin(angles)], axis=1)


def disc(pixels: Pixels, centre: Place, radius: float, colour: RGB) -> None:
    """Draws a filled circle; `radius` is in pixels."""
    fill(pixels, [ellipse(centre, radius)], colour)


def box(pixels: Pixels, bounds: tuple[float, float, float, float], colour: RGB) -> None:
    """Fills the rectangle (left, top, right, bottom), in pixels."""
    height, width = pixels.shape[:2]
    left, top, right, bottom = bounds
    cols, rows = (
        np.clip(np.minimum(np.arange(size) + 1, high) - np.maximum(np.arange(size), low), 0, 1)
        for size, low, high in ((width, left, right), (height, top, bottom))
    )
    across, down = np.flatnonzero(cols), np.flatnonzero(rows)
    if across.size and down.size:
        cover = np.round(255 * np.outer(rows[down], cols[across])).astype(np.uint8)
        _blend(pixels, cover, int(across[0]), int(down[0]), colour)


def text(
    pixels: Pixels,
    place: Place,
    words: str,
    size: float,
    colour: RGB,
    anchor: Literal["left", "middle", "right"] = "left",
    halo: tuple[float, RGB] | None = None,
) -> None:
    """Writes one line in OpenCV's built-in sans-serif font.

    Args:
        place: of the line's left end, middle or right end (`anchor`), at half the height of capitals; rounded to whole pixels.
        size: of the font in pixels, at least 6 is used; capitals are 0.75 times as high.
        halo: width in pixels and colour of a rim around the letters.
    """
    letters = _text_size(size)
    width = text_width(words, size)
    left = place[0] - {"left": 0.0, "middle": width / 2, "right": width}[anchor]
    start = (round(left), round(place[1] + _CAP_HEIGHT * letters / 2))
    if halo is not None:
        rim, baseline = math.ceil(halo[0]), round(1.4 * letters)
        mask = np.zeros((2 * letters + 2 * rim, width + 2 * rim + letters), dtype=np.uint8)
        cv2.putText(mask, words, (rim, rim + baseline), (255,), _FONT, letters, _WEIGHT)
        wide = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim + 1, 2 * rim + 1)))
        _blend(pixels, wide, start[0] - rim, start[1] - rim - baseline, halo[1])
    cv2.putText(pixels, words, start, colour, _FONT, letters, _WEIGHT)


def text_width(words: str, size: float) -> int:
    """Pixels that `words` are wide in a font of `size` pixels."""
    # The box that OpenCV gives counts the pixel after the last letter.
    return cv2.getTextSize((0, 0), words, (0, 0), _FONT, _text_size(size), _WEIGHT)[2] - 1


def resize(pixels: Pixels, width: int, height: int, enlarge: bool = False) -> Pixels:
    """The picture with `width` x `height` pixels.

    Args:
        enlarge: shows each pixel as a block of its colour; otherwise a new pixel is the mean of the area that it covers.
    """
    how = cv2.INTER_NEAREST_EXACT if enlarge else cv2.INTER_AREA
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=how), dtype=np.uint8)


def encode_png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """The content of a PNG file of [height, width, 3] uint8 pixels; compression loses nothing."""
    found, content = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_PNG_COMPRESSION, 9))
    if not found:
        raise InputError(f"a picture of shape {pixels.shape} can't be made into PNG")
    return content.tobytes()


class Layer:
    """A drawing with transparency, made once and laid over pictures often.

    Args:
        height, width: in pixels.
        draw: draws on the picture that it is given; it is called twice.
    """

    def __init__(self, height: int, width: int, draw: Callable[[Pixels], None]) -> None:
        on_black, on_white = np.zeros((height, width, 3), dtype=np.uint8), np.full((height, width, 3), 255, dtype=np.uint8)
        draw(on_black)
        draw(on_white)
        # What is drawn with coverage c in colour k is c k on black, and 255 - 255 c more than that on white.
        self._paint, self._clear = on_black, cv2.subtract(on_white, on_black)

    def lay_over(self, pixels: Pixels, left: int = 0, top: int = 0) -> None:
        """Draws the layer over `pixels`, its upper left corner at column `left` of row `top`, and cuts off what stands out."""
        _compose(pixels, self._clear, self._paint, left, top)


def _text_size(size: float) -> int:
    return max(6, round(size))


def _draw(pixels: Pixels, corners: Points, reach: float, colour: RGB, draw: Callable[[Mask, ToFixed, int], None]) -> None:
    """Blends what `draw` fills, a shape that goes at most `reach` pixels beyond the box of `corners`."""
    height, width = pixels.shape[:2]
    left, top = (max(0, math.floor(low - reach) - 1) for low in corners.min(axis=0))
    right, bottom = (
        min(most, math.ceil(high + reach) + 1) for high, most in zip(corners.max(axis=0), (width, height), strict=True)
    )
    if left >= right or top >= bottom:
        return
    fine = FINE if (right - left) * (bottom - top) <= LARGE_BOX else COARSE
    mask = np.zeros(((bottom - top) * fine, (right - left) * fine), dtype=np.uint8)

    def fixed(places: Points) -> FixedPoints:
        # OpenCV counts from the middle of the first pixel.
        return np.round(((places - (left, top)) * fine - 0.5) * (1 << _SHIFT)).astype(np.int32)

    draw(mask, fixed, fine)
    _blend(pixels, cv2.resize(mask, (right - left, bottom - top), interpolation=cv2.INTER_AREA), left, top, colour)


def _blend(pixels: Pixels, cover: cv2.typing.MatLike, left: int, top: int, colour: RGB) -> None:
    """Mixes `colour` into pixels from column `left` of row `top` on, by `cover`, 0 to 255."""
    _compose(pixels, cv2.merge([255 - cover] * 3), _shades(colour)[np.asarray(cover, dtype=np.uint8)], left, top)


def _compose(pixels: Pixels, clear: cv2.typing.MatLike, paint: cv2.typing.MatLike, left: int, top: int) -> None:
    """pixels x clear / 255 + paint, where the two lie on the picture."""
    height, width = pixels.shape[:2]
    rows = slice(max(0, -top), max(0, min(clear.shape[0], height - top)))
    cols = slice(max(0, -left), max(0, min(clear.shape[1], width - left)))
    if rows.start >= rows.stop or cols.start >= cols.stop:
        return
    under = pixels[top + rows.start : top + rows.stop, left + cols.start : left + cols.stop]
    under[...] = cv2.add(cv2.multiply(under, clear[rows, cols], scale=1 / 255), paint[rows, cols])


@lru_cache(maxsize=1024)
def _shades(colour: RGB) -> npt.NDArray[np.uint8]:
    """[256, 3] uint8: the colour times 0 / 255 to 255 / 255."""
    return np.round(np.outer(np.arange(256), colour) / 255).astype(np.uint8)
