"""The embedded engine: a batch of worlds with the motion, rewards and views of DeepMind Lab."""

import os
import threading
import weakref
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from env.batch import Arrays, BatchEnv, Episodes, Outcome, checked_streams
from env.engine import saved_state
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

    Copies and pickles hold the same state, and have equal trajectories from there on. An engine works in a forked child; two
    threads must not call it at once.

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
        """Packs the task's mazes and allocates all arrays that `step` writes.

        Args:
            task: the rules, and the mazes they are played in.
            num_envs: N, the number of worlds.
            observe: names of the arrays that `observation` holds; without `rgb` no picture is drawn.
            device: where to compute, and where the arrays lie.
            threads: threads among which the rows are split; on the CPU only.

        Raises:
            InputError: the task's rules cannot be kept in one of its mazes, or an argument is out of range.
        """
        if num_envs < 1:
            raise InputError(f"num_envs is {num_envs}, expected at least 1")
        if threads < 1:
            raise InputError(f"threads is {threads}, expected at least 1")
        if device not in ("cpu", "cuda"):
            raise InputError(f"device is {device!r}, expected 'cpu' or 'cuda'")
        self._settings = {"num_envs": num_envs, "observe": tuple(observe), "device": device, "threads": threads}
        self._set_up(task, None)

    def _set_up(self, task: Task, original: World | None) -> None:
        """Allocates the arrays; what no step writes is shared with an original that has the same task, where there is one."""
        self.task = task
        self.num_envs = n = self._settings["num_envs"]
        self.spec = task.spec()
        self.observe = frozenset(self.spec.observed(self._settings["observe"]))
        self._runner = runner = _runner(n, self._settings["device"], self._settings["threads"])
        if original is None:
            packed = pack(task)
            check_mazes(task, packed)
            pool = Pool(*(runner.bring(array) for array in packed))
            scene = Scene(sides=runner.bring(packed.faces.view(np.uint32)), textures=runner.bring(all_textures()))
            rules = rules_of(task, cosines(), runner.bring)
        else:
            pool, scene, rules = original.pool, original.scene, original.rules
        rows, cols = task.mazes[0].rows, task.mazes[0].cols
        fruit = pool.fruit_squares.shape[1]
        state = allocate_state(n, rows * cols, 1 + fruit, runner.zeros)
        facts = allocate_facts(n, fruit, runner.zeros)
        picture = allocate_picture(n, task.observation_size, self.observe, runner.zeros)
        inputs = Inputs(actions=runner.zeros((n,), np.int64), mask=runner.zeros((n,), np.bool_))
        self._world = World(pool, state, rules, facts, scene, picture, inputs)
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
            "goal_distance": show(facts.goal_distance),
            "next_cell": show(facts.next_cell),
            "maze": show(state.maze),
            "fruit_cells": show(facts.fruit_cells),
            "seconds": show(facts.seconds),
        }
        self.goal_distance = show(state.distance).reshape(n, rows, cols)
        self._exclusive = _Exclusive(f"another thread is using this batch of {task.name!r}: each thread needs a batch of its own")
        _exclusives.add(self._exclusive)
        self._started = False
        self._closed = False

    def reset(self, seed: int, streams: npt.ArrayLike | None = None) -> Arrays:
        self._refuse_closed("reset")
        checked = checked_streams(seed, streams, self.num_envs)
        with self._exclusive:
            self._runner.reset(seed, checked)
        self._started = True
        return self.observation

    def step(self, actions: npt.ArrayLike, hold_ended: bool = False) -> Arrays:
        self._refuse_closed("step")
        self._refuse_unstarted("step")
        with self._exclusive:
            self._runner.step(actions, hold_ended)
        return self.observation

    def reset_rows(self, rows: npt.ArrayLike) -> Arrays:
        self._refuse_closed("reset_rows")
        self._refuse_unstarted("reset_rows")
        with self._exclusive:
            self._runner.reset_rows(rows)
        return self.observation

    def seek(self, episodes: Episodes) -> None:
        self._refuse_closed("seek")
        self._refuse_unstarted("seek")
        with self._exclusive:
            self._runner.seek(episodes)

    def pictures(self, size: int) -> npt.NDArray[np.uint8]:
        self._refuse_closed("pictures")
        self._refuse_unstarted("pictures")
        if not isinstance(self._runner, CpuRunner):
            return super().pictures(size)
        with self._exclusive:
            return self._runner.pictures(size)

    def check(self) -> None:
        """Synchronises with the device, and raises what `step` could not raise without waiting.

        On the CPU there is nothing to raise. On a GPU, actions that lie there are checked there: a row whose action is out of
        range or whose episode is over is left unchanged.

        Raises:
            InputError: a step since the last `reset` had such a row.
        """
        self._refuse_closed("check")
        self._runner.check()

    def state_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Copies of the arrays from which `restore_state` continues, [N, ...] each.

        Raises:
            InputError: before the first `reset`, after `close`, or where `check` raises.
        """
        self._refuse_closed("state_arrays")
        self._refuse_unstarted("state_arrays")
        self._runner.check()
        with self._exclusive:
            return saved_state.read_state(self._world, self._runner.read)

    def restore_state(self, arrays: Mapping[str, npt.NDArray[Any]]) -> Arrays:
        """Continues from a state of an engine with the same task and number of worlds, and returns the observation.

        Raises:
            InputError: an array is missing, or holds what cannot be in this task; a `reset` is needed then.
        """
        self._refuse_closed("restore_state")
        runner, world = self._runner, self._world
        saved_state.check_form(world, arrays, runner.read)
        with self._exclusive:
            self._started = False
            runner.reset(np.asarray(arrays["seed"]), np.asarray(arrays["stream"]), np.asarray(arrays["episode"]))
            saved_state.check_layout(world, arrays, runner.read)
            for name in saved_state.MOVING:
                runner.write(getattr(world.state, name), arrays[name])
            facts = {name: arrays[name] for name in saved_state.OUTPUTS}
            for name, values in (facts | saved_state.derived_facts(world, arrays, runner.read)).items():
                runner.write(getattr(world.facts, name), values)
            runner.draw()
            self._started = True
        return self.observation

    def clone(self) -> Self:
        copy = object.__new__(type(self))
        copy._continue(self.__getstate__(), self._world)
        return copy

    def __getstate__(self) -> dict[str, Any]:
        state = self.state_arrays() if self._started and not self._closed else None
        return {"task": self.task, "settings": self._settings, "closed": self._closed, "state": state}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        self._continue(saved, None)

    def _continue(self, saved: dict[str, Any], original: World | None) -> None:
        self._settings = saved["settings"]
        self._set_up(saved["task"], original)
        if saved["state"] is not None:
            self.restore_state(saved["state"])
        if saved["closed"]:
            self.close()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            # A step of another thread finishes first.
            self._exclusive.wait(seconds=10.0)
            self._runner.close()


class _Exclusive:
    """A lock that raises instead of waiting: compiled code releases the interpreter's lock, so that calls could overlap."""

    def __init__(self, message: str) -> None:
        self._lock = threading.Lock()
        self._message = message

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            raise InputError(self._message)

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def wait(self, seconds: float) -> None:
        """Waits until no thread holds the lock, or for some seconds."""
        if self._lock.acquire(timeout=seconds):
            self._lock.release()

    def renew(self) -> None:
        """Releases the lock in a forked child, where a thread that held it does not exist."""
        self._lock = threading.Lock()


_exclusives: "weakref.WeakSet[_Exclusive]" = weakref.WeakSet()


def _renew_locks() -> None:
    for exclusive in _exclusives:
        exclusive.renew()


os.register_at_fork(after_in_child=_renew_locks)


def _runner(num_envs: int, device: str, threads: int) -> "CpuRunner | CudaRunner":
    if device == "cpu":
        return CpuRunner(num_envs, threads)
    # Imported where it is used: it brings torch and a compiler for GPUs.
    from env.engine.cuda_runner import CudaRunner

    return CudaRunner(num_envs)
