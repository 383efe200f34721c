"""Items in the picture: upright sprites that always face the camera, hidden by nearer walls."""

from types import SimpleNamespace

import numpy as np

from env.engine.compile import Jit
from env.engine.render import raycast
from env.engine.textures.atlas import COLOUR, ITEM_SLOT, LAST_TEXEL, SLOT_TEXELS

ITEM_UNITS = (0.0, 52.0, 52.0, 84.0)
"""Width and height of an item's square sprite in units, by kind: none, apple, strawberry, goal."""
ITEM_BOTTOM_UNITS = (0.0, 8.0, 8.0, 6.0)
"""Height of the sprite's lower edge above the floor in units, by kind."""

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
        A namespace of `paint_items` (a whole picture, on the CPU) and `paint_items_in_column` (one column, on a GPU).
    """
    lateral = raycast.build(jit).lateral

    @jit
    def bounds(items, kinds, row, item, camera, depth, size):
        """Where an item's sprite lies in the picture.

        Returns:
            (left edge, top edge, width) in pixels as float32, the number of its first texel, and the bits of its mipmap level.
        """
        square = items[row, item]
        iy = square // camera.cols
        to_x = np.float32(square - iy * camera.cols) * _CELL + _HALF_CELL - camera.x
        to_y = np.float32(iy) * _CELL + _HALF_CELL - camera.y
        aside = to_x * camera.sin - to_y * camera.cos
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
        """The texel at a pixel's centre, with `scale` texels a pixel; below 0 before the edge."""
        offset = (np.float32(pixel) + _HALF - edge) * scale
        if offset < _ZERO:
            return -1
        return int(offset)

    @jit
    def find_visible(buffers, size, row, camera, items):
        """Writes the items in view to the buffers, far to near, and returns their number.

        An item is in view where a column that it covers shows a wall farther away.
        """
        depths, visible, visible_depth = buffers.depth, buffers.visible, buffers.visible_depth
        cols, x, y, cos, sin = camera.cols, camera.x, camera.y, camera.cos, camera.sin
        half = np.float32(size) * _HALF
        farthest = _ZERO
        for j in range(size):
            farthest = max(farthest, depths[j])
        # Integer division is slow, and there may be many items. Squares are below 65,535, so this rounds to the same.
        per_col = _ONE / np.float32(cols)
        count = 0
        for item in range(items.shape[1]):
            square = items[row, item]
            if square >= 0:
                iy = int((np.float32(square) + _HALF) * per_col)
                to_x = np.float32(square - iy * cols) * _CELL + _HALF_CELL - x
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
                        # Of too many items the farthest, which is the first, is dropped.
                        if count == visible.shape[0]:
                            if depth >= visible_depth[0]:
                                continue
                            at = count - 1
                            for other in range(at):
                                visible[other] = visible[other + 1]
                                visible_depth[other] = visible_depth[other + 1]
                        else:
                            count += 1
                        while at > 0 and visible_depth[at - 1] < depth:
                            visible[at] = visible[at - 1]
                            visible_depth[at] = visible_depth[at - 1]
                            at -= 1
                        visible[at] = item
                        visible_depth[at] = depth
        return count

    @jit
    def paint_items(buffers, size, row, camera, items, kinds, textures):
        """Draws a row's items into its packed picture, far to near, where they are nearer than the walls."""
        image, depths = buffers.image, buffers.depth
        for one in range(find_visible(buffers, size, row, camera, items)):
            depth = buffers.visible_depth[one]
            item = buffers.visible[one]
            left, top, width, first, bits = bounds(items, kinds, row, item, camera, depth, size)
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
    def next_nearer(items, row, camera, k, wall_depth, limit, limit_item):
        """(depth, item) of a column's farthest item nearer than `limit`; items of equal depth follow in the list's order."""
        best = _ZERO
        found = -1
        for item in range(items.shape[1]):
            square = items[row, item]
            if square >= 0:
                iy = square // camera.cols
                to_x = np.float32(square - iy * camera.cols) * _CELL + _HALF_CELL - camera.x
                to_y = np.float32(iy) * _CELL + _HALF_CELL - camera.y
                depth = to_x * camera.cos + to_y * camera.sin
                if depth >= _NEAREST and (depth < limit or (depth == limit and item > limit_item)) and depth > best:
                    aside = to_x * camera.sin - to_y * camera.cos
                    if depth < wall_depth and abs(aside - k * depth) < _HALF_CELL:
                        best = depth
                        found = item
        return best, found

    @jit
    def paint_items_in_column(rgb, row, j, wall_depth, camera, items, kinds, textures):
        """Draws a row's items into column j of `rgb[row]`, far to near, where they are nearer than its wall."""
        size = rgb.shape[1]
        k = lateral(j, size)
        limit = _FARTHEST
        last = -1
        while True:
            depth, item = next_nearer(items, row, camera, k, wall_depth, limit, last)
            if item < 0:
                break
            limit = depth
            last = item
            left, top, width, first, bits = bounds(items, kinds, row, item, camera, depth, size)
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
