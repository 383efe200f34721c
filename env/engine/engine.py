"""The embedded engine: a batch of worlds that move, reward and look as DeepMind Lab's do."""

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from env.batch import Arrays, BatchEnv, Outcome, checked_streams
from env.engine.cpu_runner import CpuRunner, check_mazes
from env.engine.maze_pool import Pool, pack
from env.engine.motion import cosines
from env.engine.state import Inputs, Scene, World, allocate_facts, allocate_picture, allocate_state, rules_of
from env.engine.textures.atlas import all_textures
from env.task import Task
from maze_gen.errors import InputError

if TYPE_CHECKING:
    from env.engine.cuda_runner import CudaRunner

DEFAULT_OBSERVE = ("rgb", "velocity")


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
        *,
        observe: Collection[str] = DEFAULT_OBSERVE,
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        """Packs the task's mazes and allocates everything that `step` will write.

        Args:
            task: the rules, and the mazes they are played in.
            num_envs: N, the number of worlds.
            observe: names of the arrays that `observation` holds; without `rgb` no picture is drawn.
            device: where to compute, and where the arrays lie.
            threads: threads among which the rows are split; on the CPU only.

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
        self.spec = task.spec()
        self.observe = frozenset(self.spec.observed(observe))
        pool = pack(task)
        check_mazes(task, pool)
        self._runner = runner = _runner(num_envs, device, threads)
        n, size = num_envs, task.observation_size
        rows, cols = task.mazes[0].rows, task.mazes[0].cols
        fruit = pool.fruit_places.shape[1]
        state = allocate_state(n, rows * cols, 1 + fruit, runner.zeros)
        facts = allocate_facts(n, fruit, runner.zeros)
        picture = allocate_picture(n, size, self.observe, runner.zeros)
        self._world = World(
            pool=Pool(*(runner.bring(array) for array in pool)),
            state=state,
            rules=rules_of(task, cosines(), runner.bring),
            facts=facts,
            scene=Scene(sides=runner.bring(pool.faces.view(np.uint32)), textures=runner.bring(all_textures())),
            picture=picture,
            inputs=Inputs(actions=runner.zeros((n,), np.int64), mask=runner.zeros((n,), np.bool_)),
        )
        runner.take(self._world)
        show = runner.shown
        made = {"rgb": picture.rgb, "velocity": facts.velocity, "depth": picture.depth, "depth_target": picture.depth_target}
        self.observation = {name: show(array) for name, array in made.items() if name in self.observe}
        self.outcome = Outcome(
            reward=show(facts.reward),
            # Episodes end on time only.
            terminated=show(runner.zeros((n,), np.bool_)),
            truncated=show(facts.truncated),
            statistics={"goals": show(facts.goals), "respawns": show(facts.respawns)},
        )
        self.privileged = {
            "position": show(facts.position),
            "heading": show(facts.heading),
            "cell": show(facts.cell),
            "goal_cell": show(facts.goal_cell),
            "maze": show(state.maze),
            "fruit_cells": show(facts.fruit_cells),
            "seconds": show(facts.seconds),
        }
        self.goal_distance = show(state.distance).reshape(n, rows, cols)
        self._started = False
        self._closed = False

    def reset(self, seed: int, streams: npt.ArrayLike | None = None) -> Arrays:
        self._refuse_closed("reset")
        self._runner.reset(seed, checked_streams(seed, streams, self.num_envs))
        self._started = True
        return self.observation

    def step(self, actions: npt.ArrayLike) -> Arrays:
        self._refuse_closed("step")
        self._refuse_unstarted("step")
        self._runner.step(actions)
        return self.observation

    def reset_rows(self, rows: npt.ArrayLike) -> Arrays:
        self._refuse_closed("reset_rows")
        self._refuse_unstarted("reset_rows")
        self._runner.reset_rows(rows)
        return self.observation

    def check(self) -> None:
        """Waits for the device, and raises what `step` couldn't raise without waiting.

        On the CPU nothing is left to be raised. On a GPU, actions that lie there are checked there: a row whose action is out of
        range or whose episode is over stays as it is.

        Raises:
            InputError: a step since the last `reset` was asked of such a row.
        """
        self._refuse_closed("check")
        self._runner.check()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._runner.close()

    def _refuse_closed(self, call: str) -> None:
        if self._closed:
            raise InputError(f"{call} after close: this batch of {self.task.name!r} is closed")

    def _refuse_unstarted(self, call: str) -> None:
        if not self._started:
            raise InputError(f"{call} before reset: call reset(seed) first")


def _runner(num_envs: int, device: str, threads: int) -> "CpuRunner | CudaRunner":
    if device == "cpu":
        return CpuRunner(num_envs, threads)
    # Imported where it is used: it brings torch and a compiler for GPUs.
    from env.engine.cuda_runner import CudaRunner

    return CudaRunner(num_envs)
