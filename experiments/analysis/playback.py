"""Which episodes are played, where, and how a policy acts in them.

Episode k of a playback is (seed, stream k, episode 0), and its actions are drawn with numbers that depend on (seed, k, step)
alone.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from agents.config import MOST_COUNT, check_range
from env.backends import MOST_THREADS
from env.batch import BatchEnv
from env.task import Task
from experiments.policies import Player

if TYPE_CHECKING:
    from agents.cluster.jobs import ClusterJobs

Progress = Callable[[str], None]
"""Receives a line of text now and then: what is being done, and how much of it is left."""


def silent(_: str) -> None:
    """No progress is shown."""


@dataclass(frozen=True)
class Playback:
    """Whole episodes of a task.

    Attributes:
        task: what is played.
        episodes: how many episodes.
        seed: episode k is (seed, stream k, episode 0).
        backend: `embedded` (this project's engine) or `lab` (DeepMind Lab).
        device: `cpu` or `cuda`, where the worlds are stepped and the agent acts.
        threads: blocks of episodes that are played at the same time; None for one per processor core.
        progress: receives the progress line.
        jobs: the cluster on whose processors blocks of episodes are played, in place of this machine's threads.
    """

    task: Task
    episodes: int = 100
    seed: int = 0
    backend: str = "embedded"
    device: str = "cpu"
    threads: int | None = None
    progress: Progress = silent
    jobs: "ClusterJobs | None" = None

    def __post_init__(self) -> None:
        """Raises InputError for a number out of its range."""
        check_range("episodes", self.episodes, 1, MOST_COUNT, whole=True)
        check_range("seed", self.seed, 0, 2**63 - 1, whole=True)
        if self.threads is not None:
            check_range("threads", self.threads, 1, MOST_THREADS, whole=True)

    def labelled(self, label: str) -> "Playback":
        """The same playback; `label` stands before every progress line."""
        return replace(self, progress=lambda text: self.progress(f"{label}: {text}"))

    def on(self, task: Task) -> "Playback":
        """The same playback of another task."""
        return replace(self, task=task)

    @property
    def alone(self) -> "Playback":
        """The same episodes, without progress and without a cluster, to be sent to a node of one."""
        return replace(self, progress=silent, jobs=None, threads=1)

    @property
    def on_cpu(self) -> "Playback":
        """The same playback on the CPU."""
        return replace(self, device="cpu")


def acting(
    env: BatchEnv, policy: Player, seed: int, streams: npt.NDArray[np.int64], steps: int, reset_policy: bool = True
) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """Starts the episodes (seed, streams [N], 0) and yields (step, actions [N]) for each of their first `steps` steps.

    The caller reads the observation that was acted on, then calls `env.step(actions)`.

    Args:
        reset_policy: whether the policy's state is reset first; otherwise it carries over from the episodes before.
    """
    env.reset(seed, streams)
    if reset_policy:
        policy.reset_rows(np.ones(env.num_envs, dtype=bool))
    for step in range(steps):
        yield step, policy.act(env, uniforms(seed, streams, step))


def uniforms(seed: int, streams: npt.ArrayLike, step: int) -> npt.NDArray[np.float64]:
    """[N] numbers in [0, 1), a function of (seed, stream, step) alone: three rounds of SplitMix64's mixing function."""
    state = np.asarray(streams, dtype=np.uint64)
    for part in (np.uint64(seed), np.uint64(step), np.uint64(0xA17)):
        state = _mixed((state ^ part) + np.uint64(0x9E3779B97F4A7C15))
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mixed(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def to_numpy(array: Any) -> npt.NDArray:
    """An array of a batch of worlds, or an output of a policy, as a NumPy array; copied from the GPU where it lies there."""
    return array.cpu().numpy() if hasattr(array, "cpu") else np.asarray(array)
