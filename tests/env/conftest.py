"""A room drawn by the renderer, for the tests of pictures."""

import numpy as np
import pytest

from env.engine.compile import cpu, cpu_kernel
from env.engine.render import image
from env.engine.render.buffers import allocate_buffers
from env.engine.textures.atlas import CEILING_SLOT, FLOOR_SLOT
from maze_gen.maze import EAST, NORTH, PLAIN_FACE, SOUTH, WEST
from tests.env.rendering import Surroundings, camera_at, flat_textures, scene_of

HEADINGS = {EAST: (1.0, 0.0), NORTH: (0.0, 1.0), WEST: (-1.0, 0.0), SOUTH: (0.0, -1.0)}
SIZE = 84
WALL, FLOOR, CEILING = (200, 0, 0), (0, 200, 0), (0, 0, 200)
FLAT = flat_textures({1: WALL, FLOOR_SLOT: FLOOR, CEILING_SLOT: CEILING})


def room_of(rows: int, cols: int, face: int = PLAIN_FACE) -> np.ndarray:
    """[rows, cols, 4] faces of one room without inner walls; rows count from the bottom."""
    room = np.zeros((rows, cols, 4), dtype=np.uint8)
    room[:, -1, EAST] = room[-1, :, NORTH] = room[:, 0, WEST] = room[0, :, SOUTH] = face
    return room


@pytest.fixture(scope="session")
def paint():
    """Draws one picture of a room of R x C cells with the faces given; returns it and the depth of every column's wall."""
    paint_row = image.build(cpu).paint

    def kernel(rgb, scene, surroundings, pose, items, kinds, buffers):
        paint_row(rgb, 0, scene, camera_at(surroundings, pose, 0), items, kinds, buffers)

    compiled = cpu_kernel(kernel)

    def draw(room, x, y, direction, items=(), theme=0, size=SIZE, texels=None):
        pose = np.array([[x, y, *direction]], dtype=np.float32)
        squares = np.array([[square for square, _ in items] or [-1]], dtype=np.int32)
        kinds = np.array([[kind for _, kind in items] or [0]], dtype=np.uint8)
        rgb = np.zeros((1, size, size, 3), dtype=np.uint8)
        buffers = allocate_buffers(size)
        surroundings = Surroundings(room.shape[1], theme, 1)
        compiled(rgb, scene_of(room, texels), surroundings, pose, squares, kinds, buffers)
        return rgb[0], buffers.depth[:size].copy()

    return draw
