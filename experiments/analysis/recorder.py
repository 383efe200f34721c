"""Plays episodes and records observations, actions, rewards and activations.

Episodes are played in blocks of `BLOCK` rows, each with a policy of its own on one thread, and episode k always sits in row
k modulo BLOCK of a block. So everything about it, to the last bit of a rounding, is independent of the number of episodes and
of threads. On a GPU blocks have `CUDA_BLOCK` rows and are played one after the other. On DeepMind Lab, where a row is a
process, blocks have `LAB_BLOCK` rows, and the last block has no more rows than there are episodes left.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from env.backends import make_batch
from env.batch import BatchEnv
from experiments.analysis.playback import Playback, acting, to_numpy
from experiments.analysis.threads import map_in_threads
from experiments.analysis.trajectories import Trajectories, joined
from experiments.policies import Player, PolicyFactory
from maze_gen.errors import InputError

if TYPE_CHECKING:
    from agents.cluster.jobs import ClusterJobs

BLOCK = 25
"""Rows that are stepped together. Four blocks make the usual 100 episodes."""
LAB_BLOCK = 8
"""Rows of a block on DeepMind Lab: each takes a process and about 110 MB, next to which the network costs little."""
CUDA_BLOCK = 128
ATTEMPTS = 3
"""Times that a block is played before its simulators are given up."""


class Probe(Protocol):
    """Reads signals from a policy and its worlds at every step, after the policy acted and before the worlds step.

    Attributes:
        observe: names of the arrays that the worlds must make for the probe.
    """

    observe: frozenset[str]

    def read(self, env: BatchEnv, policy: Player) -> dict[str, Any]:
        """Name → [N, ...] NumPy array or tensor, of the shape and dtype in which it is kept; the same names at every step."""
        ...


@dataclass(frozen=True)
class Pictures:
    """Which pictures are kept.

    Attributes:
        episodes: episodes whose every picture is kept.
        thumbnail_stride: every this-many-th picture of every episode is kept as a thumbnail; 0 keeps none.
    """

    episodes: tuple[int, ...] = ()
    thumbnail_stride: int = 0

    def __bool__(self) -> bool:
        return bool(self.episodes or self.thumbnail_stride)


def record(
    playback: Playback,
    make_policy: PolicyFactory,
    *,
    probe: Probe | None = None,
    pictures: Pictures = Pictures(),
    steps: int | None = None,
) -> Trajectories:
    """Plays the episodes of `playback`.

    Args:
        make_policy: makes a policy for the rows of a block; called once per block.
        probe: reads the signals to be recorded.
        pictures: which pictures are kept.
        steps: number of steps of each episode, from its start; None for whole episodes.

    Raises:
        InputError: fewer than one episode, or the task can't be played.
    """
    if playback.episodes < 1:
        raise InputError(f"episodes is {playback.episodes}, expected at least 1")
    recording = Recording(playback, make_policy, probe, pictures, steps)
    starts = range(0, playback.episodes, recording.block_rows)
    if playback.jobs is not None:
        return record_on_nodes(recording, playback.jobs, starts)
    recorder = _Recorder(recording)
    map_in_threads(recorder.play_block, starts, 1 if playback.device == "cuda" else playback.threads)
    return recorder.trajectories


@dataclass(frozen=True)
class Recording:
    """What is played and recorded, as `record` takes it."""

    playback: Playback
    make_policy: PolicyFactory
    probe: Probe | None
    pictures: Pictures
    steps: int | None

    @property
    def block_rows(self) -> int:
        """Episodes that are played together."""
        return LAB_BLOCK if self.playback.backend == "lab" else CUDA_BLOCK if self.playback.device == "cuda" else BLOCK

    def block(self, start: int) -> "Recording":
        """The block of episodes from number `start` on, to be recorded alone."""
        playback, pictures = self.playback, self.pictures
        episodes = min(self.block_rows, playback.episodes - start)
        kept = tuple(k - start for k in pictures.episodes if start <= k < start + episodes)
        return replace(self, playback=replace(playback.alone, episodes=episodes), pictures=replace(pictures, episodes=kept))


def record_on_nodes(recording: Recording, jobs: "ClusterJobs", starts: Sequence[int]) -> Trajectories:
    """What `record` returns, to the bit, recorded block by block on the nodes of a cluster."""
    playback = recording.playback
    alone = replace(recording, playback=playback.alone)
    shown = playback.progress
    blocks = jobs.map(_record_block, alone, starts, lambda done: shown(f"{done} of {len(starts)} blocks of episodes"))
    return joined(blocks)


def _record_block(recording: Recording, start: int) -> Trajectories:
    recorder = _Recorder(recording.block(start), start)
    recorder.play_block(start)
    return recorder.trajectories


class _Recorder:
    """The arrays of all episodes; blocks fill their rows, at the same time.

    Args:
        first: number of the first episode that it has room for.
    """

    def __init__(self, recording: Recording, first: int = 0) -> None:
        self.recording, self.first = recording, first
        playback, probe, pictures, steps = recording.playback, recording.probe, recording.pictures, recording.steps
        task = playback.task
        E, T, size = playback.episodes, min(steps or task.episode_steps, task.episode_steps), task.observation_size
        self.probe, self.progress = probe, playback.progress
        self.done = 0
        self.started = self.shown = time.monotonic()
        self.lock = threading.Lock()
        stride = pictures.thumbnail_stride
        self.trajectories = Trajectories(
            task=task,
            seed=playback.seed,
            position=np.zeros((E, T, 2), dtype=np.float32),
            heading=np.zeros((E, T), dtype=np.float32),
            cell=np.zeros((E, T), dtype=np.int32),
            goal_cell=np.zeros((E, T), dtype=np.int32),
            maze=np.zeros(E, dtype=np.int32),
            action=np.zeros((E, T), dtype=np.uint8),
            reward=np.zeros((E, T), dtype=np.float32),
            goals=np.zeros((E, T), dtype=np.uint8),
            pictures={k: np.zeros((T, size, size, 3), dtype=np.uint8) for k in pictures.episodes if k < E},
            thumbnails=np.zeros((E, -(-T // stride), size, size, 3), dtype=np.uint8) if stride else None,
            thumbnail_stride=max(1, stride),
        )

    def play_block(self, start: int) -> None:
        """Plays the block of episodes from number `start` on, in worlds and with a policy of its own."""
        recording, playback, probe = self.recording, self.recording.playback, self.probe
        rows, left = recording.block_rows, playback.episodes - (start - self.first)
        if playback.backend == "lab":
            rows = min(rows, left)
        policy = recording.make_policy(rows)
        observe = policy.observe | (probe.observe if probe else frozenset())
        observe |= {"rgb"} if recording.pictures else frozenset()
        with make_batch(playback.task, rows, observe=observe, backend=playback.backend, device=playback.device) as env:
            self.play(start, env, policy)

    def play(self, start: int, env: BatchEnv, policy: Player) -> None:
        """Plays the episodes from number `start` on, and starts them again where a simulator died."""
        for _ in range(ATTEMPTS):
            if self._attempt(start, env, policy):
                return
        raise InputError(f"{self.trajectories.task.name}: a simulator died in each of {ATTEMPTS} attempts at the same episodes")

    def _attempt(self, start: int, env: BatchEnv, policy: Player) -> bool:
        kept = self.trajectories
        streams = np.arange(start, start + env.num_envs)
        rows = slice(start - self.first, min(start - self.first + env.num_envs, kept.episodes))
        n = rows.stop - rows.start
        facts = env.privileged
        for step, actions in acting(env, policy, kept.seed, streams, kept.steps):
            if step == 0:
                kept.maze[rows] = to_numpy(facts["maze"])[:n]
            kept.position[rows, step] = to_numpy(facts["position"])[:n]
            kept.heading[rows, step] = to_numpy(facts["heading"])[:n]
            kept.cell[rows, step] = to_numpy(facts["cell"])[:n]
            kept.goal_cell[rows, step] = to_numpy(facts["goal_cell"])[:n]
            kept.action[rows, step] = to_numpy(actions)[:n]
            if self.probe:
                for name, values in self.probe.read(env, policy).items():
                    self._keep_signal(name, to_numpy(values)[:n], rows, step)
            self._keep_pictures(env, rows, step)
            env.step(actions)
            kept.reward[rows, step] = to_numpy(env.outcome.reward)[:n]
            kept.goals[rows, step] = to_numpy(env.outcome.statistics["goals"])[:n]
            if not to_numpy(facts["seconds"]).all():
                # A row that began again would draw other random numbers: the whole block is repeated.
                self.done -= step * n
                return False
            self.done += n
            self._show_progress()
        if kept.steps == kept.task.episode_steps and not to_numpy(env.outcome.truncated).all():
            raise RuntimeError(f"an episode of {kept.task.name} was not truncated after its {kept.steps} steps")
        return True

    def _keep_signal(self, name: str, values: npt.NDArray, rows: slice, step: int) -> None:
        kept = self.trajectories
        with self.lock:
            if name not in kept.signals:
                kept.signals[name] = np.zeros((kept.episodes, kept.steps, *values.shape[1:]), dtype=values.dtype)
        kept.signals[name][rows, step] = values

    def _keep_pictures(self, env: BatchEnv, rows: slice, step: int) -> None:
        kept = self.trajectories
        full = [episode for episode in kept.pictures if rows.start <= episode < rows.stop]
        thumbnail = kept.thumbnails is not None and step % kept.thumbnail_stride == 0
        if not full and not thumbnail:
            return
        pictures = to_numpy(env.observation["rgb"])
        for episode in full:
            kept.pictures[episode][step] = pictures[episode - rows.start]
        if kept.thumbnails is not None and thumbnail:
            kept.thumbnails[rows, step // kept.thumbnail_stride] = pictures[: rows.stop - rows.start]

    def _show_progress(self) -> None:
        now = time.monotonic()
        if now - self.shown < 1:
            return
        self.shown = now
        total = self.trajectories.episodes * self.trajectories.steps
        speed = self.done / (now - self.started)
        left = (total - self.done) / speed
        self.progress(f"{100 * self.done / total:3.0f} %  {speed:,.0f} steps/s  {left:.0f} s left")
