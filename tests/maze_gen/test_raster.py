"""Shapes cover as much of every pixel as geometry says; text, layers, PNG and colour maps."""

import itertools
import struct
import threading
import zlib
from collections.abc import Callable

import cv2
import matplotlib
import numpy as np
import numpy.typing as npt
import pytest

from maze_gen import raster
from maze_gen.colormaps import COLORMAPS, colormap, colours
from maze_gen.errors import InputError

SIZE, SAMPLES = 40, 16
WHITE = (255, 255, 255)


def coverage(inside: Callable[[npt.NDArray, npt.NDArray], npt.NDArray]) -> npt.NDArray[np.float64]:
    """[SIZE, SIZE]: the share of SAMPLES x SAMPLES points of each pixel that are inside."""
    y, x = (np.mgrid[0 : SIZE * SAMPLES, 0 : SIZE * SAMPLES] + 0.5) / SAMPLES
    return inside(x, y).reshape(SIZE, SAMPLES, SIZE, SAMPLES).mean(axis=(1, 3))


def drawn(draw: Callable[[raster.Pixels], None]) -> npt.NDArray[np.float64]:
    """[SIZE, SIZE]: white on black, 0 to 1."""
    pixels = np.zeros((SIZE, SIZE, 3), dtype=np.uint8)
    draw(pixels)
    assert (pixels == pixels[..., :1]).all()
    return pixels[..., 0] / 255


def near_segment(x: npt.NDArray, y: npt.NDArray, start: tuple[float, float], end: tuple[float, float]) -> npt.NDArray:
    """Distance of points from a segment."""
    (x0, y0), (x1, y1) = start, end
    along = np.clip(((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / ((x1 - x0) ** 2 + (y1 - y0) ** 2), 0, 1)
    return np.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0))


@pytest.mark.parametrize("radius", [1.5, 3.3, 5.0, 9.7])
@pytest.mark.parametrize("centre", [(20.0, 20.0), (20.3, 19.6), (17.5, 22.25)])
def test_a_disc_covers_each_pixel_by_its_area(centre: tuple[float, float], radius: float) -> None:
    exact = coverage(lambda x, y: np.hypot(x - centre[0], y - centre[1]) <= radius)
    found = drawn(lambda pixels: raster.disc(pixels, centre, radius, WHITE))
    # An edge is off by at most half a pixel of the mask, 1/16, on either side of a pixel.
    assert np.abs(found - exact).max() < 0.15
    assert found.sum() == pytest.approx(exact.sum(), rel=0.2 / radius)
    y, x = (np.indices(found.shape) + 0.5) * found / found.sum()
    assert (x.sum(), y.sum()) == pytest.approx(centre, abs=0.04)


def test_an_outline_within_another_is_a_hole() -> None:
    exact = coverage(lambda x, y: np.abs(np.hypot(x - 20, y - 20) - 6) <= 2)
    found = drawn(lambda pixels: raster.fill(pixels, [raster.ellipse((20, 20), 8), raster.ellipse((20, 20), 4)], WHITE))
    assert np.abs(found - exact).max() < 0.15


@pytest.mark.parametrize("bounds", [(3.0, 5.0, 11.0, 9.0), (3.25, 5.5, 11.75, 9.5), (-4.0, 30.5, 60.0, 70.0)])
def test_a_box_covers_each_pixel_by_its_area(bounds: tuple[float, float, float, float]) -> None:
    left, top, right, bottom = bounds
    exact = coverage(lambda x, y: (x >= left) & (x <= right) & (y >= top) & (y <= bottom))
    found = drawn(lambda pixels: raster.box(pixels, bounds, WHITE))
    assert np.abs(found - exact).max() < 0.01


@pytest.mark.parametrize("width", [1.0, 2.5, 4.0, 7.0])
def test_a_line_is_as_wide_as_it_says_with_round_joints_and_ends(width: float) -> None:
    points = [(8.3, 10.2), (30.6, 15.9), (12.0, 30.5)]
    exact = coverage(lambda x, y: np.minimum(near_segment(x, y, *points[:2]), near_segment(x, y, *points[1:])) <= width / 2)
    found = drawn(lambda pixels: raster.stroke(pixels, points, width, WHITE))
    assert np.abs(found - exact).max() < 0.15
    assert found.sum() == pytest.approx(exact.sum(), rel=0.12 / width + 0.02)


def test_a_long_line_is_the_same_as_its_parts() -> None:
    angles = np.linspace(0, 3 * np.pi, 50)
    points = np.stack([20 + angles * np.cos(angles), 20 + angles * np.sin(angles)], axis=1)
    whole = drawn(lambda pixels: raster.stroke(pixels, points, 2.0, WHITE))
    exact = coverage(lambda x, y: np.min([near_segment(x, y, *ends) for ends in itertools.pairwise(points)], axis=0) <= 1)
    # Where two runs of segments meet, edges are mixed twice.
    assert np.abs(whole - exact).max() < 0.3
    assert np.abs(whole - exact).mean() < 0.01


def test_colours_are_mixed_by_coverage_and_whole_pixels_are_exact() -> None:
    pixels = np.full((SIZE, SIZE, 3), (10, 200, 90), dtype=np.uint8)
    raster.box(pixels, (4.0, 4.0, 8.5, 8.0), (210, 0, 91))
    assert tuple(pixels[5, 5]) == (210, 0, 91)
    assert tuple(pixels[5, 9]) == (10, 200, 90)
    assert pixels[5, 8] == pytest.approx((110, 100, 90.5), abs=1)


@pytest.mark.parametrize("place", [(-50.0, 20.0), (100.0, 20.0), (20.0, -50.0), (20.0, 100.0)])
def test_nothing_is_drawn_outside_the_picture(place: tuple[float, float]) -> None:
    assert not drawn(lambda pixels: raster.disc(pixels, place, 5, WHITE)).any()
    assert not drawn(lambda pixels: raster.stroke(pixels, [place, place], 3, WHITE)).any()
    assert not drawn(lambda pixels: raster.text(pixels, place, "x", 12, WHITE, "middle", (2, WHITE))).any()


@pytest.mark.parametrize("anchor", ["left", "middle", "right"])
def test_text_stands_where_its_anchor_is(anchor: str) -> None:
    pixels = np.zeros((60, 200, 3), dtype=np.uint8)
    raster.text(pixels, (100, 30), "HEH", 20, WHITE, anchor)  # pyright: ignore[reportArgumentType]
    rows, cols = np.nonzero(pixels[..., 0] > 60)
    # Capitals are 15 of 20 pixels high.
    assert (rows.min() + rows.max() + 1) / 2 == pytest.approx(30, abs=1)
    assert rows.max() - rows.min() + 1 == pytest.approx(15, abs=1)
    width = raster.text_width("HEH", 20)
    assert cols.max() - cols.min() + 1 == pytest.approx(width, abs=3)
    middle = {"left": 100 + width / 2, "middle": 100, "right": 100 - width / 2}[anchor]
    assert (cols.min() + cols.max() + 1) / 2 == pytest.approx(middle, abs=1.5)


def test_a_halo_is_around_letters_and_not_on_them() -> None:
    plain, rimmed = (np.zeros((40, 60, 3), dtype=np.uint8) for _ in range(2))
    raster.text(plain, (30, 20), "HE", 20, WHITE, "middle")
    raster.text(rimmed, (30, 20), "HE", 20, WHITE, "middle", (2, (255, 0, 0)))
    letters = plain[..., 1] == 255
    assert letters.any()
    assert (rimmed[letters] == 255).all()
    rim = (rimmed == (255, 0, 0)).all(axis=2)
    distance = np.array([np.abs(np.argwhere(letters) - place).max(axis=1).min() for place in np.argwhere(rim)])
    assert set(distance.tolist()) == {1, 2}


def test_text_is_the_same_from_every_thread() -> None:
    found: list[bytes] = []

    def write() -> None:
        for size in range(6, 30):
            pixels = np.zeros((40, 300, 3), dtype=np.uint8)
            raster.text(pixels, (5, 20), "score 12, 41.5 s left", size, WHITE)
            found.append(pixels.tobytes())

    write()
    alone, found = found, []
    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == set(alone)
    assert len(found) == 4 * len(alone)


def test_a_layer_looks_like_what_it_was_made_of() -> None:
    def draw(pixels: raster.Pixels) -> None:
        raster.disc(pixels, (5.2, 6.1), 4, (200, 30, 60))
        raster.disc(pixels, (5.2, 6.1), 2, (10, 230, 160))

    ground = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    layer = raster.Layer(12, 11, draw)
    for left, top in ((7, 9), (-4, 35), (36, -3), (50, 50)):
        directly, laid = ground.copy(), ground.copy()
        moved = np.pad(directly, ((12, 12), (12, 12), (0, 0)))
        if 0 <= left + 12 < SIZE + 12 and 0 <= top + 12 < SIZE + 12:
            draw(moved[top + 12 : top + 24, left + 12 : left + 23])
        layer.lay_over(laid, left, top)
        np.testing.assert_allclose(laid.astype(int), moved[12:-12, 12:-12].astype(int), atol=2)


def test_a_picture_is_resized_by_blocks_and_by_means() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 4, 3), dtype=np.uint8)
    np.testing.assert_array_equal(raster.resize(pixels, 12, 18, enlarge=True), pixels.repeat(3, axis=0).repeat(3, axis=1))
    means = pixels.reshape(3, 2, 2, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(raster.resize(pixels, 2, 3), means, atol=0.51)


def test_png_holds_every_pixel() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    content = raster.encode_png(pixels)
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_COLOR_RGB), pixels)
    # By the format's definition: signature, then chunks; of the pixels only the first is read here.
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II5B", content[16:29]) == (5, 7, 8, 2, 0, 0, 0)
    start = content.index(b"IDAT")
    (length,) = struct.unpack(">I", content[start - 4 : start])
    lines = zlib.decompress(content[start + 4 : start + 4 + length])
    assert len(lines) == 7 * (1 + 5 * 3)
    assert lines[1:4] == pixels[0, 0].tobytes()


@pytest.mark.parametrize("name", COLORMAPS)
@pytest.mark.parametrize("suffix", ["", "_r"])
def test_colour_maps_are_those_of_the_same_name_in_matplotlib(name: str, suffix: str) -> None:
    wanted = matplotlib.colormaps[name + suffix](np.arange(256), bytes=True)[:, :3].astype(int)
    assert np.abs(colormap(name + suffix).astype(int) - wanted).max() <= 2


def test_values_have_the_colours_of_their_places() -> None:
    found = colours(np.array([-1.0, 0.0, 1.0, 2.0, 3.9, 4.0, 9.0, np.nan]), "gray", 0.0, 4.0)
    assert found[:, 0].tolist() == [0, 0, 64, 128, 249, 255, 255, 0]
    assert (colours(np.array([3.0, 3.0]), "gray", 3.0, 3.0) == 128).all()
    with pytest.raises(InputError, match="'nosuch'"):
        colormap("nosuch")
    with pytest.raises(ValueError, match="read-only"):
        colormap("gray")[0] = 1
