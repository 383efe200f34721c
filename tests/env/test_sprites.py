"""Items in the picture: where they are drawn, what hides them, and how far away they are recognised."""

import numpy as np
import pytest

from env.engine.render.sprites import ITEM_BOTTOM_UNITS, ITEM_UNITS
from env.engine.textures import atlas
from env.navigation import APPLE, GOAL, STRAWBERRY
from maze_gen.maze import PLAIN_FACE, THEMES
from tests.env.conftest import EAST, FLAT, HEADINGS, NORTH, SIZE, SOUTH, WEST, room_of
from tests.env.rendering import flat_textures


def item_textures() -> np.ndarray:
    fruit = {atlas.ITEM_SLOT: (1, 255, 1), atlas.ITEM_SLOT + 1: (255, 1, 255), atlas.ITEM_SLOT + 2: (255, 255, 1)}
    return FLAT + flat_textures(fruit)


@pytest.mark.parametrize("kind", [APPLE, STRAWBERRY, GOAL])
@pytest.mark.parametrize("cells", [1, 2, 5, 8])
def test_an_item_is_drawn_where_it_stands(paint, kind, cells):
    picture, _ = paint(room_of(9, 9), 50, 450, HEADINGS[EAST], [(4 * 9 + cells, kind)], texels=item_textures())
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
        picture, _ = paint(room, 50, 50, HEADINGS[EAST], [(place, GOAL)], texels=item_textures())
        assert (picture == yellow).all(axis=2).any() == seen, place


def test_half_hidden_items_end_at_the_edge_of_the_wall(paint):
    """An item behind the corner of a wall shows exactly in the columns whose wall is farther than the item."""
    room = room_of(2, 9)
    for col in range(1, 9):
        room[0, col, NORTH] = room[1, col, SOUTH] = PLAIN_FACE
    picture, depth = paint(room, 20, 120, (np.cos(-0.3), np.sin(-0.3)), [(1, GOAL)], texels=item_textures())
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
    one, _ = paint(room_of(9, 9), 50, 450, HEADINGS[EAST], [near, far], texels=item_textures())
    other, _ = paint(room_of(9, 9), 50, 450, HEADINGS[EAST], [far, near], texels=item_textures())
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
