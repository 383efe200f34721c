"""Depth against an independent intersection of rays with the walls' rectangles, in float64, from random poses."""

from typing import NamedTuple

import numpy as np
import pytest

from env.engine.compile import cpu, cpu_kernel
from env.engine.render import depth
from env.engine.render.buffers import allocate_buffers
from env.engine.render.depth import FAR, SKY_DISTANCE, depth_byte
from env.registry import make_task
from maze_gen.maze import Maze
from maze_gen.text import read_maze
from tests.env.rendering import Surroundings, camera_at, scene_of

BLOCKS = """
*********
*P  *  G*
* * * * *
*   *   *
**  * * *
*     * *
*********
"""


def _mazes() -> dict[str, Maze]:
    posts = make_task("static-large").mazes[0]
    return {
        "thin small": make_task("static-small").mazes[0],
        "thin large": posts,
        "block": read_maze(BLOCKS.strip("\n"), "block"),
    }


MAZES = _mazes()


def slabs(maze: Maze) -> np.ndarray:
    """[S, 4] float64: x0, x1, y0, y1 of every slab of wall."""
    boxes = []
    for row, col, side in np.argwhere(maze.walls):
        x0, y0 = col * 100.0, (maze.rows - 1 - row) * 100.0
        x1, y1 = x0 + 100, y0 + 100
        boxes.append([(x1 - 1, x1, y0, y1), (x0, x1, y1 - 1, y1), (x0, x0 + 1, y0, y1), (x0, x1, y0, y0 + 1)][side])
    return np.array(boxes)


def wall_depths(boxes: np.ndarray, x: float, y: float, dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Parameter at which each ray (x, y) + t (dx, dy) first enters a box; the method of slabs."""
    with np.errstate(divide="ignore", invalid="ignore"):
        tx = (boxes[:, :2, None] - x) / dx
        ty = (boxes[:, 2:, None] - y) / dy
    enter = np.maximum(tx.min(axis=1), ty.min(axis=1))
    leave = np.minimum(tx.max(axis=1), ty.max(axis=1))
    hit = (enter < leave) & (enter > 0)
    return np.where(hit, enter, np.inf).min(axis=0)


def reference(maze: Maze, boxes: np.ndarray, x: float, y: float, heading: float, size: int, tilt: float = 0.0) -> np.ndarray:
    """[size, size] float64 planar depth; rays may be tilted sideways by a little."""
    at = 2 * (np.arange(size) + 0.5) / size - 1
    right, up = at + tilt, -at[:, None]
    cos, sin = np.cos(heading), np.sin(heading)
    wall = wall_depths(boxes, x, y, cos + right * sin, sin - right * cos)
    plane = np.where(up < 0, -50.125 / up, 48.875 / up)
    beyond = plane if maze.geometry == "thin" else np.where(up > 0, SKY_DISTANCE, plane)
    return np.where(wall <= plane, wall, beyond)


def poses(maze: Maze, count: int, seed: int) -> np.ndarray:
    """[count, 3] x, y, heading; a third close to walls and corners, some along the axes or a diagonal."""
    rng = np.random.default_rng(seed)
    cells = np.argwhere(maze.open)[rng.integers(maze.open.sum(), size=count)]
    inside = rng.uniform(16.125, 83.875, (count, 2))
    close = rng.random((count, 2)) < 0.35
    inside[close] = np.where(rng.random((count, 2)) < 0.5, 16.125, 83.875)[close]
    heading = rng.uniform(0, 2 * np.pi, count)
    axis = rng.random(count) < 0.1
    heading[axis] = rng.integers(8, size=axis.sum()) * np.pi / 4
    corner = np.stack([cells[:, 1], maze.rows - 1 - cells[:, 0]], axis=1) * 100.0
    # The engine's numbers are float32: start the reference from exactly these.
    return np.column_stack([(corner + inside).astype(np.float32), heading])


@pytest.fixture(scope="module")
def kernels():
    """Compiled loops over poses: all depths of a picture, and the target."""
    device = depth.build(cpu)
    measure, planar, upward = device.measure, device.planar_depth, device.upward
    target, target_from_buffers, paint_depth = device.target, device.target_from_buffers, device.paint_depth

    def depths(outputs, sides, surroundings, pose, buffers, from_buffers):
        size = outputs.distance.shape[1]
        for n in range(pose.shape[0]):
            camera = camera_at(surroundings, pose, n)
            measure(sides, camera, size, buffers)
            for i in range(size):
                for j in range(size):
                    outputs.distance[n, i, j] = planar(buffers.depth[j], upward(i, size), camera.ceiling)
            paint_depth(outputs.image, n, camera.ceiling, buffers)
            if from_buffers:
                target_from_buffers(outputs.target, n, camera.ceiling, buffers)
            else:
                target(outputs.target, n, sides, camera)

    return cpu_kernel(depths)


class Outputs(NamedTuple):
    """Planar depth of every pixel [N, n, n] and along the target's rays [N, 4, 16] in units, and depth bytes [N, n, n]."""

    distance: np.ndarray
    target: np.ndarray
    image: np.ndarray


def run(kernels, maze: Maze, chosen: np.ndarray, size: int, from_buffers: bool = False) -> Outputs:
    sides = scene_of(maze.walls[::-1].astype(np.uint8)).sides
    pose = np.column_stack([chosen[:, :2], np.cos(chosen[:, 2]), np.sin(chosen[:, 2])]).astype(np.float32)
    outputs = Outputs(
        np.zeros((len(chosen), size, size), dtype=np.float32),
        np.zeros((len(chosen), 4, 16), dtype=np.float32),
        np.zeros((len(chosen), size, size), dtype=np.uint8),
    )
    surroundings = Surroundings(maze.cols, 0, int(maze.geometry == "thin"))
    kernels(outputs, sides, surroundings, pose, allocate_buffers(size), from_buffers)
    return outputs


@pytest.mark.parametrize("size", [84, 42])
@pytest.mark.parametrize("name", MAZES)
def test_every_pixel_is_within_a_thousandth_of_the_intersection(kernels, name, size):
    maze = MAZES[name]
    boxes = slabs(maze)
    chosen = poses(maze, 1500 if size == 84 else 500, seed=size)
    found, _, _ = run(kernels, maze, chosen, size)
    differing = 0
    for pose, image in zip(chosen, found, strict=True):
        x, y, heading = pose
        exact = reference(maze, boxes, x, y, heading, size)
        off = np.abs(image - exact) > 1e-3 * exact
        if off.any():
            # A ray that grazes an edge may fall on either side of it: then a ray tilted by a millionth must see the other.
            tilted = [reference(maze, boxes, x, y, heading, size, tilt) for tilt in (-2e-6, 2e-6)]
            near = np.logical_or(*(np.abs(image - other) <= 1e-3 * other for other in tilted))
            assert near[off].all(), (name, pose, np.argwhere(off & ~near)[:3])
            differing += off.any(axis=0).sum()
    # Such rays are rare, so the tilted ones cannot hide a fault.
    assert differing <= 1e-4 * len(chosen) * size


@pytest.mark.parametrize("name", MAZES)
def test_the_target_is_the_picture_of_84_at_its_pixels(kernels, name):
    chosen = poses(MAZES[name], 300, seed=7)
    found, target, _ = run(kernels, MAZES[name], chosen, 84)
    np.testing.assert_array_equal(target, found[:, [16, 29, 42, 55]][:, :, np.arange(2, 78, 5)])
    _, small, _ = run(kernels, MAZES[name], chosen, 42)
    np.testing.assert_array_equal(small, target)
    _, measured, _ = run(kernels, MAZES[name], chosen, 84, from_buffers=True)
    np.testing.assert_array_equal(measured, target)


@pytest.mark.parametrize("name", MAZES)
def test_bytes_are_the_formula_of_the_distances(kernels, name):
    found, _, image = run(kernels, MAZES[name], poses(MAZES[name], 100, seed=8), 84)
    far = FAR if name.startswith("thin") else np.inf
    exact = depth_byte(found, far)
    apart = exact != image
    # Float32 may fall on the other side of a whole number.
    assert np.abs(exact.astype(int) - image)[apart].max(initial=0) <= 1
    assert apart.mean() < 1e-3


def test_the_byte_of_known_distances():
    np.testing.assert_array_equal(depth_byte(np.array([4.0, SKY_DISTANCE])), [0, 254])
    # Byte to distance with the far plane at infinity, as measured from DeepMind Lab.
    for byte, distance in [(182, 14), (200, 19), (225, 35), (240, 70), (248, 157)]:
        assert abs(int(depth_byte(np.array(float(distance)))) - byte) <= 1
    assert depth_byte(np.array(FAR), FAR) == 255
