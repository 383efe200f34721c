"""Plays episodes and keeps what was seen, done, felt and thought in compact arrays [episodes, steps, ...].

Episodes are played in blocks of `BLOCK` rows, each block by a player of its own on one thread. Episode k is (seed, stream k,
episode 0), its actions are drawn with numbers of (seed, k, step), and it always sits in row k modulo BLOCK of a block: so
everything about it, to the last bit of a rounding, is the same however many episodes are played and on however many threads.

On DeepMind Lab, where a row is a process, blocks have `LAB_BLOCK` rows, and the last one no more than there are episodes left.
"""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from env.backends import make_batch
from env.batch import BatchEnv
from env.navigation import FRAMES_PER_SECOND
from env.task import Task
from experiments.policies import Player, PolicyFactory
from maze_gen.errors import InputError

BLOCK = 25
"""Rows that are stepped together. Four blocks make the usual 100 episodes."""

LAB_BLOCK = 8
"""Rows of a block on DeepMind Lab: each takes a process and about 110 MB, and a network in it costs little beside them."""

ATTEMPTS = 3
"""So often a block is played before its simulators are given up."""

RESPAWN_LEAP = 40.0
"""Units: no agent step is as long as this (the fastest takes 28), and no respawn as short (a spawn lies 5 cells off)."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Recording:
    """E episodes of T steps. Row [e, t] of every array belongs to the observation before step t and the action of step t.

    Attributes:
        task: what was played.
        seed: episode e is (seed, stream e, episode 0).
        position: [E, T, 2] float32, units.
        heading: [E, T] float32, degrees.
        cell: [E, T] int32, row * cols + col.
        goal_cell: [E, T] int32.
        maze: [E] int32, index into `task.mazes`.
        action: [E, T] uint8.
        reward: [E, T] float32, of step t.
        goals: [E, T] uint8, goals rewarded during step t.
        readings: name → [E, T, ...], what a probe read at every step, e.g. the features that decoders are fitted on.
        pictures: episode → [T, size, size, 3] uint8, of the episodes whose pictures were kept.
        thumbnails: [E, ceil(T / stride), size, size, 3] uint8, every `thumbnail_stride`-th picture; None where not kept.
        thumbnail_stride: steps from one thumbnail to the next.
    """

    task: Task
    seed: int
    position: npt.NDArray[np.float32]
    heading: npt.NDArray[np.float32]
    cell: npt.NDArray[np.int32]
    goal_cell: npt.NDArray[np.int32]
    maze: npt.NDArray[np.int32]
    action: npt.NDArray[np.uint8]
    reward: npt.NDArray[np.float32]
    goals: npt.NDArray[np.uint8]
    readings: dict[str, npt.NDArray] = field(default_factory=dict)
    pictures: dict[int, npt.NDArray[np.uint8]] = field(default_factory=dict)
    thumbnails: npt.NDArray[np.uint8] | None = None
    thumbnail_stride: int = 1

    @property
    def episodes(self) -> int:
        return self.cell.shape[0]

    @property
    def steps(self) -> int:
        return self.cell.shape[1]

    @property
    def step_seconds(self) -> float:
        return self.task.action_repeat / FRAMES_PER_SECOND

    @property
    def returns(self) -> npt.NDArray[np.floating]:
        """[E] sum of rewards."""
        return self.reward.sum(axis=1, dtype=np.float64)

    @property
    def spawned(self) -> npt.NDArray[np.bool_]:
        """[E, T] whether the agent stands at a new spawn: at the episode's start, and after every goal."""
        leap = np.linalg.norm(np.diff(self.position, axis=1), axis=2) > RESPAWN_LEAP
        return np.concatenate([np.ones((self.episodes, 1), dtype=bool), leap], axis=1)

    @property
    def seconds_since_spawn(self) -> npt.NDArray[np.float32]:
        """[E, T] seconds."""
        steps = np.arange(self.steps)
        last = np.maximum.accumulate(np.where(self.spawned, steps, 0), axis=1)
        return ((steps - last) * self.step_seconds).astype(np.float32)


class Probe(Protocol):
    """Reads something off a player or its worlds at every step, right after it acted."""

    def shapes(self, task: Task) -> dict[str, tuple[tuple[int, ...], npt.DTypeLike]]:
        """Name → (shape, dtype) of what is read of one row."""
        ...

    def read(self, env: BatchEnv, player: Player) -> dict[str, npt.ArrayLike]:
        """Name → [N, *shape]."""
        ...


def uniforms(seed: int, streams: npt.ArrayLike, step: int) -> npt.NDArray[np.float64]:
    """[N] numbers in [0, 1), a function of (seed, stream, step) alone: three rounds of SplitMix64's mixing."""
    state = np.asarray(streams, dtype=np.uint64)
    for part in (np.uint64(seed), np.uint64(step), np.uint64(0xA17)):
        state = _mixed((state ^ part) + np.uint64(0x9E3779B97F4A7C15))
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mixed(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def default_threads() -> int:
    return max(1, len(os.sched_getaffinity(0)))


def record(
    task: Task,
    make_player: PolicyFactory,
    episodes: int,
    seed: int = 0,
    *,
    probe: Probe | None = None,
    keep_pictures: tuple[int, ...] = (),
    thumbnail_stride: int = 0,
    depth: bool = False,
    depth_target: bool = False,
    backend: str = "embedded",
    threads: int | None = None,
    steps: int | None = None,
    progress: Progress | None = None,
) -> Recording:
    """Plays `episodes` whole episodes.

    Args:
        make_player: makes a player of a block's rows; called once a block.
        probe: what is read at every step, if anything.
        keep_pictures: episodes whose every picture is kept.
        thumbnail_stride: keeps every this-manieth picture of every episode; 0 keeps none.
        depth, depth_target: whether the worlds make these observations.
        threads: blocks played at the same time; one a processor core without it.
        steps: plays only the first steps of every episode; all of them without it.
        progress: told now and then how far it is.

    Raises:
        InputError: fewer than one episode, or the task can't be played.
    """
    if episodes < 1:
        raise InputError(f"episodes is {episodes}, expected at least 1")
    work = _Work(task, episodes, seed, probe, keep_pictures, thumbnail_stride, steps, progress)
    block_rows = BLOCK if backend == "embedded" else LAB_BLOCK
    starts = range(0, episodes, block_rows)
    threads = min(threads or default_threads(), len(starts))
    before = torch.get_num_threads()

    def play(start: int) -> None:
        # A library's setting of one thread would hold for the thread that set it only.
        torch.set_num_threads(1)
        rows = BLOCK if backend == "embedded" else min(LAB_BLOCK, episodes - start)
        player = make_player(rows)
        wanted = {"rgb": player.sees or work.looks, "velocity": True, "depth": depth, "depth_target": depth_target}
        env = make_batch(task, rows, backend=backend, observe={name for name, made in wanted.items() if made})
        with env:
            work.play(start, env, player)

    try:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(play, starts))
    finally:
        torch.set_num_threads(before)
    return work.recording


class _Work:
    """The arrays of a recording, and how a block fills its share of them."""

    def __init__(
        self,
        task: Task,
        episodes: int,
        seed: int,
        probe: Probe | None,
        keep_pictures: tuple[int, ...],
        thumbnail_stride: int,
        steps: int | None,
        progress: Progress | None,
    ) -> None:
        E, T, size = episodes, min(steps or task.episode_steps, task.episode_steps), task.observation_size
        self.probe = probe
        self.looks = bool(keep_pictures or thumbnail_stride)
        self.progress = progress
        self.done = 0
        self.started = self.told = time.monotonic()
        shapes = probe.shapes(task) if probe else {}
        stride = thumbnail_stride
        self.recording = Recording(
            task=task,
            seed=seed,
            position=np.zeros((E, T, 2), dtype=np.float32),
            heading=np.zeros((E, T), dtype=np.float32),
            cell=np.zeros((E, T), dtype=np.int32),
            goal_cell=np.zeros((E, T), dtype=np.int32),
            maze=np.zeros(E, dtype=np.int32),
            action=np.zeros((E, T), dtype=np.uint8),
            reward=np.zeros((E, T), dtype=np.float32),
            goals=np.zeros((E, T), dtype=np.uint8),
            readings={name: np.zeros((E, T, *shape), dtype=dtype) for name, (shape, dtype) in shapes.items()},
            pictures={k: np.zeros((T, size, size, 3), dtype=np.uint8) for k in keep_pictures if k < E},
            thumbnails=np.zeros((E, -(-T // stride), size, size, 3), dtype=np.uint8) if stride else None,
            thumbnail_stride=max(1, stride),
        )

    def play(self, start: int, env: BatchEnv, player: Player) -> None:
        """Plays the episodes from number `start` on; anew, from their start, where a simulator died."""
        for _ in range(ATTEMPTS):
            if self._attempt(start, env, player):
                return
        raise InputError(f"{self.recording.task.name}: a simulator died in each of {ATTEMPTS} attempts at the same episodes")

    def _attempt(self, start: int, env: BatchEnv, player: Player) -> bool:
        kept = self.recording
        streams = np.arange(start, start + env.num_envs)
        rows = slice(start, min(start + env.num_envs, kept.episodes))
        n = rows.stop - rows.start
        env.reset(kept.seed, streams)
        player.reset_rows(np.ones(env.num_envs, dtype=bool))
        facts = env.privileged
        kept.maze[rows] = facts["maze"][:n]
        for step in range(kept.steps):
            actions = player.act(env, uniforms(kept.seed, streams, step))
            kept.position[rows, step] = facts["position"][:n]
            kept.heading[rows, step] = facts["heading"][:n]
            kept.cell[rows, step] = facts["cell"][:n]
            kept.goal_cell[rows, step] = facts["goal_cell"][:n]
            kept.action[rows, step] = actions[:n]
            if self.probe:
                for name, values in self.probe.read(env, player).items():
                    kept.readings[name][rows, step] = np.asarray(values)[:n]
            self._look(env.observation.get("rgb"), rows, step)
            env.step(actions)
            kept.reward[rows, step] = env.outcome.reward[:n]
            kept.goals[rows, step] = env.outcome.statistics["goals"][:n]
            if not facts["seconds"].all():
                # A row that began again would get other chances: all do, for the same numbers.
                self.done -= step * n
                return False
            self.done += n
            self._tell()
        if kept.steps == kept.task.episode_steps and not env.outcome.truncated.all():
            raise RuntimeError(f"an episode of {kept.task.name} went on after its {kept.steps} steps")
        return True

    def _look(self, pictures: npt.NDArray[np.uint8] | None, rows: slice, step: int) -> None:
        if pictures is None:
            return
        kept = self.recording
        for episode, frames in kept.pictures.items():
            if rows.start <= episode < rows.stop:
                frames[step] = pictures[episode - rows.start]
        if kept.thumbnails is not None and step % kept.thumbnail_stride == 0:
            kept.thumbnails[rows, step // kept.thumbnail_stride] = pictures[: rows.stop - rows.start]

    def _tell(self) -> None:
        now = time.monotonic()
        if self.progress is None or now - self.told < 1:
            return
        self.told = now
        total = self.recording.episodes * self.recording.steps
        speed = self.done / (now - self.started)
        left = (total - self.done) / speed
        self.progress(f"{100 * self.done / total:3.0f} %  {speed:,.0f} steps/s  {left:.0f} s left")
