"""What the pictures show: perspective, seamless walls, items behind and before walls, landmarks and materials told apart."""

from itertools import combinations

import numpy as np
import pytest

from env.engine.compile import cpu, cpu_kernel
from env.engine.render import image as render
from env.engine.render.sprites import ITEM_BOTTOM_UNITS, ITEM_UNITS
from env.engine.textures import atlas as textures
from env.engine.textures import landmarks as pictures
from env.navigation import APPLE, GOAL, STRAWBERRY
from maze_gen.maze import FIRST_LANDMARK_FACE, LANDMARKS, PLAIN_FACE, THEMES

EAST, NORTH, WEST, SOUTH = range(4)
HEADINGS = {EAST: (1.0, 0.0), NORTH: (0.0, 1.0), WEST: (-1.0, 0.0), SOUTH: (0.0, -1.0)}
SIZE = 84


@pytest.fixture(scope="module")
def paint():
    """Draws one picture of a room of R x C cells whose four walls have the faces given."""
    device = render.build(cpu)
    paint_row = device.paint

    def kernel(rgb, sides, cols, theme, ceiling, pose, items, kinds, texels, scratch):
        paint_row(rgb, 0, sides, 0, cols, theme, ceiling, pose[0], pose[1], pose[2], pose[3], items, kinds, texels, scratch)

    compiled = cpu_kernel(kernel)

    def draw(room, x, y, direction, items=(), theme=0, size=SIZE, texels=None, ceiling=1):
        pose = np.array([x, y, *direction], dtype=np.float32)
        places = np.array([[place for place, _ in items] or [-1]], dtype=np.int32)
        kinds = np.array([[kind for _, kind in items] or [0]], dtype=np.uint8)
        rgb = np.zeros((1, size, size, 3), dtype=np.uint8)
        texels = textures.all_textures() if texels is None else texels
        scratch = render.allocate_scratch(size)
        sides = np.ascontiguousarray(room).reshape(1, -1).view(np.uint32)
        compiled(rgb, sides, room.shape[1], theme, ceiling, pose, places, kinds, texels, scratch)
        return rgb[0], scratch.depth[:size].copy()

    return draw


def room_of(rows: int, cols: int, face: int = PLAIN_FACE) -> np.ndarray:
    """[rows, cols, 4] faces of one room without inner walls; rows count from the bottom."""
    room = np.zeros((rows, cols, 4), dtype=np.uint8)
    room[:, -1, EAST] = room[-1, :, NORTH] = room[:, 0, WEST] = room[0, :, SOUTH] = face
    return room


def painted(colours: dict[int, tuple[int, int, int]]) -> np.ndarray:
    """Textures whose slots each have one colour; black where none is given."""
    texels = np.zeros(textures.LAST_TEXEL + 1, dtype=np.int32)
    for slot, (red, green, blue) in colours.items():
        start = slot * textures.SLOT_TEXELS
        texels[start : start + textures.SLOT_TEXELS] = red | green << 8 | blue << 16 | -(1 << 24)
    return texels


WALL, FLOOR, CEILING = (200, 0, 0), (0, 200, 0), (0, 0, 200)
FLAT = painted({1: WALL, textures.FLOOR_SLOT: FLOOR, textures.CEILING_SLOT: CEILING})


@pytest.mark.parametrize("size", [84, 42])
@pytest.mark.parametrize("distance", [33.0, 81.0, 155.0, 340.0, 777.0])
def test_a_wall_of_known_distance_has_its_height(paint, distance, size):
    picture, _ = paint(room_of(9, 9), 899 - distance, 450, HEADINGS[EAST], size=size, texels=FLAT)
    middle = picture[:, size // 2]
    scale = size / 2 / distance
    top, bottom = size / 2 - 48.875 * scale, size / 2 + 50.125 * scale
    centres = np.arange(size) + 0.5
    expected = np.where((centres >= top) & (centres <= bottom), 0, np.where(centres < top, 2, 1))
    sure = (abs(centres - top) > 1e-3) & (abs(centres - bottom) > 1e-3)
    np.testing.assert_array_equal(middle.argmax(axis=1)[sure], expected[sure])


def test_edges_of_a_wall_are_straight_lines(paint):
    """A wall seen askance begins in each column where the projection of its straight upper edge says, also at the rim."""
    heading = 0.4
    picture, depth = paint(room_of(9, 9), 700, 450, (np.cos(heading), np.sin(heading)), texels=FLAT)
    first = (picture[..., 0] > 0).argmax(axis=0)
    columns = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
    exact = 199 / (np.cos(heading) + columns * np.sin(heading))
    east = np.abs(exact - depth) < 1e-3 * exact
    assert east.sum() > 20
    line = SIZE / 2 * (1 - 48.875 / exact)
    np.testing.assert_allclose(first[east], line[east], atol=0.51)
    assert np.abs(np.diff(line[east], 2)).max() < 1e-9


@pytest.mark.parametrize("side", range(4))
def test_pictures_are_not_mirrored(paint, side):
    """A wall whose texture is red on its left and blue on its right is seen so from inside the cell."""
    texels = FLAT.copy()
    at = textures.SLOT_TEXELS
    for bits in range(6, 0, -1):
        count = 1 << 2 * bits
        texels[at : at + count // 2], texels[at + count // 2 : at + count] = 200, 200 << 16
        at += count
    picture, _ = paint(room_of(1, 1), 50, 50, HEADINGS[side], texels=texels)
    assert (picture[42, :40].argmax(axis=1) == 0).all()
    assert (picture[42, 44:].argmax(axis=1) == 2).all()


@pytest.mark.parametrize("side", range(4))
def test_textures_run_on_from_cell_to_cell_without_a_seam(paint, side):
    """Along a straight wall of many cells the texture's columns rise evenly, modulo the texture."""
    texels = FLAT.copy()
    at = textures.SLOT_TEXELS
    texels[at : at + 4096] = np.repeat(4 * np.arange(64), 64)
    room = room_of(9, 9)
    towards = np.array(HEADINGS[side])
    x, y = 450 + 370 * towards
    picture, depth = paint(room, x, y, HEADINGS[side], texels=texels)
    # Walls along x are darker by a quarter.
    values = 4 * np.arange(64)
    values = values - values // 4 if side in (NORTH, SOUTH) else values
    columns = np.searchsorted(values, picture[42, :, 0])
    steps = np.diff(columns) % 64
    np.testing.assert_allclose(depth, 79, rtol=1e-6)
    # At 79 units a column is 79 / 42 units wide, of 0.64 texels.
    assert set(steps) <= {1, 2}
    assert abs(steps.mean() - 79 / 42 * 0.64) < 0.05


def test_the_same_view_is_the_same_picture_whatever_was_drawn_before(paint):
    view = (room_of(5, 5), 222, 333, (np.cos(1.0), np.sin(1.0)), [(13, GOAL), (17, APPLE)])
    first, _ = paint(*view)
    paint(room_of(5, 5), 100, 100, HEADINGS[WEST])
    again, _ = paint(*view)
    np.testing.assert_array_equal(first, again)


def items_painted() -> np.ndarray:
    fruit = {textures.ITEM_SLOT: (1, 255, 1), textures.ITEM_SLOT + 1: (255, 1, 255), textures.ITEM_SLOT + 2: (255, 255, 1)}
    return FLAT + painted(fruit)


@pytest.mark.parametrize("kind", [APPLE, STRAWBERRY, GOAL])
@pytest.mark.parametrize("cells", [1, 2, 5, 8])
def test_an_item_is_drawn_where_it_stands(paint, kind, cells):
    picture, _ = paint(room_of(9, 9), 50, 450, HEADINGS[EAST], [(4 * 9 + cells, kind)], texels=items_painted())
    colour = [(1, 255, 1), (255, 1, 255), (255, 255, 1)][kind - 1]
    seen = (picture == colour).all(axis=2)
    scale = SIZE / 2 / (100 * cells)
    units, bottom = ITEM_UNITS[kind], ITEM_BOTTOM_UNITS[kind]
    centres = np.arange(SIZE) + 0.5
    across = abs(centres - SIZE / 2) <= units / 2 * scale
    low = SIZE / 2 + (50.125 - bottom) * scale
    down = (centres <= low) & (centres >= low - units * scale)
    np.testing.assert_array_equal(seen, down[:, None] & across[None])


def test_a_wall_hides_what_is_behind_it_and_not_what_is_before_it(paint):
    room = room_of(1, 9)
    room[0, 4, EAST] = room[0, 5, WEST] = PLAIN_FACE
    yellow = (255, 255, 1)
    for place, seen in [(3, True), (4, True), (5, False), (8, False)]:
        picture, _ = paint(room, 50, 50, HEADINGS[EAST], [(place, GOAL)], texels=items_painted())
        assert (picture == yellow).all(axis=2).any() == seen, place


def test_half_hidden_items_end_at_the_edge_of_the_wall(paint):
    """An item behind the corner of a wall shows exactly in the columns whose wall is farther than the item."""
    room = room_of(2, 9)
    for col in range(1, 9):
        room[0, col, NORTH] = room[1, col, SOUTH] = PLAIN_FACE
    picture, depth = paint(room, 20, 120, (np.cos(-0.3), np.sin(-0.3)), [(1, GOAL)], texels=items_painted())
    columns = (picture == (255, 255, 1)).all(axis=2).any(axis=0)
    to_x, to_y = 150 - 20.0, 50 - 120.0
    distance = to_x * np.cos(-0.3) + to_y * np.sin(-0.3)
    aside = to_x * np.sin(-0.3) - to_y * np.cos(-0.3)
    centres = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
    covered = abs(centres * distance - aside) < ITEM_UNITS[GOAL] / 2
    assert (covered & (depth < distance)).any()
    np.testing.assert_array_equal(columns, covered & (depth > distance))


def test_nearer_items_cover_farther_ones_in_any_order(paint):
    near, far = (4 * 9 + 2, APPLE), (4 * 9 + 5, GOAL)
    one, _ = paint(room_of(9, 9), 50, 450, HEADINGS[EAST], [near, far], texels=items_painted())
    other, _ = paint(room_of(9, 9), 50, 450, HEADINGS[EAST], [far, near], texels=items_painted())
    np.testing.assert_array_equal(one, other)
    assert (one[50, 42] == (1, 255, 1)).all()


@pytest.mark.parametrize("size", [84, 42])
@pytest.mark.parametrize("theme", range(THEMES))
@pytest.mark.parametrize("face", [1, 2, 3, 4, 5])
def test_items_are_known_by_their_colour_from_ten_cells_away(paint, theme, face, size):
    """At 1,000 units, on any wall: the goal adds red pixels, the apple green and the strawberry pink ones."""

    def hues(picture):
        red, green, blue = (picture[..., channel].astype(int) for channel in range(3))
        return np.array(
            [
                ((green > 1.5 * red) & (green > 2 * blue) & (green > 130)).sum(),
                ((red > 1.6 * green) & (blue > 1.2 * green) & (red > 1.3 * blue) & (red > 130)).sum(),
                ((red > 2.2 * green) & (red > 2.2 * blue) & (red > 130)).sum(),
            ]
        )

    room = room_of(1, 12, face)
    empty, _ = paint(room, 50, 50, HEADINGS[EAST], theme=theme, size=size)
    np.testing.assert_array_equal(hues(empty), 0)
    for kind in (APPLE, STRAWBERRY, GOAL):
        picture, _ = paint(room, 50, 50, HEADINGS[EAST], [(10, kind)], theme=theme, size=size)
        counts = hues(picture)
        assert counts[kind - 1] >= 1, (kind, counts)
        assert counts[kind - 1] == counts.max()


@pytest.mark.parametrize("kind", [APPLE, STRAWBERRY, GOAL])
def test_items_fill_what_they_take_from_afar(paint, kind):
    """At four cells and at seven an item covers two fifths of its square: a smaller level leaves out what is covered in part."""
    room = room_of(1, 12)
    for cells in (4, 7):
        empty, _ = paint(room, 50, 50, HEADINGS[EAST])
        picture, _ = paint(room, 50, 50, HEADINGS[EAST], [(cells, kind)])
        drawn = (picture != empty).any(axis=-1).sum()
        assert drawn >= 0.4 * (ITEM_UNITS[kind] * SIZE / (200 * cells)) ** 2


def test_landmarks_differ_pairwise():
    """At 8 x 8 pixels, as from three cells away, the root mean square difference of any two is a seventh of the range."""
    framed = pictures.pictures()
    assert framed.shape[0] == LANDMARKS
    small = framed[:, 2:42, 2:42].reshape(LANDMARKS, 8, 5, 8, 5, 3).mean(axis=(2, 4)).reshape(LANDMARKS, -1)
    apart = [np.sqrt(((small[a] - small[b]) ** 2).mean()) for a, b in combinations(range(LANDMARKS), 2)]
    assert min(apart) > 0.15
    assert len(set(pictures.recipes())) == LANDMARKS


def test_themes_and_colours_differ():
    texels = textures.all_textures()
    means = []
    for theme in range(THEMES):
        for number in range(1, 6):
            start = (theme * textures.THEME_SLOTS + number) * textures.SLOT_TEXELS
            pixels = texels[start : start + 4096].view(np.uint8).reshape(-1, 4)[:, :3]
            means.append((theme, number, pixels.mean(axis=0), pixels.reshape(64, 64, 3).astype(float)))
    for (theme, number, mean, image), (other, second, other_mean, other_image) in combinations(means, 2):
        if theme == other:
            assert np.abs(mean - other_mean).max() > 30, (theme, number, second)
        assert np.abs(image - other_image).mean() > 8


def test_texture_numbers_are_distinct_and_in_range():
    codes = [*range(1, 6), *range(FIRST_LANDMARK_FACE, FIRST_LANDMARK_FACE + LANDMARKS)]
    numbers = [textures.texture_number(0, code) for code in codes]
    assert sorted(numbers) == list(range(1, textures.THEME_SLOTS))
    assert textures.texture_number(0, 0) == 0


def test_smaller_levels_are_averages_of_larger_ones():
    texels = textures.all_textures()[textures.SLOT_TEXELS : 2 * textures.SLOT_TEXELS].view(np.uint8).reshape(-1, 4)[:, :3]
    at = 0
    for bits in range(6, 0, -1):
        size = 1 << bits
        large = texels[at : at + size * size].reshape(size, size, 3).astype(float)
        at += size * size
        small = texels[at : at + size * size // 4].reshape(size // 2, size // 2, 3)
        np.testing.assert_allclose(small, large.reshape(size // 2, 2, size // 2, 2, 3).mean(axis=(1, 3)), atol=1.6)
