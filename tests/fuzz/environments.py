"""Misuse of worlds: calls in any order, with arguments of any kind, and states that are not theirs."""

import functools
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from env.backends import make_batch
from env.batch import BatchEnv
from env.painting.registry import PAINTING_TASKS, make_painting
from env.task import Task
from maze_gen.errors import InputError
from maze_gen.text import read_maze
from tests.fuzz import odd


@functools.cache
def task() -> Task:
    maze = read_maze("*********\n*P A   G*\n* ***** *\n*  S    *\n*********\n", "thin")
    return Task("fuzz", (maze,), episode_seconds=1, spawn_distance=1, observation_size=42)


def _argument(random: Random, rows: int, good: Any) -> Any:
    pick = random.random()
    if pick < 0.4:
        return good
    if pick < 0.6:
        return odd.array(np.asarray(good), random)
    if pick < 0.7:
        return [[1, 2], [3]]
    if pick < 0.8:
        return [odd.value(random) for _ in range(rows)]
    return odd.value(random)


def _call(env: BatchEnv, random: Random) -> BatchEnv:
    rows, pick = env.num_envs, random.randrange(9)
    if pick == 0:
        env.reset(odd.value(random) if random.random() < 0.5 else 3)
    elif pick == 1:
        env.reset(3, _argument(random, rows, np.arange(rows)))
    elif pick in (2, 3, 4):
        sizes = env.spec.action.sizes
        actions = np.array([[random.randrange(size) for size in sizes] for _ in range(rows)])
        env.step(_argument(random, rows, actions if len(sizes) > 1 else actions[:, 0]))
    elif pick == 5:
        env.reset_rows(_argument(random, rows, np.array([random.random() < 0.5 for _ in range(rows)])))
    elif pick == 6:
        state = env.state_arrays() or {}
        if state and random.random() < 0.8:
            name = random.choice(sorted(state))
            state[name] = odd.array(state[name], random)
        if state and random.random() < 0.1:
            del state[random.choice(sorted(state))]
        env.restore_state(state)
    elif pick == 7:
        return env.clone()
    elif random.random() < 0.1:
        env.close()
    return env


def run(random: Random, folder: Path) -> None:
    """Makes worlds and calls them a dozen times; raises what the last call raised."""
    count: Any = random.choice((1, 2, 3)) if random.random() < 0.9 else random.choice([0, -1, 1.5, "2", None, 10**12])
    paints = random.random() < 0.3
    observe: Any = None if paints else random.choice((("velocity",), ("rgb", "velocity"), ("depth_target",)))
    if random.random() < 0.05:
        observe = random.choice((("nothing",), ("rgb", 3), ()))
    played = make_painting(random.choice(tuple(PAINTING_TASKS)[:3])) if paints else task()
    env = make_batch(played, count, observe=observe, threads=random.choice((1, 1, 1, 2, 0, -1)))
    last: InputError | None = None
    try:
        for _ in range(12):
            last = None
            try:
                env = _call(env, random)
            except InputError as error:
                last = error
    finally:
        env.close()
    if last is not None:
        raise last
