"""The engine on the CPU: runs the kernels, in threads, over NumPy's arrays."""

from typing import Any

import numpy as np
import numpy.typing as npt

from env.batch import checked_rows
from env.engine.cpu_kernels import BEGIN, LOOK, STEP, check_actions, kernels, maze_checker
from env.engine.crew import Crew, Work
from env.engine.maze_pool import Pool
from env.engine.packed_arguments import table_of
from env.engine.render import image as render
from env.engine.state import World
from env.navigation import NUM_ACTIONS
from env.task import Task
from maze_gen.errors import InputError


class CpuRunner:
    """Runs the kernels on the CPU, the rows split among threads; all arrays are NumPy's."""

    def __init__(self, num_envs: int, threads: int) -> None:
        self._threads = min(threads, num_envs)
        self._num_envs = num_envs

    @staticmethod
    def zeros(shape: tuple[int, ...], dtype: Any) -> npt.NDArray[Any]:
        """Zeros that the kernels read and write."""
        return np.zeros(shape, dtype=dtype)

    @staticmethod
    def bring(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A NumPy array, where the kernels read it."""
        return array

    @staticmethod
    def shown(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """What callers see of an array."""
        return array

    def take(self, world: World) -> None:
        """Takes the arrays that the kernels will work on."""
        self._world = world
        self._kernels = kernels(world)
        self._table = table_of(world)
        size = max(world.picture.rgb.shape[1], world.picture.depth.shape[1], 1)
        self._scratches = [render.allocate_scratch(size) for _ in range(self._threads)]
        self._crew = Crew(self._threads, _work(self._kernels.advance, self._table, self._scratches))

    def reset(self, seed: int, streams: npt.NDArray[np.int64]) -> None:
        """Starts episode 0 of every row."""
        self._world.rules.seed[0] = seed
        self._world.state.stream[:] = streams
        self._world.state.episode[:] = 0
        self._world.inputs.mask[:] = True
        self._crew.run(BEGIN)

    def reset_rows(self, rows: npt.ArrayLike) -> None:
        """Starts the next episodes of the rows where `rows` is True."""
        self._world.inputs.mask[:] = checked_rows(rows, self._num_envs)
        self._crew.run(BEGIN, episodes_on=1)

    def step(self, actions: npt.ArrayLike) -> None:
        """Plays one agent step of every row.

        Raises:
            InputError: an action is no integer in [0, 8), or a row's episode is over.
        """
        chosen = np.asarray(actions)
        if chosen.shape != (self._num_envs,) or chosen.dtype.kind not in "iu":
            raise InputError(
                f"actions have shape {chosen.shape} and type {chosen.dtype}, expected {self._num_envs} integers in "
                f"[0, {NUM_ACTIONS})"
            )
        np.copyto(self._world.inputs.actions, chosen, casting="same_kind")
        ready = self._world.state.ready
        row = check_actions(self._world.inputs.actions, ready, NUM_ACTIONS)
        if row >= 0:
            if not ready[row]:
                raise InputError(f"row {row}: its episode was truncated; call reset_rows before the next step")
            raise InputError(f"row {row}: action {chosen[row]} is out of range, expected [0, {NUM_ACTIONS})")
        self._crew.run(STEP)

    def draw(self) -> None:
        """Draws what every row sees now."""
        self._crew.run(LOOK)

    def check(self) -> None:
        """Nothing is left to be checked: `step` raises at once."""

    def close(self) -> None:
        """Ends the threads."""
        self._crew.close()


def _work(advance: Any, table: npt.NDArray[np.int64], scratches: list[render.Scratch]) -> Work:
    """The kernel as a crew calls it; the threads keep what this holds, so it must not hold the runner."""
    tables = [table_of(scratch) for scratch in scratches]
    return lambda meeting, thread, seen: advance(table, tables[thread], meeting, thread, seen)


def check_mazes(task: Task, pool: Pool) -> None:
    """Raises InputError where the task's rules can't be kept in one of its mazes: see `env.engine.maze_pool.pack`."""
    rows, cols = task.mazes[0].rows, task.mazes[0].cols
    needed = pool.spawn.copy()
    if task.fruit == "episode":
        needed |= pool.open
    for maze, places in enumerate(pool.goal_places):
        needed[maze, places[: pool.goal_count[maze]]] = 1
        fruit = pool.fruit_places[maze]
        needed[maze, fruit[fruit >= 0]] = 1
    distance = np.zeros((1, rows * cols), dtype=np.uint16)
    queue = np.zeros((1, rows * cols), dtype=np.uint16)
    for maze in range(len(task.mazes)):
        fault, place = maze_checker()(pool, needed, maze, rows, cols, task.spawn_distance, distance, queue)
        if fault:
            where = f"task {task.name!r}, maze {maze}"
            row, col = rows - 1 - place // cols, place % cols
            if fault == 1:
                raise InputError(f"{where}: the task needs the cell in row {row}, column {col}, which can't be reached")
            raise InputError(
                f"{where}: no spawn is {task.spawn_distance} cells of path or more from the goal in row {row}, column {col}"
            )
