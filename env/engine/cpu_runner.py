"""The engine on the CPU: runs the kernels, in threads, on NumPy arrays."""

from typing import Any

import numpy as np
import numpy.typing as npt

from env.batch import Episodes, as_array, checked_actions, checked_rows
from env.engine.cpu_kernels import DRAW, START, STEP, ActionCheck, MazeCheck, action_checker, advance_kernel, maze_checker
from env.engine.maze_pool import Pool
from env.engine.native import Native
from env.engine.packed_arguments import pack_arguments
from env.engine.render.buffers import Buffers, allocate_buffers
from env.engine.state import World, allocate_picture
from env.engine.thread_pool import ThreadPool, Work
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
        """Keeps the arrays that the kernels work on."""
        self._world = world
        size = max(world.picture.rgb.shape[1], world.picture.depth.shape[1], 1)
        # Packed arguments hold addresses: these keep the arrays alive.
        self._buffers = [allocate_buffers(size) for _ in range(self._threads)]
        self._workers = ThreadPool(self._threads, _work(advance_kernel(world), world, self._buffers))
        self._check_actions = action_checker()
        self._packed_check = pack_arguments(ActionCheck(world.inputs.actions, world.state.ready))
        self._check_address = self._packed_check.ctypes.data

    @staticmethod
    def read(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A copy of an array for the host."""
        return array.copy()

    @staticmethod
    def write(array: npt.NDArray[Any], values: npt.NDArray[Any]) -> None:
        """Copies values of the host into an array."""
        array[...] = values

    def reset(
        self, seed: npt.NDArray[np.int64] | int, streams: npt.NDArray[np.int64], episodes: npt.NDArray[np.int64] | int = 0
    ) -> None:
        """Starts an episode of every row, the first of its stream unless `episodes` [N] numbers it."""
        self._world.state.seed[:] = seed
        self._world.state.stream[:] = streams
        self._world.state.episode[:] = episodes
        self._world.inputs.mask[:] = True
        self._workers.run(START)

    def reset_rows(self, rows: npt.ArrayLike) -> None:
        """Starts the next episodes of the rows where `rows` is True."""
        self._world.inputs.mask[:] = checked_rows(rows, self._num_envs)
        self._workers.run(START, episode_increment=1)

    def step(self, actions: npt.ArrayLike, hold_ended: bool = False) -> None:
        """Plays one agent step of every row; see `env.batch.BatchEnv.step`.

        Raises:
            InputError: an action is no integer in [0, 8), or a row's episode is over.
        """
        chosen, ready = as_array("actions", actions), self._world.state.ready
        # The compiled check is faster; the other one names what is wrong.
        if chosen.shape != ready.shape or chosen.dtype.kind not in "iu":
            checked_actions(chosen, ready, NUM_ACTIONS)
        np.copyto(self._world.inputs.actions, chosen, casting="same_kind")
        if self._check_actions(self._check_address, NUM_ACTIONS, hold_ended) >= 0:
            checked_actions(np.where(hold_ended & (ready == 0), 0, chosen), ready | hold_ended, NUM_ACTIONS)
        self._workers.run(STEP)

    def seek(self, episodes: Episodes) -> None:
        """Makes the next `reset_rows` start these episodes."""
        state, rows = self._world.state, episodes.rows
        state.seed[rows] = episodes.seeds[rows]
        state.stream[rows] = episodes.streams[rows]
        state.episode[rows] = episodes.numbers[rows] - 1

    def pictures(self, size: int) -> npt.NDArray[np.uint8]:
        """[N, size, size, 3] uint8: what every row sees now."""
        picture = allocate_picture(self._num_envs, size, ("rgb",), self.zeros)
        world = self._world._replace(picture=picture)
        # The pool knows the arrays' addresses only: this keeps them alive.
        buffers = [allocate_buffers(size)]
        pool = ThreadPool(1, _work(advance_kernel(world), world, buffers))
        pool.run(DRAW)
        pool.close()
        return picture.rgb

    def draw(self) -> None:
        """Draws what every row sees now."""
        self._workers.run(DRAW)

    def check(self) -> None:
        """Does nothing: `step` raises at once."""

    def close(self) -> None:
        """Ends the threads."""
        self._workers.close()


def _work(advance: Native, world: World, buffers: list[Buffers]) -> Work:
    """The kernel as a thread pool calls it; threads hold references to it, so that it must not refer to the runner."""
    packed = [pack_arguments(world), *(pack_arguments(own) for own in buffers)]
    address, *own = (array.ctypes.data for array in packed)

    def work(sync: int, thread: int, generation: int, operation: int, increment: int) -> int:
        return advance(address, own[thread], sync, thread, generation, operation, increment)

    # Addresses keep nothing alive.
    work.__dict__["packed"] = packed
    return work


def check_mazes(task: Task, pool: Pool) -> None:
    """Checks that the task can be played in all of its mazes.

    Raises:
        InputError: a cell that the task needs cannot be reached, or no spawn is far enough from a goal.
    """
    rows, cols = task.mazes[0].rows, task.mazes[0].cols
    needed = pool.spawn.copy()
    if task.fruit == "episode":
        needed |= pool.open
    for maze, squares in enumerate(pool.goal_squares):
        needed[maze, squares[: pool.goal_count[maze]]] = 1
        fruit = pool.fruit_squares[maze]
        needed[maze, fruit[fruit >= 0]] = 1
    buffers = [np.zeros((3, rows * cols), dtype=np.uint16) for _ in range(2)]
    check = MazeCheck(pool, needed, *buffers, np.full(1, -1, np.int64))
    packed = pack_arguments(check)
    fault = maze_checker(check)(packed.ctypes.data, rows, cols, task.spawn_distance, 0, len(task.mazes))
    if fault:
        square = int(check.found[0])
        where = f"task {task.name!r}, maze {(fault - 1) // 2}"
        row, col = rows - 1 - square // cols, square % cols
        if fault % 2:
            raise InputError(f"{where}: the task needs the cell in row {row}, column {col}, which cannot be reached")
        raise InputError(
            f"{where}: no spawn is {task.spawn_distance} cells of path or more from the goal in row {row}, column {col}"
        )
