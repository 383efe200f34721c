"""Copies and pickles of the faces: equal from there on, with a life of their own."""

import copy
import gc
import pickle
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import knossos  # noqa: F401 - registers the ids
from env.dm import KnossosDmEnv
from env.single import KnossosEnv
from env.vector import KnossosVectorEnv

COPIES: dict[str, Callable[[Any], Any]] = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda world: pickle.loads(pickle.dumps(world)),
}
MAKERS: dict[str, Callable[[], Any]] = {
    "single": lambda: KnossosEnv("random-goal-small", depth=True, normalize=True),
    "by id": lambda: gymnasium.make("Knossos/ProceduralSmall-v0", mazes=7),
    "vector": lambda: KnossosVectorEnv("procedural-small", 3, mazes=7, max_episode_steps=40),
    "vector, same step": lambda: KnossosVectorEnv("static-small", 3, autoreset_mode=AutoresetMode.SAME_STEP, threads=2),
}


def trajectory(world: Any, steps: int, seed: int) -> list[Any]:
    """Everything that a face says in some random steps; an episode that ends goes on with the next one."""
    draws = np.random.default_rng(seed)
    shape = world.action_space.shape
    said = []
    for _ in range(steps):
        observation, reward, terminated, truncated, infos = world.step(
            draws.integers(0, 8, shape) if shape else int(draws.integers(8))
        )
        said.append((observation, reward, terminated, truncated, infos))
        if not shape and (terminated or truncated):
            said.append(world.reset())
    return said


def same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, tuple | list) or (isinstance(one, np.ndarray) and one.dtype == object):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(np.array_equal(one, other))


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("copied", COPIES)
def test_a_copy_goes_on_as_the_original(maker: str, copied: str) -> None:
    world = MAKERS[maker]()
    world.reset(seed=3)
    trajectory(world, 37, 0)
    clone = COPIES[copied](world)
    expected = trajectory(world, 30, 1)
    assert same(trajectory(clone, 30, 1), expected)
    # Different actions lead elsewhere: the comparison above can fail.
    assert not same(trajectory(clone, 5, 2), trajectory(world, 5, 3))
    for face in (world, clone):
        face.close()


@pytest.mark.parametrize("maker", MAKERS)
def test_a_copy_has_a_life_of_its_own(maker: str) -> None:
    """The inputs of the issue: the clone moved the original, and compiled code read freed memory when that was gone."""
    world = MAKERS[maker]()
    world.reset(seed=3)
    heading = world.unwrapped.batch.privileged["heading"].copy()
    clone = copy.deepcopy(world)
    trajectory(clone, 5, 0)
    np.testing.assert_array_equal(world.unwrapped.batch.privileged["heading"], heading)
    world.close()
    del world
    gc.collect()
    trajectory(clone, 200, 1)
    clone.close()


def test_random_seeds_after_a_copy_are_the_same_too() -> None:
    world = KnossosEnv("random-goal-small")
    clone = copy.deepcopy(world)
    world.reset()
    clone.np_random = copy.deepcopy(world.np_random)
    twin = copy.deepcopy(world)
    assert same(world.reset(), twin.reset())
    for face in (world, clone, twin):
        face.close()


def test_a_copy_in_the_step_between_two_episodes() -> None:
    worlds = KnossosVectorEnv("static-small", 2, max_episode_steps=5)
    worlds.reset(seed=1)
    for _ in range(5):
        truncated = worlds.step([2, 3])[3]
    assert truncated.all()
    clone = copy.deepcopy(worlds)
    assert same(worlds.step([0, 0]), clone.step([0, 0]))
    worlds.close()
    clone.close()


@pytest.mark.parametrize("copied", COPIES)
def test_dm_env(copied: str) -> None:
    world = KnossosDmEnv("random-goal-small", seed=4)
    world.reset()
    for step in range(20):
        world.step(step % 8)
    clone = COPIES[copied](world)
    for step in range(30):
        one, other = world.step(step % 8), clone.step(step % 8)
        assert same(tuple(one), tuple(other))
    for step in range(3):
        clone.step(step)
    assert not same(tuple(world.step(2)), tuple(clone.step(2)))
    world.close()
    clone.close()


def test_copies_share_their_mazes() -> None:
    world = KnossosEnv("procedural-large")
    world.reset(seed=1)
    clone = copy.deepcopy(world)
    assert clone.task is world.task
    assert clone.batch.task is world.task
    world.close()
    clone.close()
