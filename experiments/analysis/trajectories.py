"""Episodes as compact arrays [episodes, steps, ...]: observations, actions, rewards and activations."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from env.navigation import FRAMES_PER_SECOND
from env.task import Task

LAYER = "layer/"
"""Prefix of the signals that are layers of the network; the layer's own name follows."""

EPISODE_ARRAYS = ("position", "heading", "cell", "goal_cell", "maze", "action", "reward", "goals")
"""Names of the arrays whose first dimension is the episode, whatever else was recorded."""

RESPAWN_LEAP = 40.0
"""Units. A longer change of position within one step is a respawn: the fastest step covers 28, a spawn lies 5 cells away."""


@dataclass(frozen=True)
class Trajectories:
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
        goals: [E, T] uint8, goals reached during step t.
        signals: name → [E, T, ...], recorded by a probe at every step, e.g. activations and outputs of heads.
        pictures: episode → [T, size, size, 3] uint8, of the episodes whose pictures were kept.
        thumbnails: [E, ceil(T / thumbnail_stride), size, size, 3] uint8, every `thumbnail_stride`-th picture; None where none
            were kept.
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
    signals: dict[str, npt.NDArray] = field(default_factory=dict)
    pictures: dict[int, npt.NDArray[np.uint8]] = field(default_factory=dict)
    thumbnails: npt.NDArray[np.uint8] | None = None
    thumbnail_stride: int = 1

    @property
    def layers(self) -> dict[str, npt.NDArray[np.float16]]:
        """Name → [E, T, width], the recorded layers of the network, from the encoder to the layer that the policy reads."""
        return {name.removeprefix(LAYER): values for name, values in self.signals.items() if name.startswith(LAYER)}

    @property
    def episodes(self) -> int:
        """E."""
        return self.cell.shape[0]

    @property
    def steps(self) -> int:
        """T."""
        return self.cell.shape[1]

    @property
    def step_seconds(self) -> float:
        """Duration of an agent step."""
        return self.task.action_repeat / FRAMES_PER_SECOND

    @property
    def returns(self) -> npt.NDArray[np.floating]:
        """[E] sum of rewards."""
        return self.reward.sum(axis=1, dtype=np.float64)

    @property
    def spawned(self) -> npt.NDArray[np.bool_]:
        """[E, T] whether the agent has just been placed: at the episode's start, and after every goal."""
        leap = np.linalg.norm(np.diff(self.position, axis=1), axis=2) > RESPAWN_LEAP
        return np.concatenate([np.ones((self.episodes, 1), dtype=bool), leap], axis=1)

    @property
    def seconds_since_spawn(self) -> npt.NDArray[np.float32]:
        """[E, T] seconds."""
        steps = np.arange(self.steps)
        last = np.maximum.accumulate(np.where(self.spawned, steps, 0), axis=1)
        return ((steps - last) * self.step_seconds).astype(np.float32)


def joined(blocks: Sequence[Trajectories]) -> Trajectories:
    """The episodes of blocks of one recording, one block after the other."""
    first = blocks[0]
    arrays = {name: np.concatenate([getattr(block, name) for block in blocks]) for name in EPISODE_ARRAYS}
    signals = {name: np.concatenate([block.signals[name] for block in blocks]) for name in first.signals}
    starts = np.cumsum([0, *(block.episodes for block in blocks)]).tolist()
    pictures = {start + k: kept for start, block in zip(starts, blocks, strict=False) for k, kept in block.pictures.items()}
    thumbnails = [block.thumbnails for block in blocks if block.thumbnails is not None]
    return replace(
        first, signals=signals, pictures=pictures, thumbnails=np.concatenate(thumbnails) if thumbnails else None, **arrays
    )
