"""Items in the picture: upright pictures that always face the camera, hidden by what is nearer."""

from types import SimpleNamespace

import numpy as np

from env.engine.compile import Jit
from env.engine.textures.atlas import COLOUR, ITEM_SLOT, LAST_TEXEL, SLOT_TEXELS

ITEM_UNITS = (0.0, 52.0, 52.0, 84.0)
"""Width and height of an item's square picture in units, by kind: none, apple, strawberry, goal."""
ITEM_BOTTOM_UNITS = (0.0, 8.0, 8.0, 6.0)
"""Height of the picture's lower edge above the floor, by kind."""

_ZERO = np.float32(0.0)
_HALF = np.float32(0.5)
_ONE = np.float32(1.0)
_CELL = np.float32(100.0)
_HALF_CELL = np.float32(50.0)
_BELOW = np.float32(50.125)
_NEAREST = np.float32(8.0)
_FRUIT, _GOAL = np.float32(ITEM_UNITS[1]), np.float32(ITEM_UNITS[3])
_FRUIT_BOTTOM, _GOAL_BOTTOM = np.float32(ITEM_BOTTOM_UNITS[1]), np.float32(ITEM_BOTTOM_UNITS[3])
_FINEST = np.float32(64.0)
_FARTHEST = np.float32(3e38)


def build(jit: Jit) -> SimpleNamespace:
    """Defines the device functions under a compiler.

    Returns:
        A namespace of `paint_items` (the CPU's, a whole picture) and `paint_items_in_column` (a GPU's, one column).
    """

    @jit
    def frame(items, kinds, row, item, cols, x, y, cos, sin, depth, size):
        """Where an item's picture lies.

        Returns:
            (left edge, top edge, width) in pixels as float32, the number of its first texel, and the bits of its level.
        """
        place = items[row, item]
        iy = place // cols
        to_x = np.float32(place - iy * cols) * _CELL + _HALF_CELL - x
        to_y = np.float32(iy) * _CELL + _HALF_CELL - y
        aside = to_x * sin - to_y * cos
        kind = int(kinds[row, item])
        units = _GOAL if kind == 3 else _FRUIT
        bottom = _GOAL_BOTTOM if kind == 3 else _FRUIT_BOTTOM
        scale = np.float32(size) * _HALF / depth
        half = np.float32(size) * _HALF
        width = units * scale
        left = half + (aside - units * _HALF) * scale
        top = half + (_BELOW - bottom - units) * scale
        bits = 6
        start = 0
        finest = _FINEST
        while bits > 1 and finest > width * np.float32(1.4):
            start += 1 << (2 * bits)
            bits -= 1
            finest = finest * _HALF
        return left, top, width, (ITEM_SLOT + kind - 1) * SLOT_TEXELS + start, bits

    @jit
    def texel_along(pixel, edge, scale):
        """Which texel a pixel's centre lies on, `scale` texels a pixel; below 0 before the edge."""
        offset = (np.float32(pixel) + _HALF - edge) * scale
        if offset < _ZERO:
            return -1
        return int(offset)

    @jit
    def find(scratch, size, row, cols, x, y, cos, sin, items):
        """Lists the items in view in the scratch, far to near, and returns their number.

        An item is in view where a column that it covers shows a wall farther away.
        """
        depths, seen, seen_depth = scratch.depth, scratch.seen, scratch.seen_depth
        half = np.float32(size) * _HALF
        farthest = _ZERO
        for j in range(size):
            farthest = max(farthest, depths[j])
        # Whole division is slow, and there may be many items. Places are below 65,535, so this rounds to the same.
        per_col = _ONE / np.float32(cols)
        count = 0
        for item in range(items.shape[1]):
            place = items[row, item]
            if place >= 0:
                iy = int((np.float32(place) + _HALF) * per_col)
                to_x = np.float32(place - iy * cols) * _CELL + _HALF_CELL - x
                to_y = np.float32(iy) * _CELL + _HALF_CELL - y
                depth = to_x * cos + to_y * sin
                aside = to_x * sin - to_y * cos
                if depth >= _NEAREST and depth < farthest and abs(aside) < depth + _HALF_CELL:
                    scale = half / depth
                    first_column = max(0, int(half + (aside - _HALF_CELL) * scale))
                    last_column = min(size - 1, int(half + (aside + _HALF_CELL) * scale))
                    hidden = True
                    for j in range(first_column, last_column + 1):
                        if depths[j] > depth:
                            hidden = False
                            break
                    if not hidden:
                        at = count
                        # Of too many the farthest, which is the first, makes room.
                        if count == seen.shape[0]:
                            if depth >= seen_depth[0]:
                                continue
                            at = count - 1
                            for other in range(at):
                                seen[other] = seen[other + 1]
                                seen_depth[other] = seen_depth[other + 1]
                        else:
                            count += 1
                        while at > 0 and seen_depth[at - 1] < depth:
                            seen[at] = seen[at - 1]
                            seen_depth[at] = seen_depth[at - 1]
                            at -= 1
                        seen[at] = item
                        seen_depth[at] = depth
        return count

    @jit
    def paint_items(scratch, size, row, cols, x, y, cos, sin, items, kinds, textures):
        """Draws a row's items into its packed picture, far to near, where they are nearer than the walls."""
        image, depths = scratch.image, scratch.depth
        for one in range(find(scratch, size, row, cols, x, y, cos, sin, items)):
            depth = scratch.seen_depth[one]
            item = scratch.seen[one]
            left, top, width, first, bits = frame(items, kinds, row, item, cols, x, y, cos, sin, depth, size)
            texels = 1 << bits
            scale = np.float32(texels) / width
            first_column = max(0, int(left))
            last_column = min(size - 1, int(left + width))
            first_line = max(0, int(top))
            last_line = min(size - 1, int(top + width))
            for j in range(first_column, last_column + 1):
                u = texel_along(j, left, scale)
                if depth < depths[j] and u >= 0 and u < texels:
                    for i in range(first_line, last_line + 1):
                        v = texel_along(i, top, scale)
                        if v >= 0 and v < texels:
                            texel = textures[(first + (u << bits) + v) & LAST_TEXEL]
                            if texel < 0:
                                image[i * size + j] = texel & COLOUR

    @jit
    def before(items, row, cols, x, y, cos, sin, k, wall_depth, limit, limit_item):
        """(depth, item) of a column's farthest item nearer than `limit`; among equally far ones the list's order decides."""
        best = _ZERO
        found = -1
        for item in range(items.shape[1]):
            place = items[row, item]
            if place >= 0:
                iy = place // cols
                to_x = np.float32(place - iy * cols) * _CELL + _HALF_CELL - x
                to_y = np.float32(iy) * _CELL + _HALF_CELL - y
                depth = to_x * cos + to_y * sin
                if depth >= _NEAREST and (depth < limit or (depth == limit and item > limit_item)) and depth > best:
                    aside = to_x * sin - to_y * cos
                    if depth < wall_depth and abs(aside - k * depth) < _HALF_CELL:
                        best = depth
                        found = item
        return best, found

    @jit
    def paint_items_in_column(rgb, k, wall_depth, row, j, cols, x, y, cos, sin, items, kinds, textures):
        """Draws a row's items into column j of `rgb[row]`, far to near, where they are nearer than its wall."""
        size = rgb.shape[1]
        limit = _FARTHEST
        last = -1
        while True:
            depth, item = before(items, row, cols, x, y, cos, sin, k, wall_depth, limit, last)
            if item < 0:
                break
            limit = depth
            last = item
            left, top, width, first, bits = frame(items, kinds, row, item, cols, x, y, cos, sin, depth, size)
            texels = 1 << bits
            scale = np.float32(texels) / width
            u = texel_along(j, left, scale)
            if depth < wall_depth and u >= 0 and u < texels:
                for i in range(max(0, int(top)), min(size - 1, int(top + width)) + 1):
                    v = texel_along(i, top, scale)
                    if v >= 0 and v < texels:
                        texel = textures[(first + (u << bits) + v) & LAST_TEXEL]
                        if texel < 0:
                            rgb[row, i, j, 0] = texel & 255
                            rgb[row, i, j, 1] = (texel >> 8) & 255
                            rgb[row, i, j, 2] = (texel >> 16) & 255

    return SimpleNamespace(paint_items=paint_items, paint_items_in_column=paint_items_in_column)
