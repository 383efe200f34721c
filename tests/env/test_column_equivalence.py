"""The CPU's passes over vectors of pixels against the same picture drawn column by column, as a GPU draws it."""

import numpy as np
import pytest

from env.engine.compile import cpu, cpu_kernel
from env.engine.render import image, simd
from env.engine.render.buffers import allocate_buffers
from env.engine.textures.atlas import COLOUR, LAST_TEXEL, QUARTER, all_textures, texture_number
from env.navigation import APPLE, GOAL, STRAWBERRY
from env.registry import make_task
from maze_gen.maze import FIRST_LANDMARK_FACE, LANDMARKS
from tests.env.rendering import Surroundings, camera_at, scene_of


@pytest.fixture(scope="module")
def both():
    """Draws a row's picture and depth bytes both ways."""
    device = image.build(cpu)
    paint, paint_depth = device.paint, device.paint_depth
    paint_column, paint_depth_column = device.paint_column, device.paint_depth_column

    def kernel(rgb, depth, scene, surroundings, poses, items, kinds, buffers):
        for row in range(poses.shape[0]):
            camera = camera_at(surroundings, poses, row)
            paint(rgb[0], row, scene, camera, items, kinds, buffers)
            paint_depth(depth[0], row, camera.ceiling, buffers)
            for column in range(rgb[1].shape[2]):
                wall = paint_column(rgb[1], row, column, scene, camera, items, kinds)
                paint_depth_column(depth[1], row, column, camera.ceiling, wall)

    return cpu_kernel(kernel)


@pytest.mark.parametrize("size", [84, 42, 40])
@pytest.mark.parametrize("ceiling", [1, 0])
def test_both_draw_the_same_bytes(both, size, ceiling):
    rng = np.random.default_rng(size + ceiling)
    maze = make_task("static-large").mazes[0]
    count, squares = 60, maze.rows * maze.cols
    heading = rng.uniform(0, 2 * np.pi, count)
    heading[:8] = np.arange(8) * np.pi / 4
    corner = rng.integers([maze.cols, maze.rows], size=(count, 2)) * 100
    pose = np.column_stack([corner + rng.uniform(16, 84, (count, 2)), np.cos(heading), np.sin(heading)]).astype(np.float32)
    numbers = np.array([texture_number(code) for code in range(FIRST_LANDMARK_FACE + LANDMARKS)], dtype=np.uint8)
    scene = scene_of(numbers[maze.decoration.faces[::-1]])
    items = np.stack([rng.permutation(squares)[:30] for _ in range(count)]).astype(np.int32)
    items[:, ::5] = -1
    kinds = rng.choice([APPLE, STRAWBERRY, GOAL], size=items.shape).astype(np.uint8)
    rgb = np.zeros((2, count, size, size, 3), dtype=np.uint8)
    depth = np.zeros((2, count, size, size), dtype=np.uint8)
    surroundings = Surroundings(maze.cols, 3, ceiling)
    both(tuple(rgb), tuple(depth), scene, surroundings, pose, items, kinds, allocate_buffers(size))
    np.testing.assert_array_equal(rgb[0], rgb[1])
    np.testing.assert_array_equal(depth[0], depth[1])


def test_vector_operations_compute_what_the_scalar_loops_compute():
    rng = np.random.default_rng(4)
    count = 84 * 84
    texels = all_textures()
    chosen = rng.integers(0, LAST_TEXEL + 1, count + 32).astype(np.int32) | rng.choice([0, -(2**31)], count + 32).astype(np.int32)
    image = chosen.copy()
    rgb = np.zeros((3, 84, 84, 3), dtype=np.uint8)

    @cpu_kernel
    def run(texels, image, rgb, count):
        simd.fetch(texels, image, count)
        simd.unpack(image, rgb, count * 3, count)

    run(texels, image, rgb, count)
    colour = texels[chosen & LAST_TEXEL] & COLOUR
    expected = np.where(chosen < 0, colour - ((colour >> 2) & QUARTER), colour)[:count]
    np.testing.assert_array_equal(image[:count], expected)
    channels = np.stack([expected & 255, expected >> 8 & 255, expected >> 16 & 255], axis=-1)
    np.testing.assert_array_equal(rgb[1].reshape(-1, 3), channels)
    assert not rgb[[0, 2]].any()
