"""The random part of an episode in advance: the embedded engine's own draws, as settings of our level.

So both backends play the same episode for the same seed, stream and number: maze, goal, fruit, and the pose of every spawn.
"""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from env.engine import philox
from env.engine.compile import cpu, cpu_kernel
from env.engine.engine import Engine
from env.engine.motion import FULL_TURN
from env.engine.state import UNREACHABLE
from env.engine.textures.atlas import texture_number
from env.lab.simulator import Episode
from env.lab.texture_files import textures_folder
from env.navigation import APPLE, FRAMES_PER_SECOND, GOAL, STRAWBERRY
from env.task import Task
from maze_gen.maze import Maze

LEVEL = Path(__file__).with_name("level.lua")
OBSERVATIONS = ("POSITION", "ANGLES", "VELOCITY")
"""Of our level; velocity is along x, y and z."""
KIND_NAMES = {APPLE: "apple", STRAWBERRY: "strawberry", GOAL: "goal"}
GOAL_FRAMES = 3
"""Least frames from one goal to the next: to touch it, to be rewarded, to respawn."""


@dataclass(frozen=True)
class EpisodePlan:
    """One episode of one row. Cells are row * cols + col, counted from the top.

    Attributes:
        maze: index into the task's mazes.
        goal_cell: the goal's cell.
        items: (kind, cell) of all items, the goal first.
        spawns: [S, 2] int32, cell and heading in 1/65536 turns of the start and of every respawn.
        seed: of the simulator, whose own draws do not affect our level.
    """

    maze: int
    goal_cell: int
    items: tuple[tuple[int, int], ...]
    spawns: npt.NDArray[np.int32]
    seed: int


class Planner(Engine):
    """An engine that draws episodes and does not play them."""

    def plan(self, row: int) -> EpisodePlan:
        """The plan of the row's current episode."""
        state, pool = self._world.state, self._world.pool
        task = self.task
        rows, cols = task.mazes[0].rows, task.mazes[0].cols
        maze = int(state.maze[row])

        def cell(square: int) -> int:
            return (rows - 1 - square // cols) * cols + square % cols

        distance = self.goal_distance[row]
        far = (distance != UNREACHABLE) & (distance >= task.spawn_distance)
        allowed = (pool.spawn[maze].reshape(rows, cols) != 0) & far[::-1]
        frames = task.episode_seconds * FRAMES_PER_SECOND
        # Homes, not items: in either backend an agent that spawns on fruit collects it.
        homes, kinds = state.homes[row], state.kinds[row]
        return EpisodePlan(
            maze=maze,
            goal_cell=cell(int(state.goal[row])),
            items=tuple((int(kind), cell(int(square))) for kind, square in zip(kinds, homes, strict=True) if square >= 0),
            spawns=_spawns(
                np.array([cell(square) for square in np.flatnonzero(allowed).tolist()], dtype=np.int32),
                state.seed[row],
                state.stream[row],
                state.episode[row],
                frames // GOAL_FRAMES + 2,
            ),
            seed=simulator_seed(state.seed[row], state.stream[row], state.episode[row]),
        )


def simulator_seed(seed: Any, stream: Any, episode: Any) -> int:
    """The seed of the simulator's own random numbers in an episode, in [0, 2**31); released levels draw from them."""
    numbers = philox.build(lambda function: function)
    word = numbers.draw(np.uint64(seed), np.uint64(stream), np.uint64(episode), philox.MAZE, 1)[0]
    return int(word) >> 1


def _spawns(cells: npt.NDArray[np.int32], seed: Any, stream: Any, episode: Any, count: int) -> npt.NDArray[np.int32]:
    spawns = np.zeros((count, 2), dtype=np.int32)
    _spawn_drawer()(cells, np.uint64(seed), np.uint64(stream), np.uint64(episode), spawns)
    return spawns


@functools.cache
def _spawn_drawer() -> Any:
    numbers = philox.build(cpu)
    draw, below = numbers.draw, numbers.below

    def draw_spawns(cells, seed, stream, episode, spawns):
        """Writes cell and heading of every spawn, drawn as `env.engine.rules` draws them."""
        for index in range(spawns.shape[0]):
            words = draw(seed, stream, episode, philox.SPAWN, index)
            spawns[index, 0] = cells[below(words[0], cells.shape[0])]
            spawns[index, 1] = below(words[1], FULL_TURN)

    return cpu_kernel(draw_spawns)


def map_name(maze: Maze) -> str:
    """The name of a maze's compiled map, by its content."""
    return f"knossos_{maze.digest[:24]}"


def settings_of(plan: EpisodePlan, maze: Maze, cache: Path) -> dict[str, str]:
    """The settings of our level for an episode; see the head of `level.lua`."""
    theme = maze.decoration.theme
    numbers = np.array([texture_number(code) if code else 0 for code in range(256)], dtype=np.uint8)

    def middle(cell: int) -> str:
        x, y = maze.center(divmod(cell, maze.cols))
        return f"{x:.0f} {y:.0f}"

    return {
        "mapName": map_name(maze),
        "geometry": maze.geometry,
        "rows": str(maze.rows),
        "cols": str(maze.cols),
        "solid": "".join("01"[int(solid)] for solid in ~maze.open.ravel()),
        "faces": numbers[maze.decoration.faces].tobytes().hex(),
        "textures": str(textures_folder(cache, theme)),
        "items": "".join(f"{KIND_NAMES[kind]} {middle(cell)};" for kind, cell in plan.items),
        "spawns": "".join(f"{middle(cell)} {heading * 360 / FULL_TURN:.5f};" for cell, heading in plan.spawns.tolist()),
    }


def episode_of(task: Task, plan: EpisodePlan, size: int, cache: Path) -> Episode:
    """An episode in our level, with pictures of size x size."""
    settings = {"width": str(size), "height": str(size), "minimalUI": "true"}
    settings |= settings_of(plan, task.mazes[plan.maze], cache)
    return Episode(str(LEVEL), OBSERVATIONS, "taken", settings, plan.seed, size, str(cache))
