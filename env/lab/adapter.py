"""DeepMind Lab behind the interface to a batch of worlds: the same mazes, rules, observations and seeds as the engine's.

What differs: items look as DeepMind Lab draws them; the camera bobs while the agent walks; after a respawn its clock slips by
some milliseconds, and for one to four frames it shows the agent at rest at the new start while it moves already.

Both wall geometries are played as they are: our level builds its walls itself. DeepMind Lab's own text levels know blocks only,
in which a thin maze of 5 x 10 cells takes 11 x 21 (`maze_gen.lab_level`); `--geometry block` makes either backend play those.

Tasks named `lab:LEVEL` play DeepMind Lab's released levels by their own scripts (`env.lab.released_levels`).
"""

import sys
from collections.abc import Collection, Iterable

import numpy as np
import numpy.typing as npt

from env.batch import Arrays, BatchEnv, Outcome, checked_rows
from env.lab.announcement import Announcement
from env.lab.depth_target import View
from env.lab.episode_plan import Plan, Planner, map_name, order_of, simulator_seed
from env.lab.released_levels import is_released, items_told, released_order
from env.lab.simulator import Episode, Simulator, SimulatorError, cache_folder, require_lab
from env.navigation import ACTION_FRAMES, FRAMES_PER_SECOND, GOAL, NUM_ACTIONS, STRAWBERRY, STRAWBERRY_FLAG
from env.task import Task
from maze_gen.errors import InputError

DEGREES_A_FRAME = 20 * 0.0066 * 16
"""What a look of 20 pixels turns."""
PICTURE_MULTIPLE = 4
"""DeepMind Lab draws pictures whose sides are multiples of this."""
ATTEMPTS = 3
"""A simulator that dies so often in a row without a step in between is given up."""
ANNOUNCE_SECONDS = 1.0


class LabBatch(BatchEnv):
    """N worlds of one task, a DeepMind Lab process each.

    Attributes:
        restarts: [N] int64, how often a row's process died and was started anew, at its episode's start.
    """

    def __init__(self, task: Task, num_envs: int, observe: Collection[str] = ("rgb", "velocity")) -> None:
        """Checks the task and allocates what `step` will write; processes start with `reset`.

        Args:
            task: the rules, and the mazes they are played in; or a released level (`env.lab.released_levels.released_task`).
            num_envs: N, the number of worlds.
            observe: names of the arrays that `observation` holds. `depth` is DeepMind Lab's own byte; `depth_target` is measured
                in the maze from where the simulator says the agent is.

        Raises:
            InputError: DeepMind Lab isn't installed, or the task's rules can't be kept in one of its mazes.
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
        self._view = View(task, n) if "depth_target" in self.observe else None
        self._cache = cache_folder()
        size = task.observation_size
        self._scale = next(scale for scale in range(1, 5) if size * scale % PICTURE_MULTIPLE == 0)
        fruit = self._planner.privileged["fruit_cells"].shape[1]
        made = {
            "rgb": np.zeros((n, size, size, 3), dtype=np.uint8),
            "velocity": np.zeros((n, 6), dtype=np.float32),
            "depth": np.zeros((n, size, size), dtype=np.uint8),
            "depth_target": self._view.target if self._view else None,
        }
        self.observation = {name: array for name, array in made.items() if name in self.observe and array is not None}
        self._velocity = made["velocity"]
        self.outcome = Outcome(
            reward=np.zeros(n, dtype=np.float32),
            terminated=np.zeros(n, dtype=np.bool_),
            truncated=np.zeros(n, dtype=np.bool_),
            statistics={name: np.zeros(n, dtype=np.int32) for name in self.spec.statistics},
        )
        self.privileged = {
            "position": np.zeros((n, 2), dtype=np.float32),
            "heading": np.zeros(n, dtype=np.float32),
            "cell": np.zeros(n, dtype=np.int32),
            "goal_cell": np.zeros(n, dtype=np.int32),
            "maze": np.zeros(n, dtype=np.int32),
            "fruit_cells": np.full((n, fruit), -1, dtype=np.int32),
            "seconds": np.zeros(n, dtype=np.float32),
        }
        self.restarts = np.zeros(n, dtype=np.int64)
        self._frames = np.zeros(n, dtype=np.int64)
        self._episode = np.zeros(n, dtype=np.int64)
        self._streams = np.zeros(n, dtype=np.int64)
        self._leaving = np.zeros(n, dtype=np.bool_)
        self._ready = np.zeros(n, dtype=np.bool_)
        self._failures = np.zeros(n, dtype=np.int64)
        self._playing: list[Simulator | None] = [None] * n
        self._following: list[tuple[Plan, Simulator] | None] = [None] * n
        self._plans: list[Plan] = []
        self._seed = 0
        self._started = False
        self._continues = False
        self._closed = False

    def reset(self, seed: int, streams: npt.ArrayLike | None = None) -> Arrays:
        self._refuse_closed("reset")
        self._planner.reset(seed, streams)
        self._end_all()
        self._seed = seed
        self._streams[:] = np.arange(self.num_envs) if streams is None else np.asarray(streams)
        self._episode[:] = 0
        self._failures[:] = 0
        self._plans = [self._planner.plan(row) for row in range(self.num_envs)]
        if self._view:
            self._view.reset(seed, self._streams)
        self._started = True
        self._begin(range(self.num_envs))
        return self.observation

    def reset_rows(self, rows: npt.ArrayLike) -> Arrays:
        self._refuse_closed("reset_rows")
        self._refuse_unstarted("reset_rows")
        self._continues = True
        mask = checked_rows(rows, self.num_envs)
        planned = np.array([following is not None for following in self._following])
        self._planner.reset_rows(mask & ~planned)
        if self._view:
            self._view.reset_rows(mask)
        for row in np.flatnonzero(mask).tolist():
            _close(self._playing[row])
            following = self._following[row]
            self._plans[row], self._playing[row] = following or (self._planner.plan(row), None)
            self._following[row] = None
        self._episode[mask] += 1
        self._failures[mask] = 0
        self._begin(np.flatnonzero(mask).tolist())
        return self.observation

    def step(self, actions: npt.ArrayLike) -> Arrays:
        self._refuse_closed("step")
        self._refuse_unstarted("step")
        chosen = self._check_actions(actions)
        task = self.task
        frames = np.minimum(task.action_repeat, self._episode_frames - self._frames)
        for row, simulator in enumerate(self._simulators()):
            look, move, strafe = ACTION_FRAMES[chosen[row]]
            simulator.ask(look, strafe, move, int(frames[row]))
        restarted = [row for row in range(self.num_envs) if not self._finish_step(row, int(chosen[row]))]
        if restarted:
            self._begin(restarted)
        if self._view:
            self._view.measure(self.privileged["position"], self.privileged["heading"])
        self._prepare_following()
        return self.observation

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._end_all()
            self._planner.close()
            if self._view:
                self._view.close()

    @property
    def _episode_frames(self) -> int:
        return self.task.episode_seconds * FRAMES_PER_SECOND

    def _check_actions(self, actions: npt.ArrayLike) -> npt.NDArray[np.int64]:
        chosen = np.asarray(actions)
        if chosen.shape != (self.num_envs,) or chosen.dtype.kind not in "iu":
            raise InputError(
                f"actions have shape {chosen.shape} and type {chosen.dtype}, expected {self.num_envs} integers in "
                f"[0, {NUM_ACTIONS})"
            )
        for row, action in enumerate(chosen.tolist()):
            if not 0 <= action < NUM_ACTIONS:
                raise InputError(f"action {action} of row {row}: expected an integer in [0, {NUM_ACTIONS})")
            if not self._ready[row]:
                raise InputError(f"step of row {row} past its episode's end: call reset_rows first")
        return chosen.astype(np.int64)

    def _simulators(self) -> list[Simulator]:
        return [simulator for simulator in self._playing if simulator is not None]

    def _simulator(self, row: int) -> Simulator:
        simulator = self._playing[row]
        assert simulator is not None
        return simulator

    def _order(self, row: int, plan: Plan, episode: int) -> Episode:
        size = self.task.observation_size * self._scale
        if self._released:
            return released_order(self.task, simulator_seed(self._seed, self._streams[row], episode), size, self._cache)
        return order_of(self.task, plan, size, self._cache)

    def _begin(self, rows: Iterable[int]) -> None:
        """Starts the episodes that are planned for these rows, and observes them."""
        waiting = list(rows)
        compiling = Announcement(self.task.name)
        while waiting:
            started, later, names = [], [], set()
            for row in waiting:
                if self._playing[row] is None:
                    name = self._uncompiled(row)
                    # One of the rows that play a maze compiles its map; the others wait for that.
                    if name is not None and name in names:
                        later.append(row)
                        continue
                    if name is not None:
                        names.add(name)
                    self._playing[row] = Simulator(self._order(row, self._plans[row], int(self._episode[row])))
                started.append(row)
            compiling.add(len(names))
            died = []
            for row in started:
                try:
                    while not self._simulator(row).wait(ANNOUNCE_SECONDS):
                        compiling.tell()
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
        self._playing[row] = None
        self._failures[row] += 1
        if self._failures[row] >= ATTEMPTS:
            self.close()
            raise InputError(f"environment {row}: {death}; given up after {ATTEMPTS} attempts") from death
        self.restarts[row] += 1
        print(
            f"lab: environment {row} starts its episode anew (restart {self.restarts[row]} of that environment): {death}",
            file=sys.stderr,
            flush=True,
        )

    def _observe_start(self, row: int) -> None:
        self._frames[row] = 0
        self._leaving[row] = False
        self._ready[row] = True
        self.outcome.reward[row] = 0
        for counted in self.outcome.statistics.values():
            counted[row] = 0
        self.outcome.truncated[row] = False
        self.privileged["maze"][row] = self._plans[row].maze
        self.privileged["goal_cell"][row] = self._plans[row].goal_cell
        self._observe(row)
        if self._released:
            goals = [cell for kind, cell in self._items_seen(row) if kind == GOAL]
            self.privileged["goal_cell"][row] = goals[0] if goals else -1
        self._velocity[row, 3:] = 0

    def _finish_step(self, row: int, action: int) -> bool:
        """Waits for a row's step and tells what it led to; False if the process died and the episode starts anew."""
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
        # The goal's score comes in one frame, and the next one, here or in the next step, puts the agent elsewhere.
        goal_frame = int(shared.goal_frame[0])
        moved_away = int(self._leaving[row]) + (0 <= goal_frame < frames - 1)
        self._leaving[row] = goal_frame == frames - 1 and frames > 0
        self.outcome.statistics["respawns"][row] = moved_away
        before = float(self.privileged["heading"][row])
        self._observe(row)
        if moved_away:
            turn = -np.sign(ACTION_FRAMES[action][0]) * DEGREES_A_FRAME * (frames - moved_away)
        else:
            turn = (float(self.privileged["heading"][row]) - before + 180.0) % 360.0 - 180.0
        self._velocity[row, 3:] = 0, turn * FRAMES_PER_SECOND / frames, 0
        return True

    def _observe(self, row: int) -> None:
        """Writes what the row's process saw last."""
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
        facts["seconds"][row] = self._frames[row] / FRAMES_PER_SECOND
        facts["fruit_cells"][row] = -1
        fruit = [(kind, cell) for kind, cell in self._items_seen(row) if kind != GOAL][: facts["fruit_cells"].shape[1]]
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

    def _items_seen(self, row: int) -> list[tuple[int, int]]:
        """(kind, cell) of what can be picked up now."""
        note, plan = self._simulator(row).shared.text(), self._plans[row]
        if self._released:
            return items_told(note, self.task.mazes[0])
        return [item for item, taken in zip(plan.items, note, strict=True) if taken == "0"]

    def _prepare_following(self) -> None:
        """Starts the processes of the next episodes when half of an episode is over: they need a second to be ready."""
        # Who never went on to a next episode, as in an evaluation, may not want one.
        if not self._continues:
            return
        due = (self._frames * 2 >= self._episode_frames) & np.array([following is None for following in self._following])
        if not due.any():
            return
        self._planner.reset_rows(due)
        for row in np.flatnonzero(due).tolist():
            plan = self._planner.plan(row)
            self._following[row] = plan, Simulator(self._order(row, plan, int(self._episode[row]) + 1))

    def _end_all(self) -> None:
        for row in range(self.num_envs):
            _close(self._playing[row])
            following = self._following[row]
            _close(following[1] if following else None)
            self._playing[row] = self._following[row] = None
        self._ready[:] = False

    def _refuse_closed(self, call: str) -> None:
        if self._closed:
            raise InputError(f"{call} after close: this batch of {self.task.name!r} is closed")

    def _refuse_unstarted(self, call: str) -> None:
        if not self._started:
            raise InputError(f"{call} before reset: call reset(seed) first")


def _close(simulator: Simulator | None) -> None:
    if simulator is not None:
        simulator.close()
