"""What our level is told is what the engine plays: same maze, goal, fruit, starts and respawns, and the same walls."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from env.engine.frame_engine import FrameEngine
from env.engine.textures.atlas import all_textures
from env.lab.episode_plan import EpisodePlan, Planner, map_name, settings_of
from env.lab.texture_files import textures_folder
from env.navigation import STRAWBERRY, STRAWBERRY_FLAG
from env.recording import headings
from env.registry import make_task
from env.task import Task
from maze_gen.generator import GeneratorConfig
from maze_gen.maze import Maze
from maze_gen.splits import mazes_of_split

CONFIG = GeneratorConfig(4, 6, apples=3, strawberry_share=0.5, goals=2)


def pool(count: int = 3) -> tuple[Maze, ...]:
    return mazes_of_split(CONFIG, "train", 0, count)


TASKS: dict[str, Callable[[], Task]] = {
    "static": lambda: make_task("static-small"),
    "random goal": lambda: make_task("random-goal-small"),
    "pool": lambda: Task("pool", pool(), 20, goal="episode", spawn_distance=2),
}


def fruit_cells(plan: EpisodePlan) -> list[int]:
    return sorted(cell | (STRAWBERRY_FLAG if kind == STRAWBERRY else 0) for kind, cell in plan.items[1:])


@pytest.mark.parametrize("name", TASKS)
def test_every_episode_starts_as_the_engine_starts_it(name: str) -> None:
    task = TASKS[name]()
    with Planner(task, 3, observe={"velocity"}) as planner, FrameEngine(task, 3, observe={"velocity"}) as engine:
        planner.reset(11, [4, 9, 2])
        engine.reset(11, [4, 9, 2])
        for _ in range(4):
            for row in range(3):
                plan, facts = planner.plan(row), engine.privileged
                assert plan.maze == facts["maze"][row]
                assert plan.goal_cell == facts["goal_cell"][row] == plan.items[0][1]
                assert plan.spawns[0, 0] == facts["cell"][row]
                assert plan.spawns[0, 1] == headings(facts["heading"][row])
                left = sorted(cell for cell in facts["fruit_cells"][row].tolist() if cell >= 0)
                # An agent that starts on a fruit has taken it.
                assert [cell for cell in fruit_cells(plan) if cell % STRAWBERRY_FLAG != facts["cell"][row]] == left
            planner.reset_rows(np.array([True, True, True]))
            engine.reset_rows(np.array([True, True, True]))


def test_every_respawn_is_where_the_engine_respawns() -> None:
    task = TASKS["static"]()
    maze = task.mazes[0]
    with Planner(task, 1, observe={"velocity"}) as planner, FrameEngine(task, 1, observe={"velocity"}) as engine:
        planner.reset(5)
        engine.reset(5)
        plan = planner.plan(0)
        goal = np.array([maze.center(divmod(plan.goal_cell, maze.cols))])
        for respawn in range(1, 30):
            engine.put(goal, [0], [[0.0, 0.0]])
            for _ in range(3):
                engine.play_frame(0, 0, 0)
            assert plan.spawns[respawn, 0] == engine.privileged["cell"][0]
            assert plan.spawns[respawn, 1] == headings(engine.privileged["heading"][0])


def test_there_are_starts_for_more_goals_than_time_allows() -> None:
    task = TASKS["pool"]()
    with Planner(task, 1, observe={"velocity"}) as planner, FrameEngine(task, 1, observe={"velocity"}) as engine:
        planner.reset(0)
        engine.reset(0)
        plan = planner.plan(0)
        maze = task.mazes[plan.maze]
        goal = np.array([maze.center(divmod(plan.goal_cell, maze.cols))])
        goals = 0
        for _ in range(task.episode_seconds * 60):
            engine.put(goal, [0], [[0.0, 0.0]])
            engine.play_frame(0, 0, 0, draw=False)
            goals += int(engine.outcome.reward[0] == task.rewards.goal)
        assert len(plan.spawns) > goals > 100


def test_settings_tell_walls_and_floor(tmp_path: Path) -> None:
    for geometry in ("thin", "block"):
        config = GeneratorConfig(4, 6, geometry=geometry, apples=3, goals=1)
        (maze,) = mazes_of_split(config, "train", 0, 1)
        task = Task("one", (maze,), 20, spawn_distance=2)
        with Planner(task, 1, observe={"velocity"}) as planner:
            planner.reset(0)
            settings = settings_of(planner.plan(0), maze, tmp_path)
        faces = np.frombuffer(bytes.fromhex(settings["faces"]), dtype=np.uint8).reshape(maze.rows, maze.cols, 4)
        assert np.array_equal(faces != 0, maze.walls)
        solid = np.array([character == "1" for character in settings["solid"]]).reshape(maze.rows, maze.cols)
        assert np.array_equal(solid, ~maze.open)
        assert settings["items"].count(";") == 4
        first = settings["spawns"].split(";")[0].split()
        assert maze.open[maze.cell_at(float(first[0]), float(first[1]))]


def test_other_content_has_another_map() -> None:
    mazes = pool()
    assert len({map_name(maze) for maze in mazes}) == len(mazes)
    assert map_name(mazes[0]) == map_name(pool()[0])


def test_textures_are_the_engines(tmp_path: Path) -> None:
    folder = textures_folder(tmp_path, 2)
    picture: npt.NDArray[np.uint8] = np.fromfile(folder / "wall_01.rgba", dtype=np.uint8).reshape(64, 64, 4)
    texels = all_textures()[(2 * 70 + 1) * 5504 :]
    for u, v in ((0, 0), (63, 0), (5, 40)):
        texel = int(texels[u * 64 + v]) & 0xFFFFFF
        assert tuple(picture[v, u]) == (texel & 255, texel >> 8 & 255, texel >> 16, 255)
    assert textures_folder(tmp_path, 2) == folder
    assert len(list(folder.iterdir())) == 2 + 2 * 69 + 5
