"""The engine on the CPU: kernels that loop over rows around the device functions, and the threads that run them."""

import functools
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from env.engine import rules
from env.engine.compile import cpu, cpu_kernel
from env.engine.crew import Crew
from env.engine.pool import Pool
from env.engine.state import World
from env.task import NUM_ACTIONS, Task
from maze_gen.errors import InputError

_NO_TURN = np.float32(0.0)


@functools.cache
def kernels() -> SimpleNamespace:
    """The compiled kernels; each works on rows [first, last) of its arrays."""
    play = rules.build(cpu)
    begin_row, step_row, tell, flood = play.begin, play.step, play.tell, play.flood
    tick, frame, face, heading_after = play.tick, play.frame, play.face, play.heading_after

    def begin(pool, state, shared, facts, mask, episodes_on, first, last):
        """Starts episodes of the rows where `mask` is True: the one `episodes_on` after the last."""
        for row in range(first, last):
            if mask[row]:
                begin_row(pool, state, shared, row, episodes_on)
                tell(state, shared, facts, row, 0)

    def step(pool, state, shared, facts, actions, first, last):
        """Plays one agent step of every row."""
        for row in range(first, last):
            frames = step_row(pool, state, shared, facts, row, actions[row])
            tell(state, shared, facts, row, frames)

    def play_frames(pool, state, shared, facts, orders, first, last):
        """Plays one frame of every row, as `env.engine.frames.Orders` says, and writes how long it took by the row's clock."""
        for row in range(first, last):
            duration = tick(state.clock, row)
            facts.reward[row] = 0
            orders.own_duration[row] = duration
            if orders.duration[row] > 0:
                duration = orders.duration[row]
            degrees = orders.degrees[row]
            if orders.heading[row] >= 0:
                face(state, row, heading_after(state, row, degrees), orders.heading[row])
            state.turned[row] = 0
            given = frame(pool, state, shared, row, degrees, orders.move[row], orders.strafe[row], duration)
            facts.reward[row] = shared.reward[given]
            tell(state, shared, facts, row, 1)

    def place(state, shared, facts, heading, first, last):
        """Makes every row look to `heading`, int32 [N] in 1/65536 turns, and tells where it is."""
        for row in range(first, last):
            face(state, row, heading_after(state, row, _NO_TURN), heading[row])
            state.heading[row] = heading[row]
            state.turned[row] = 0
            tell(state, shared, facts, row, 1)

    def check_actions(actions, ready, choices):
        """The first row whose action is out of range or whose episode is over; -1 where there is none."""
        for row in range(actions.shape[0]):
            if actions[row] < 0 or actions[row] >= choices or ready[row] == 0:
                return row
        return -1

    def check_maze(pool, needed, maze, rows, cols, spawn_distance, distance, queue):
        """Whether the task can be played in a maze.

        Returns:
            (0, -1) if so; (1, place) for a needed place that can't be reached; (2, goal) for a goal that every spawn is too
            near to. `needed` is uint8 [M, R*C], `distance` and `queue` are working space of one row.
        """
        for candidate in range(pool.goal_count[maze]):
            goal = int(pool.goal_places[maze, candidate])
            flood(pool.faces, maze, rows, cols, goal, distance, queue, 0)
            far = False
            for place in range(rows * cols):
                reached = int(distance[0, (rows - 1 - place // cols) * cols + place % cols])
                if needed[maze, place] != 0 and reached == 65535:
                    return 1, place
                if pool.spawn[maze, place] != 0 and reached != 65535 and reached >= spawn_distance:
                    far = True
            if not far:
                return 2, goal
        return 0, -1

    return SimpleNamespace(
        begin=cpu_kernel(begin),
        step=cpu_kernel(step),
        play_frames=cpu_kernel(play_frames),
        place=cpu_kernel(place),
        check_actions=cpu_kernel(check_actions),
        check_maze=cpu_kernel(check_maze),
    )


class HostRunner:
    """Runs the kernels on the CPU, the rows split among threads; all arrays are NumPy's."""

    def __init__(self, num_envs: int, threads: int) -> None:
        self._kernels = kernels()
        self._actions = np.zeros(num_envs, dtype=np.int64)
        self._mask = np.zeros(num_envs, dtype=np.bool_)
        self._crew = Crew(num_envs, min(threads, num_envs))
        self._episodes_on = 0

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

    def reset(self, seed: int, streams: npt.NDArray[np.int64]) -> None:
        """Starts episode 0 of every row."""
        self._world.rules.seed[0] = seed
        self._world.state.stream[:] = streams
        self._world.state.episode[:] = 0
        self._mask[:] = True
        self._episodes_on = 0
        self._crew.run(self._begin)

    def reset_rows(self, rows: npt.ArrayLike) -> None:
        """Starts the next episodes of the rows where `rows` is True."""
        mask = np.asarray(rows)
        if mask.shape != self._mask.shape or mask.dtype != np.bool_:
            raise InputError(f"rows have shape {mask.shape} and type {mask.dtype}, expected {len(self._mask)} booleans")
        self._mask[:] = mask
        self._episodes_on = 1
        self._crew.run(self._begin)

    def step(self, actions: npt.ArrayLike) -> None:
        """Plays one agent step of every row.

        Raises:
            InputError: an action is no integer in [0, 8), or a row's episode is over.
        """
        chosen = np.asarray(actions)
        if chosen.shape != self._actions.shape or chosen.dtype.kind not in "iu":
            raise InputError(
                f"actions have shape {chosen.shape} and type {chosen.dtype}, expected {len(self._actions)} integers in "
                f"[0, {NUM_ACTIONS})"
            )
        np.copyto(self._actions, chosen, casting="same_kind")
        ready = self._world.state.ready
        row = self._kernels.check_actions(self._actions, ready, NUM_ACTIONS)
        if row >= 0:
            if not ready[row]:
                raise InputError(f"row {row}: its episode was truncated; call reset_rows before the next step")
            raise InputError(f"row {row}: action {chosen[row]} is out of range, expected [0, {NUM_ACTIONS})")
        self._crew.run(self._step)

    def draw(self) -> None:
        """Draws what every row sees now."""

    def close(self) -> None:
        """Ends the threads."""
        self._crew.close()

    def _begin(self, first: int, last: int) -> None:
        world = self._world
        self._kernels.begin(world.pool, world.state, world.rules, world.facts, self._mask, self._episodes_on, first, last)

    def _step(self, first: int, last: int) -> None:
        world = self._world
        self._kernels.step(world.pool, world.state, world.rules, world.facts, self._actions, first, last)


def check_mazes(task: Task, pool: Pool) -> None:
    """Raises InputError where the task's rules can't be kept in one of its mazes: see `env.engine.pool.pack`."""
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
        fault, place = kernels().check_maze(pool, needed, maze, rows, cols, task.spawn_distance, distance, queue)
        if fault:
            where = f"task {task.name!r}, maze {maze}"
            row, col = rows - 1 - place // cols, place % cols
            if fault == 1:
                raise InputError(f"{where}: the task needs the cell in row {row}, column {col}, which can't be reached")
            raise InputError(
                f"{where}: no spawn is {task.spawn_distance} cells of path or more from the goal in row {row}, column {col}"
            )
