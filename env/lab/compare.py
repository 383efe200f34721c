"""Plays the same episodes in DeepMind Lab and in the engine, frame by frame, and measures their differences.

`python -m env.lab.compare` prints one JSON line for each maze and one for all. Mazes come from the generator; actions are
random, or an oracle's in part (`--guided`), and repeated as an agent's are; both start from the same seed. The comparison:

* Poses. Up to the first respawn the engine predicts every frame with its own clock. Then DeepMind Lab's clock slips: headings are
  taken from it, and a frame's duration is the one in `DURATIONS` that explains its motion best. While it still shows the new
  start (1 to 4 frames at each respawn) nothing is compared; then the engine takes position and velocity from it.
* Rewards, in the same frame. Only fruit in the cell of a respawn is rewarded in the frame of the respawn or up to two later, in
no
  fixed order: the frames around a respawn are compared as a sum.
* Depth, every `DEPTH_EVERY` frames: the fraction of bytes within 1. Columns near an item are excluded, since items look
different,
  and in mazes with a ceiling the far plane is fitted, one number for each picture.
"""

import json
import time
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from env.engine import oracle
from env.engine.frame_engine import FrameEngine
from env.engine.motion import FULL_TURN
from env.engine.render.depth import depth_byte
from env.lab.adapter import LabBatch
from env.lab.episode_plan import EpisodePlan, Planner, episode_of
from env.lab.simulator import Simulator, cache_folder, require_lab
from env.navigation import ACTION_FRAMES, FRAMES_PER_SECOND, NUM_ACTIONS
from env.recorded_depth import FAR_PLANES
from env.recording import headings, world_velocity
from env.task import MOST, Task
from maze_gen.cli import parse_options
from maze_gen.console import say
from maze_gen.errors import InputError, one_line_errors
from maze_gen.generator import GeneratorConfig
from maze_gen.splits import mazes_of_split

DURATIONS = tuple(range(10, 22))
"""Candidates for the duration in milliseconds of a frame after a respawn."""
STANDING = 25.125
"""Height of an agent on the floor in units; while the simulator shows a new start it is higher."""
DEPTH_EVERY = 30
ITEM_HALF_WIDTH = 30.0
"""Largest extent of an item's model from its centre in units, in either backend."""
POSITION_LIMIT = 0.01
DEPTH_LIMIT = 0.99
SETTLING = 4
"""Frames after a start in which the simulator's camera still descends from the height at which agents spawn."""
FRUIT_LATE = 2
"""Frames after a respawn until which fruit there may be rewarded."""
LEAP = 1.0
"""An error of this many units after a respawn is one of DeepMind Lab's leaps, which are counted; the engine takes its
position."""


@dataclass(frozen=True)
class Options:
    """Compares DeepMind Lab with the engine, frame by frame; exits with 1 where a limit is exceeded."""

    mazes: int = 10
    """Number of generated mazes."""
    geometry: Literal["thin", "block", "both"] = "both"
    """Wall geometry; `both` alternates."""
    rows: int = 5
    """Rows of the thin layout; a block maze has 2 rows + 1."""
    cols: int = 10
    """Columns of the thin layout."""
    seconds: int = 60
    """Game time played in each maze."""
    guided: float = 0.0
    """Fraction of the actions that an oracle chooses, so that goals are reached; the others are random."""
    seed: int = 0
    """Of mazes, episodes and actions."""
    speed_steps: int = 1000
    """Agent steps of each measurement of speed, with 1 and with 2 processes; 0 measures none."""


@dataclass
class Agreement:
    """Figures of a comparison; errors are maxima, in units and in 1/65536 turns."""

    frames: int = 0
    compared: int = 0
    goals: int = 0
    fruit: int = 0
    position_error: float = 0.0
    position_error_after_respawn: float = 0.0
    heading_error: int = 0
    velocity_error: float = 0.0
    reward_mismatches: int = 0
    leaps: int = 0
    depth_bytes: int = 0
    depth_within_1: int = 0

    def good(self) -> bool:
        """Whether all figures are within the limits."""
        return (
            max(self.position_error, self.position_error_after_respawn) <= POSITION_LIMIT
            and self.heading_error == 0
            and self.reward_mismatches == 0
            and self.depth_within_1 >= DEPTH_LIMIT * self.depth_bytes
        )

    def line(self) -> dict[str, Any]:
        """The figures of a JSON line."""
        fraction = self.depth_within_1 / self.depth_bytes if self.depth_bytes else None
        return {**vars(self), "depth_within_1": fraction, "good": self.good()}

    def add(self, other: "Agreement") -> None:
        """Adds the figures of another comparison."""
        for name, value in vars(other).items():
            mine = getattr(self, name)
            setattr(self, name, max(mine, value) if "error" in name else mine + value)


class Comparison:
    """One episode in both backends."""

    def __init__(self, task: Task, seed: int, stream: int, guided: float = 0.0) -> None:
        """Starts the episode in DeepMind Lab and in the engine; `guided` is the fraction of actions that the oracle chooses."""
        self._task = task
        self._guided = guided
        streams = np.array([stream])
        self._engine = FrameEngine(task, 1, observe={"velocity"})
        self._engine.reset(seed, streams)
        # Finds the duration of a frame: one row for each candidate, without a goal.
        self._trial = FrameEngine(task, len(DURATIONS), observe={"velocity"})
        self._trial.reset(seed, np.full(len(DURATIONS), stream))
        self._trial.remove_goals()
        with Planner(task, 1, observe={"velocity"}) as planner:
            planner.reset(seed, streams)
            self._plan: EpisodePlan = planner.plan(0)
        maze = task.mazes[0]
        self._goal = np.array([maze.center(divmod(self._plan.goal_cell, maze.cols))], dtype=np.float32)
        self._walls = oracle.walls_of(maze)[None]
        self._field = oracle.field(maze, self._plan.goal_cell)[None]
        self._random = np.random.default_rng([seed, stream])
        self._simulator = Simulator(episode_of(task, self._plan, 84, cache_folder()))
        self.found = Agreement()

    def play(self) -> Agreement:
        """Plays the episode and compares every frame."""
        task, found = self._task, self.found
        self._simulator.wait()
        respawned, showing, settled, owed = False, 0, 0, 0.0
        for frame in range(task.episode_seconds * FRAMES_PER_SECOND):
            if frame % task.action_repeat == 0:
                look, move, strafe = ACTION_FRAMES[self._action()]
            self._simulator.request_step(look, strafe, move, 1)
            self._simulator.wait()
            pose = self._simulator.shared.pose
            heading = int(headings(pose[1, 1]))
            # The frame after the goal's reward is the respawn.
            if showing == 1:
                respawned = True
            free = showing == 0
            duration = self._duration(look, move, strafe, heading) if respawned and free else 0
            self._engine.play_frame(look, move, strafe, duration, heading if respawned else -1, draw=False)
            owed += self._reward_difference()
            goal = bool(self._simulator.shared.given[-1])
            if settled >= FRUIT_LATE and owed:
                found.reward_mismatches += 1
                owed = 0.0
            if not free:
                showing += 1
                if showing > 2 and abs(pose[0, 2] - STANDING) < 0.5:
                    self._take_pose(heading)
                    showing = 0
            else:
                self._compare_poses(heading, respawned)
            if goal:
                showing = 1
            found.frames += 1
            settled = settled + 1 if showing == 0 else 0
            if (frame + 1) % DEPTH_EVERY == 0 and settled > SETTLING:
                self._compare_depth()
        found.reward_mismatches += int(owed != 0)
        return found

    def close(self) -> None:
        """Ends the simulator and the engines."""
        self._simulator.close()
        self._engine.close()
        self._trial.close()

    def _action(self) -> int:
        if self._random.random() >= self._guided:
            return int(self._random.integers(NUM_ACTIONS))
        facts, chosen, first = self._engine.privileged, np.zeros(1, dtype=np.int32), np.zeros(1, dtype=np.int32)
        velocity = self._engine.observation["velocity"]
        agents = oracle.Agents(first, first, facts["position"], facts["heading"], velocity, self._goal)
        oracle.plan(chosen, self._walls, self._field, agents, self._task.action_repeat)
        return int(chosen[0])

    def _reward_difference(self) -> float:
        """The frame's reward in DeepMind Lab minus that in the engine."""
        shared, rewards = self._simulator.shared, self._task.rewards
        self.found.goals += int(shared.given[-1])
        self.found.fruit += int(shared.given[:-1].sum())
        given = float(shared.given @ np.array([rewards.apple, rewards.strawberry, rewards.goal]))
        return given - float(self._engine.outcome.reward[0])

    def _compare_poses(self, heading: int, respawned: bool) -> None:
        found, engine, pose = self.found, self._engine, self._simulator.shared.pose
        off = float(np.hypot(*(engine.privileged["position"][0].astype(np.float64) - pose[0, :2])))
        if respawned and off > LEAP:
            found.leaps += 1
            self._take_pose(heading)
            return
        found.compared += 1
        name = "position_error_after_respawn" if respawned else "position_error"
        setattr(found, name, max(getattr(found, name), off))
        turn = (int(headings(engine.privileged["heading"][0])) - heading + FULL_TURN // 2) % FULL_TURN - FULL_TURN // 2
        found.heading_error = max(found.heading_error, abs(turn))
        speed, shown = np.hypot(*engine.observation["velocity"][0, :2].astype(np.float64)), np.hypot(*pose[2, :2])
        found.velocity_error = max(found.velocity_error, abs(float(speed - shown)))

    def _take_pose(self, heading: int) -> None:
        pose = self._simulator.shared.pose
        self._engine.put(pose[None, 0, :2], [heading], np.round(pose[None, 2, :2]))

    def _duration(self, look: int, move: int, strafe: int, heading: int) -> int:
        """The duration in milliseconds with which the engine comes nearest to the simulator."""
        facts, count = self._engine.privileged, len(DURATIONS)
        trial, pose = self._trial, self._simulator.shared.pose
        velocity = _motion(self._engine)
        before = int(headings(facts["heading"][0]))
        trial.put(np.repeat(facts["position"], count, 0), np.full(count, before), np.repeat(velocity, count, 0))
        trial.play_frame(look, move, strafe, DURATIONS, heading, draw=False)
        off = np.hypot(*(trial.privileged["position"].astype(np.float64) - pose[0, :2]).T)
        drift = np.abs(_motion(trial) - pose[2, :2]).max(axis=1)
        return DURATIONS[int(np.argmin(off + drift))]

    def _compare_depth(self) -> None:
        depth = self._engine.planar_depth(84)[0]
        shown = self._simulator.shared.rgbd[..., 3].astype(np.int16)
        columns = self._columns_without_items()
        if not columns.any():
            return
        depth, shown = depth[:, columns], shown[:, columns]
        fars = [np.inf] if self._task.mazes[0].geometry == "block" else FAR_PLANES
        self.found.depth_within_1 += max(
            int((np.abs(depth_byte(depth, far).astype(np.int16) - shown) <= 1).sum()) for far in fars
        )
        self.found.depth_bytes += depth.size

    def _columns_without_items(self) -> npt.NDArray[np.bool_]:
        facts, maze = self._engine.privileged, self._task.mazes[0]
        right = (2 * np.arange(84) + 1) / 84 - 1
        free = np.ones(84, dtype=np.bool_)
        angle = np.radians(float(facts["heading"][0]))
        for _, cell in self._plan.items:
            x, y = np.array(maze.center(divmod(cell, maze.cols))) - facts["position"][0]
            ahead = x * np.cos(angle) + y * np.sin(angle)
            aside = x * np.sin(angle) - y * np.cos(angle)
            if np.hypot(x, y) < 2 * ITEM_HALF_WIDTH:
                return np.zeros(84, dtype=np.bool_)
            if ahead > -ITEM_HALF_WIDTH:
                nearest = max(ahead - ITEM_HALF_WIDTH, 1.0)
                free &= np.abs(right * ahead - aside) > ITEM_HALF_WIDTH * max(1.0, ahead / nearest)
        return free


def _motion(engine: FrameEngine) -> npt.NDArray[np.float64]:
    """[N, 2] velocity along x and y, whole units/s."""
    return world_velocity(engine.observation["velocity"][:, :3], headings(engine.privileged["heading"]))


def tasks_of(options: Options) -> list[Task]:
    """A task of one maze each, with the paper's rules of static mazes."""
    tasks = []
    for geometry in ("thin", "block"):
        if options.geometry in (geometry, "both"):
            config = GeneratorConfig(options.rows, options.cols, geometry=geometry, apples=5, strawberry_share=0.2, goals=1)
            mazes = mazes_of_split(config, "heldout", options.seed, -(-options.mazes // 2))
            tasks.append([Task(f"{geometry}-{index}", (maze,), options.seconds) for index, maze in enumerate(mazes)])
    return [task for turn in zip(*tasks, strict=True) for task in turn][: options.mazes]


def speed(task: Task, processes: int, steps: int) -> float:
    """Agent steps a second of a batch with depth, random actions, all processes together."""
    generator = np.random.default_rng(0)
    with LabBatch(replace(task, episode_seconds=3600), processes, observe={"rgb", "velocity", "depth"}) as batch:
        batch.reset(0)
        began = time.perf_counter()
        for _ in range(steps):
            batch.step(generator.integers(NUM_ACTIONS, size=processes))
        return steps * processes / (time.perf_counter() - began)


def main(options: Options) -> int:
    """Compares, and returns 1 where a limit is exceeded, else 0."""
    for name in ("mazes", "seconds"):
        if not 1 <= getattr(options, name) <= MOST:
            raise InputError(f"--{name} is {getattr(options, name)}, expected 1 to {MOST}")
    if not 0 <= options.speed_steps <= MOST:
        raise InputError(f"--speed-steps is {options.speed_steps}, expected 0 to {MOST}")
    if not 0 <= options.seed < 2**63:
        raise InputError(f"--seed is {options.seed}, expected 0 to 2**63 - 1")
    if not 0 <= options.guided <= 1:
        raise InputError(f"--guided is {options.guided}, expected 0 to 1")
    require_lab()
    tasks = tasks_of(options)
    total = Agreement()
    for stream, task in enumerate(tasks):
        comparison = Comparison(task, options.seed, stream, options.guided)
        try:
            found = comparison.play()
        finally:
            comparison.close()
        total.add(found)
        say(json.dumps({"maze": task.mazes[0].digest[:12], "geometry": task.mazes[0].geometry, **found.line()}))
    speeds = {}
    if options.speed_steps:
        speeds = {f"steps_per_second_{count}": round(speed(tasks[0], count, options.speed_steps)) for count in (1, 2)}
    say(json.dumps({"mazes": len(tasks), **total.line(), **speeds}))
    return int(not total.good())


if __name__ == "__main__":
    raise SystemExit(one_line_errors(lambda: main(parse_options(Options)))())
