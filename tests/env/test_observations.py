"""What the engine observes doesn't depend on what else it is asked to observe, and depth agrees with depth."""

import numpy as np
import pytest

from env.engine.frame_engine import FrameEngine
from env.engine.render.depth import FAR, depth_byte
from env.navigation import NUM_ACTIONS
from env.task import Task
from maze_gen.catalogue import catalogue_maze
from maze_gen.maze import Maze
from maze_gen.text import as_block

TARGET_ROWS = [16, 29, 42, 55]
TARGET_COLUMNS = list(range(2, 78, 5))


def maze_of(geometry: str) -> Maze:
    maze = catalogue_maze("static-small")
    return maze if geometry == "thin" else as_block(maze)


@pytest.mark.parametrize("geometry", ["thin", "block"])
@pytest.mark.parametrize("size", [84, 42])
def test_observations_agree(geometry: str, size: int) -> None:
    maze = maze_of(geometry)
    task = Task("seen", (maze,), episode_seconds=60, observation_size=size)
    far = FAR if geometry == "thin" else np.inf
    rng = np.random.default_rng(0)
    n = 6
    with (
        FrameEngine(task, n, observe={"rgb", "velocity", "depth", "depth_target"}) as everything,
        FrameEngine(task, n) as picture,
        FrameEngine(task, n, observe={"velocity", "depth"}) as depth_alone,
        FrameEngine(task, n, observe={"velocity", "depth_target"}) as target_alone,
    ):
        engines = (everything, picture, depth_alone, target_alone)
        for engine in engines:
            engine.reset(4)
        for _ in range(40):
            actions = rng.integers(0, NUM_ACTIONS, n)
            for engine in engines:
                engine.step(actions)
            seen = everything.observation
            np.testing.assert_array_equal(seen["rgb"], picture.observation["rgb"])
            np.testing.assert_array_equal(seen["depth"], depth_alone.observation["depth"])
            np.testing.assert_array_equal(seen["depth_target"], target_alone.observation["depth_target"])
            assert "rgb" not in depth_alone.observation
            full = everything.planar_depth(84)
            expected = full[:, TARGET_ROWS][:, :, TARGET_COLUMNS]
            np.testing.assert_array_equal(seen["depth_target"], expected)
            bytes_of_distance = depth_byte(everything.planar_depth(size), far)
            assert (np.abs(seen["depth"].astype(int) - bytes_of_distance.astype(int)) <= 1).all()
            assert (seen["depth"] == bytes_of_distance).mean() > 0.99


def test_the_picture_shows_what_is_taken() -> None:
    """An agent that looks at the goal sees red; without the goal it doesn't."""
    maze = catalogue_maze("static-small")
    goal = maze.goals[0]
    x, y = maze.center(goal)
    task = Task("goal", (maze,), episode_seconds=60)

    def red(rgb: np.ndarray) -> np.ndarray:
        r, g, b = rgb.reshape(-1, 3).astype(int).T
        return (r > 120) & (r > 2 * g) & (r > 2 * b)

    with FrameEngine(task, 1) as engine:
        engine.reset(0)
        for side, (dx, dy) in enumerate(((-40, 0), (0, -40), (40, 0), (0, 40))):
            if maze.walls[(*goal, (side + 2) % 4)]:
                continue
            engine.put([[x + dx, y + dy]], [side * 16384], [[0, 0]])
            with_goal = red(engine.observation["rgb"][0]).sum()
            engine.remove_goals()
            without_goal = red(engine.observation["rgb"][0]).sum()
            assert with_goal > without_goal + 200
            break
        else:
            pytest.fail("the goal's cell has walls all round")
