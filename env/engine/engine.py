"""The embedded engine: a batch of worlds that move, reward and look as DeepMind Lab's do."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from env.batch import BatchEnv, Observation, Outcome, Privileged
from env.engine import host
from env.engine.crew import Crew
from env.engine.motion import cosines
from env.engine.pool import Pool, flip, pack
from env.engine.state import allocate_facts, allocate_state, rules_of
from env.task import NUM_ACTIONS, Task
from maze_gen.errors import InputError

Device = Literal["cpu", "cuda"]


class Engine(BatchEnv):
    """N worlds of one task, simulated and drawn by compiled code on the CPU or on a GPU.

    Attributes:
        goal_distance: [N, rows, cols] uint16, cells of path from every cell to the goal of the row's episode, 65535 where there
            is none. For oracles and analysis only.
    """

    def __init__(
        self,
        task: Task,
        num_envs: int,
        depth: bool = False,
        depth_target: bool = False,
        device: Device = "cpu",
        threads: int = 1,
        rgb: bool = True,
    ) -> None:
        """Packs the task's mazes and allocates everything that `step` will write.

        Args:
            task: the rules, and the mazes they are played in.
            num_envs: N, the number of worlds.
            depth: whether to observe `depth`.
            depth_target: whether to observe `depth_target`.
            device: where to compute, and where the arrays lie.
            threads: threads among which the rows are split; on the CPU only.
            rgb: without it no picture is drawn and `observation.rgb` is empty, [N, 0, 0, 3].

        Raises:
            InputError: the task's rules can't be kept in one of its mazes, or an argument is out of range.
        """
        if num_envs < 1:
            raise InputError(f"num_envs is {num_envs}, expected at least 1")
        if threads < 1:
            raise InputError(f"threads is {threads}, expected at least 1")
        if device not in ("cpu", "cuda"):
            raise InputError(f"device is {device!r}, expected 'cpu' or 'cuda'")
        self.task = task
        self.num_envs = num_envs
        self._kernels = host.kernels()
        self._pool = pack(task)
        self._check_mazes(self._pool)
        n, size = num_envs, task.observation_size
        rows, cols = task.mazes[0].rows, task.mazes[0].cols
        fruit = self._pool.fruit_places.shape[1]
        self._state = allocate_state(n, rows * cols, 1 + fruit, np.zeros)
        self._facts = facts = allocate_facts(n, fruit, np.zeros)
        self._rules = rules_of(task, cosines(), np.asarray)
        self._actions = np.zeros(n, dtype=np.int64)
        self._mask = np.zeros(n, dtype=np.bool_)
        self.observation = Observation(
            rgb=np.zeros((n, size, size, 3) if rgb else (n, 0, 0, 3), dtype=np.uint8),
            velocity=facts.velocity,
            depth=np.zeros((n, size, size), dtype=np.uint8) if depth else None,
            depth_target=np.zeros((n, 4, 16), dtype=np.float32) if depth_target else None,
        )
        self.outcome = Outcome(reward=facts.reward, truncated=facts.truncated, goals=facts.goals)
        self.privileged = Privileged(
            position=facts.position,
            heading=facts.heading,
            cell=facts.cell,
            goal_cell=facts.goal_cell,
            maze=self._state.maze,
            fruit_cells=facts.fruit_cells,
            seconds=facts.seconds,
        )
        self.goal_distance = self._state.distance.reshape(n, rows, cols)
        self._crew = Crew(n, min(threads, n))
        self._started = False
        self._closed = False

    def reset(self, seed: int, streams: npt.ArrayLike | None = None) -> Observation:
        self._refuse_closed("reset")
        if not 0 <= seed < 2**63:
            raise InputError(f"seed is {seed}, expected a whole number in [0, 2**63)")
        rows = np.arange(self.num_envs) if streams is None else np.asarray(streams)
        if rows.shape != (self.num_envs,) or rows.dtype.kind not in "iu":
            raise InputError(f"streams have shape {rows.shape} and type {rows.dtype}, expected {self.num_envs} integers")
        self._rules.seed[0] = seed
        self._state.stream[:] = rows.astype(np.uint64)
        self._state.episode[:] = 0
        self._mask[:] = True
        self._begin()
        self._started = True
        return self.observation

    def step(self, actions: npt.ArrayLike) -> Observation:
        self._refuse_closed("step")
        self._refuse_unstarted("step")
        chosen = np.asarray(actions)
        if chosen.shape != (self.num_envs,) or chosen.dtype.kind not in "iu":
            raise InputError(
                f"actions have shape {chosen.shape} and type {chosen.dtype}, expected {self.num_envs} integers in "
                f"[0, {NUM_ACTIONS})"
            )
        np.copyto(self._actions, chosen, casting="same_kind")
        row = self._kernels.check_actions(self._actions, self._state.ready, NUM_ACTIONS)
        if row >= 0:
            if not self._state.ready[row]:
                raise InputError(f"row {row}: its episode was truncated; call reset_rows before the next step")
            raise InputError(f"row {row}: action {chosen[row]} is out of range, expected [0, {NUM_ACTIONS})")
        self._crew.run(self._step_slice)
        return self.observation

    def reset_rows(self, rows: npt.ArrayLike) -> Observation:
        self._refuse_closed("reset_rows")
        self._refuse_unstarted("reset_rows")
        mask = np.asarray(rows)
        if mask.shape != (self.num_envs,) or mask.dtype != np.bool_:
            raise InputError(f"rows have shape {mask.shape} and type {mask.dtype}, expected {self.num_envs} booleans")
        self._mask[:] = mask
        self._state.episode[self._mask] += np.uint64(1)
        self._begin()
        return self.observation

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._crew.close()

    def _begin(self) -> None:
        self._crew.run(self._begin_slice)

    def _draw(self) -> None:
        """Draws what every row sees now."""

    def _begin_slice(self, first: int, last: int) -> None:
        self._kernels.begin(self._pool, self._state, self._rules, self._facts, self._mask, first, last)

    def _step_slice(self, first: int, last: int) -> None:
        self._kernels.step(self._pool, self._state, self._rules, self._facts, self._actions, first, last)

    def _refuse_closed(self, call: str) -> None:
        if self._closed:
            raise InputError(f"{call} after close: this batch of {self.task.name!r} is closed")

    def _refuse_unstarted(self, call: str) -> None:
        if not self._started:
            raise InputError(f"{call} before reset: call reset(seed) first")

    def _check_mazes(self, pool: Pool) -> None:
        task = self.task
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
            fault, place = self._kernels.check_maze(pool, needed, maze, rows, cols, task.spawn_distance, distance, queue)
            if fault:
                row, col = divmod(flip(place, rows, cols), cols)
                where = f"task {task.name!r}, maze {maze}: "
                if fault == 1:
                    raise InputError(
                        f"{where}the cell in row {row}, column {col} can't be reached from the goal, which the task needs"
                    )
                raise InputError(
                    f"{where}no spawn is {task.spawn_distance} cells of path or more from the goal in row {row}, column {col}"
                )
