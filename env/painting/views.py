"""Frames of mazes as pictures to be painted: what an agent sees that walks about at random."""

import numpy as np
import numpy.typing as npt

from env.engine.engine import Engine
from env.registry import make_task
from maze_gen.errors import InputError

WORLDS, MAZES, BETWEEN = 50, 50, 15
"""Mazes at once, of how many, and agent steps between two frames of one."""


def maze_views(split: str, count: int) -> npt.NDArray[np.uint8]:
    """[count, 84, 84, 3] uint8: frames of the small procedural mazes of a split, always the same ones."""
    if split not in ("train", "heldout"):
        raise InputError(f"split {split!r} of views: expected train or heldout")
    generator = np.random.default_rng(0)
    frames = []
    with Engine(make_task("procedural-small", split=split, mazes=MAZES), WORLDS, observe=("rgb",)) as worlds:  # type: ignore[arg-type]
        worlds.reset(0)
        for _ in range(-(-count // WORLDS)):
            for _ in range(BETWEEN):
                worlds.step(generator.integers(0, worlds.spec.action.sizes[0], WORLDS))
                worlds.reset_rows(worlds.outcome.truncated)
            frames.append(worlds.observation["rgb"].copy())
    return np.concatenate(frames)[:count]
