"""DeepMind Lab behind the interface to a batch of worlds: the same mazes, rules, observations and seeds as the engine's.

Differences: items have DeepMind Lab's own models; the camera bobs while the agent walks; after a respawn its clock slips by some
milliseconds, and for one to four frames it shows the agent at rest at the new start although it moves already.

Both wall geometries are supported, because our level builds its walls itself. DeepMind Lab's own text levels consist of blocks,
so that a thin maze of 5 x 10 cells takes 11 x 21 of them (`maze_gen.lab_level`); `--geometry block` makes either backend play
those.

Tasks named `lab:LEVEL` play DeepMind Lab's released levels by their own scripts (`env.lab.released_levels`).
"""

import sys
from collections.abc import Collection, Iterable

import numpy as np
import numpy.typing as npt

from env.batch import Arrays, BatchEnv, Outcome, as_array, checked_actions, checked_rows
from env.engine.motion import DEGREES_PER_PIXEL
from env.lab.depth_target import DepthTarget
from env.lab.episode_plan import EpisodePlan, Planner, episode_of, map_name, simulator_seed
from env.lab.released_levels import is_released, parse_items, released_episode
from env.lab.simulator import CompileProgress, Episode, Simulator, SimulatorError, cache_folder, require_lab
from env.navigation import ACTION_FRAMES, FRAMES_PER_SECOND, GOAL, NUM_ACTIONS, STRAWBERRY, STRAWBERRY_FLAG
from env.task import Task
from maze_gen.console import say
from maze_gen.errors import InputError
from maze_gen.paths import distances, next_cells

PICTURE_MULTIPLE = 4
"""Heights and widths of DeepMind Lab's pictures are multiples of this."""
ATTEMPTS = 3
"""Deaths of a simulator in a row, without a step in between, after which the batch gives up."""
PROGRESS_SECONDS = 1.0


class LabBatch(BatchEnv):
    """N worlds of one task, each a DeepMind Lab process.

    Attributes:
        restarts: [N] int64, how often a row's process died and was restarted at its episode's start.
    """

    def __init__(self, task: Task, num_envs: int, observe: Collection[str] = ("rgb", "velocity")) -> None:
        """Checks the task and allocates the arrays; processes start with `reset`.

        Args:
            task: the rules, and the mazes they are played in; or a released level (`env.lab.released_levels.released_task`).
            num_envs: N, the number of worlds.
            observe: names of the arrays that `observation` holds. `depth` is DeepMind Lab's own byte; `depth_target` is measured
                in the maze, from the position that the simulator reports.

        Raises:
            InputError: DeepMind Lab is not installed, or the task's rules cannot be kept in one of its mazes.
        """
        if num_envs < 1:
            raise InputError(f"num_envs is {num_envs}, expected at least 1")
        require_lab()
        self.task = task
        self.spec = task.spec()
        self.observe = frozenset(self.spec.observed(observe))
        self.num_envs = n = num_envs
        self._released = is_released(task)
        self._planner = Planner(task, n, observe=())
        self._depth_target = DepthTarget(task, n) if "depth_target" in self.observe else None
        self._cache = cache_folder()
        size = task.observation_size
        self._scale = next(scale for scale in range(1, 5) if size * scale % PICTURE_MULTIPLE == 0)
        made = {
            "rgb": np.zeros((n, size, size, 3), dtype=np.uint8),
            "velocity": np.zeros((n, 6), dtype=np.float32),
            "depth": np.zeros((n, size, size), dtype=np.uint8),
            "depth_target": self._depth_target.array if self._depth_target else None,
        }
        self.observation = {name: array for name, array in made.items() if name in self.observe and array is not None}
        self._velocity = made["velocity"]
        self.outcome = Outcome(
            reward=np.zeros(n, dtype=np.float32),
            terminated=np.zeros(n, dtype=np.bool_),
            truncated=np.zeros(n, dtype=np.bool_),
            statistics={name: np.zeros(n, dtype=np.int32) for name in self.spec.statistics},
        )
        self.privileged = {name: np.zeros((n, *array.shape), dtype=array.dtype) for name, array in self.spec.privileged.items()}
        self.restarts = np.zeros(n, dtype=np.int64)
        self._distances: list[npt.NDArray[np.int32] | None] = [None] * n
        self._next_cells: list[npt.NDArray[np.int32] | None] = [None] * n
        self._frames = np.zeros(n, dtype=np.int64)
        self._episode = np.zeros(n, dtype=np.int64)
        self._streams = np.zeros(n, dtype=np.int64)
        self._respawn_pending = np.zeros(n, dtype=np.bool_)
        self._ready = np.zeros(n, dtype=np.bool_)
        self._failures = np.zeros(n, dtype=np.int64)
        self._current: list[Simulator | None] = [None] * n
        self._next: list[tuple[EpisodePlan, Simulator] | None] = [None] * n
        self._plans: list[EpisodePlan] = []
        self._seed = 0
        self._started = False
        self._resets_rows = False
        self._closed = False

    def reset(self, seed: int, streams: npt.ArrayLike | None = None) -> Arrays:
        self._refuse_closed("reset")
        self._planner.reset(seed, streams)
        self._end_all()
        self._seed = seed
        self._streams[:] = np.arange(self.num_envs) if streams is None else as_array("streams", streams)
        self._episode[:] = 0
        self._failures[:] = 0
        self._plans = [self._planner.plan(row) for row in range(self.num_envs)]
        if self._depth_target:
            self._depth_target.reset(seed, self._streams)
        self._started = True
        self._start(range(self.num_envs))
        return self.observation

    def reset_rows(self, rows: npt.ArrayLike) -> Arrays:
        self._refuse_closed("reset_rows")
        self._refuse_unstarted("reset_rows")
        self._resets_rows = True
        mask = checked_rows(rows, self.num_envs)
        planned = np.array([prepared is not None for prepared in self._next])
        self._planner.reset_rows(mask & ~planned)
        if self._depth_target:
            self._depth_target.reset_rows(mask)
        for row in np.flatnonzero(mask).tolist():
            _close(self._current[row])
            self._plans[row], self._current[row] = self._next[row] or (self._planner.plan(row), None)
            self._next[row] = None
        self._episode[mask] += 1
        self._failures[mask] = 0
        self._start(np.flatnonzero(mask).tolist())
        return self.observation

    def step(self, actions: npt.ArrayLike, hold_ended: bool = False) -> Arrays:
        self._refuse_closed("step")
        self._refuse_unstarted("step")
        held = ~self._ready & hold_ended
        chosen = checked_actions(np.where(held, 0, actions) if held.any() else actions, self._ready | held, NUM_ACTIONS)
        task = self.task
        frames = np.minimum(task.action_repeat, self._episode_frames - self._frames)
        rows = np.flatnonzero(~held).tolist()
        for row in rows:
            look, move, strafe = ACTION_FRAMES[chosen[row]]
            self._simulator(row).request_step(look, strafe, move, int(frames[row]))
        restarted = [row for row in rows if not self._finish_step(row, int(chosen[row]))]
        if restarted:
            self._start(restarted)
        if self._depth_target:
            self._depth_target.measure(self.privileged["position"], self.privileged["heading"])
        self._prepare_next()
        return self.observation

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._end_all()
            self._planner.close()
            if self._depth_target:
                self._depth_target.close()

    def __getstate__(self) -> None:
        raise InputError(f"the batch of {self.task.name!r} runs DeepMind Lab's processes, which cannot be copied")

    @property
    def _episode_frames(self) -> int:
        return self.task.episode_seconds * FRAMES_PER_SECOND

    def _simulator(self, row: int) -> Simulator:
        simulator = self._current[row]
        assert simulator is not None
        return simulator

    def _episode_of(self, row: int, plan: EpisodePlan, episode: int) -> Episode:
        size = self.task.observation_size * self._scale
        if self._released:
            return released_episode(self.task, simulator_seed(self._seed, self._streams[row], episode), size, self._cache)
        return episode_of(self.task, plan, size, self._cache)

    def _start(self, rows: Iterable[int]) -> None:
        """Starts the episodes that are planned for these rows, and observes them."""
        waiting = list(rows)
        compiling = CompileProgress(self.task.name)
        while waiting:
            started, later, names = [], [], set()
            for row in waiting:
                if self._current[row] is None:
                    name = self._uncompiled(row)
                    # Of several rows that play the same maze one compiles its map, and the others wait.
                    if name is not None and name in names:
                        later.append(row)
                        continue
                    if name is not None:
                        names.add(name)
                    self._current[row] = Simulator(self._episode_of(row, self._plans[row], int(self._episode[row])))
                started.append(row)
            compiling.add(len(names))
            died = []
            for row in started:
                try:
                    while not self._simulator(row).wait(PROGRESS_SECONDS):
                        compiling.report()
                except SimulatorError as death:
                    self._give_up_or_restart(row, death)
                    died.append(row)
                else:
                    self._observe_start(row)
            waiting = died + later
        compiling.end()

    def _uncompiled(self, row: int) -> str | None:
        """The name of the map that has to be compiled first, if any."""
        if self._released:
            return None
        name = map_name(self.task.mazes[self._plans[row].maze])
        return None if any(self._cache.glob(f"{name}_*.pk3")) else name

    def _give_up_or_restart(self, row: int, death: SimulatorError) -> None:
        self._current[row] = None
        self._failures[row] += 1
        if self._failures[row] >= ATTEMPTS:
            self.close()
            raise InputError(f"environment {row}: {death}; given up after {ATTEMPTS} attempts") from death
        self.restarts[row] += 1
        say(
            f"lab: environment {row} restarts its episode (restart {self.restarts[row]} of that environment): {death}",
            file=sys.stderr,
        )

    def _observe_start(self, row: int) -> None:
        self._frames[row] = 0
        self._respawn_pending[row] = False
        self._ready[row] = True
        self.outcome.reward[row] = 0
        for counted in self.outcome.statistics.values():
            counted[row] = 0
        self.outcome.truncated[row] = False
        self.privileged["maze"][row] = self._plans[row].maze
        self.privileged["goal_cell"][row] = self._plans[row].goal_cell
        self._observe(row)
        if self._released:
            goals = [cell for kind, cell in self._items_present(row) if kind == GOAL]
            self.privileged["goal_cell"][row] = goals[0] if goals else -1
        goal = int(self.privileged["goal_cell"][row])
        maze = self.task.mazes[self._plans[row].maze]
        self._distances[row] = distances(maze, divmod(goal, maze.cols)) if goal >= 0 else None
        self._next_cells[row] = next_cells(maze, divmod(goal, maze.cols)) if goal >= 0 else None
        self._measure_path(row)
        self._velocity[row, 3:] = 0

    def _finish_step(self, row: int, action: int) -> bool:
        """Waits for a row's step and writes its outcome; False if the process died, so that the episode must restart."""
        simulator = self._simulator(row)
        try:
            simulator.wait()
        except SimulatorError as death:
            self._give_up_or_restart(row, death)
            return False
        self._failures[row] = 0
        shared, rewards = simulator.shared, self.task.rewards
        frames = int(shared.frames[0])
        self._frames[row] += frames
        ended = self._frames[row] >= self._episode_frames or not shared.running[0]
        self._ready[row] = not ended
        self.outcome.truncated[row] = ended
        self.outcome.statistics["goals"][row] = shared.given[2]
        self.outcome.reward[row] = shared.given @ np.array([rewards.apple, rewards.strawberry, rewards.goal])
        # The goal's score comes in one frame, and the agent respawns in the following one, in this step or the next.
        goal_frame = int(shared.goal_frame[0])
        respawns = int(self._respawn_pending[row]) + (0 <= goal_frame < frames - 1)
        self._respawn_pending[row] = goal_frame == frames - 1 and frames > 0
        self.outcome.statistics["respawns"][row] = respawns
        before = float(self.privileged["heading"][row])
        self._observe(row)
        if respawns:
            turn = -ACTION_FRAMES[action][0] * DEGREES_PER_PIXEL * (frames - respawns)
        else:
            turn = (float(self.privileged["heading"][row]) - before + 180.0) % 360.0 - 180.0
        self._velocity[row, 3:] = 0, turn * FRAMES_PER_SECOND / frames, 0
        return True

    def _observe(self, row: int) -> None:
        """Copies the last observation of the row's process."""
        shared, facts, size = self._simulator(row).shared, self.privileged, self.task.observation_size
        if self._scale == 1:
            picture = shared.rgbd
        else:
            parts = shared.rgbd.reshape(size, self._scale, size, self._scale, 4)
            picture = np.rint(parts.mean(axis=(1, 3))).astype(np.uint8)
        if "rgb" in self.observe:
            self.observation["rgb"][row] = picture[..., :3]
        if "depth" in self.observe:
            self.observation["depth"][row] = picture[..., 3]
        (x, y, _), (_, yaw, _), velocity = shared.pose
        facts["position"][row] = x, y
        facts["heading"][row] = yaw % 360.0
        maze = self.task.mazes[self._plans[row].maze]
        cell_row, cell_col = maze.cell_at(x, y)
        facts["cell"][row] = cell_row * maze.cols + cell_col
        self._measure_path(row)
        facts["seconds"][row] = self._frames[row] / FRAMES_PER_SECOND
        facts["fruit_cells"][row] = -1
        fruit = [(kind, cell) for kind, cell in self._items_present(row) if kind != GOAL][: facts["fruit_cells"].shape[1]]
        for index, (kind, cell) in enumerate(fruit):
            facts["fruit_cells"][row, index] = cell | (STRAWBERRY_FLAG if kind == STRAWBERRY else 0)
        if self._released:
            self._velocity[row, :3] = velocity
            return
        cos, sin = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
        self._velocity[row, :3] = (
            velocity[0] * cos + velocity[1] * sin,
            velocity[1] * cos - velocity[0] * sin,
            velocity[2],
        )

    def _measure_path(self, row: int) -> None:
        """Writes length and next cell of the path from the row's cell to its goal; -1 where the goal isn't known."""
        for name, fields in (("goal_distance", self._distances), ("next_cell", self._next_cells)):
            field = fields[row]
            self.privileged[name][row] = -1 if field is None else field.flat[self.privileged["cell"][row]]

    def _items_present(self, row: int) -> list[tuple[int, int]]:
        """(kind, cell) of the items that can be picked up now."""
        listed, plan = self._simulator(row).shared.property_text(), self._plans[row]
        if self._released:
            return parse_items(listed, self.task.mazes[0])
        return [item for item, taken in zip(plan.items, listed, strict=True) if taken == "0"]

    def _prepare_next(self) -> None:
        """Starts the processes of the next episodes when half of an episode is over: they take a second to start."""
        # A caller that has never reset rows, as in an evaluation, may need no next episodes.
        if not self._resets_rows:
            return
        due = (self._frames * 2 >= self._episode_frames) & np.array([prepared is None for prepared in self._next])
        if not due.any():
            return
        self._planner.reset_rows(due)
        for row in np.flatnonzero(due).tolist():
            plan = self._planner.plan(row)
            self._next[row] = plan, Simulator(self._episode_of(row, plan, int(self._episode[row]) + 1))

    def _end_all(self) -> None:
        for row in range(self.num_envs):
            _close(self._current[row])
            prepared = self._next[row]
            _close(prepared[1] if prepared else None)
            self._current[row] = self._next[row] = None
        self._ready[:] = False


def _close(simulator: Simulator | None) -> None:
    if simulator is not None:
        simulator.close()
