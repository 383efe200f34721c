"""A row's trajectory depends on seed, stream, episode and actions alone; wrong calls raise and change nothing."""

import gc
import threading
import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from env.batch import Outcome
from env.engine.engine import Engine
from env.navigation import NUM_ACTIONS
from env.task import Task
from maze_gen.catalogue import catalogue_maze
from maze_gen.errors import InputError
from maze_gen.generator import GeneratorConfig, generate


def pool_task(seconds: int = 2) -> Task:
    mazes = tuple(generate(GeneratorConfig(rows=5, cols=6), seed) for seed in range(7))
    return Task("pool", mazes, episode_seconds=seconds, goal="episode", fruit="episode", spawn_distance=3)


def actions_of(stream: int, step: int) -> int:
    return (stream * 7919 + step // 5 * 104729 + stream * step // 9) % NUM_ACTIONS


def arrays_of(outcome: Outcome) -> list[npt.NDArray[Any]]:
    return [outcome.reward, outcome.terminated, outcome.truncated, *outcome.statistics.values()]


def record(streams: list[int], seed: int = 4, threads: int = 1, steps: int = 70) -> dict[int, list[Any]]:
    """What each stream sees, gets and is told over a few episodes; resets come when they are due."""
    n = len(streams)
    told: dict[int, list[Any]] = {stream: [] for stream in streams}
    with Engine(pool_task(), n, observe={"rgb", "velocity", "depth", "depth_target"}, threads=threads) as engine:
        engine.reset(seed, streams)
        for step in range(steps):
            seen, facts = engine.observation, engine.privileged
            for row, stream in enumerate(streams):
                arrays = [*seen.values(), *arrays_of(engine.outcome), *facts.values()]
                told[stream].append([array[row].copy() for array in arrays])
            engine.step([actions_of(stream, step) for stream in streams])
            if engine.outcome.truncated.any():
                engine.reset_rows(engine.outcome.truncated)
    return told


def equal(one: list[Any], other: list[Any]) -> bool:
    return all(np.array_equal(a, b) for step, again in zip(one, other, strict=True) for a, b in zip(step, again, strict=True))


def test_rows_do_not_depend_on_the_batch() -> None:
    together = record([0, 1, 2, 3, 4, 5, 6, 7])
    alone = record([5])
    turned = record([7, 5, 3])
    assert equal(together[5], alone[5])
    for stream in (7, 5, 3):
        assert equal(together[stream], turned[stream])
    assert not equal(together[0], together[1])


def test_rows_do_not_depend_on_threads() -> None:
    one = record(list(range(7)), threads=1)
    three = record(list(range(7)), threads=3)
    assert all(equal(one[stream], three[stream]) for stream in one)


def test_seeds_and_streams_matter() -> None:
    streams = list(range(30))
    first, second = record(streams, seed=1, steps=1), record(streams, seed=2, steps=1)
    assert sum(equal(first[stream], second[stream]) for stream in streams) < 3
    far = record([2**62, 2**33 + 1, 1], steps=1)
    assert not equal(far[2**33 + 1], far[1])


def test_resetting_again_repeats() -> None:
    with Engine(pool_task(), 3) as engine:
        engine.reset(9)
        first = [engine.observation["rgb"].copy(), engine.privileged["position"].copy(), engine.privileged["maze"].copy()]
        for _ in range(20):
            engine.step([2, 6, 7])
        engine.reset_rows([True, True, False])
        engine.reset(9)
        again = [engine.observation["rgb"], engine.privileged["position"], engine.privileged["maze"]]
        assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_reset_rows_leaves_the_others() -> None:
    with Engine(pool_task(), 4, observe={"rgb", "velocity", "depth"}) as engine:
        engine.reset(0)
        for _ in range(10):
            engine.step([2, 2, 6, 7])
        depth = engine.observation["depth"]
        arrays = [engine.observation["rgb"], depth, engine.observation["velocity"], *engine.privileged.values()]
        before = [array.copy() for array in arrays]
        engine.reset_rows([False, True, False, False])
        for array, old in zip(arrays, before, strict=True):
            np.testing.assert_array_equal(array[[0, 2, 3]], old[[0, 2, 3]])
        assert engine.privileged["seconds"][1] == 0
        assert engine.privileged["seconds"][0] > 0
        assert not np.array_equal(engine.privileged["position"][1], before[3][1])


def test_episodes_draw_from_the_pool() -> None:
    with Engine(pool_task(), 2000, observe={"velocity"}) as engine:
        engine.reset(0)
        counts = np.bincount(engine.privileged["maze"], minlength=7)
        assert len(counts) == 7
        assert ((counts - 2000 / 7) ** 2 / (2000 / 7)).sum() < 25
        before = engine.privileged["maze"].copy()
        engine.reset_rows(np.ones(2000, dtype=bool))
        assert (engine.privileged["maze"] != before).mean() > 0.8


def test_arrays_are_written_in_place() -> None:
    with Engine(pool_task(), 2) as engine:
        seen = engine.reset(0)
        assert engine.step([2, 2]) is seen is engine.observation
        assert set(engine.observation) == {"rgb", "velocity"}
        assert seen["rgb"].shape == (2, 84, 84, 3)
        assert seen["rgb"].dtype == np.uint8


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ([0, 8], "row 1: action 8"),
        ([-1, 0], "row 0: action -1"),
        ([0], "shape"),
        ([[0, 1]], "shape"),
        ([0.0, 1.0], "float64"),
        (["0", "1"], "integers"),
        ([0, 2**40], "row 1: action 1099511627776"),
        (np.array([0, 2**64 - 1], dtype=np.uint64), "row 1: action 18446744073709551615"),
    ],
)
def test_wrong_actions_raise_and_change_nothing(actions: Any, message: str) -> None:
    with Engine(pool_task(), 2) as engine:
        engine.reset(0)
        engine.step([2, 6])
        before = engine.privileged["position"].copy()
        with pytest.raises(InputError, match=message):
            engine.step(actions)
        np.testing.assert_array_equal(engine.privileged["position"], before)
        engine.step([2, 6])


def test_wrong_calls_raise() -> None:
    task = Task("small", (catalogue_maze("static-small"),), episode_seconds=60)
    engine = Engine(task, 2)
    for call in (lambda: engine.step([0, 0]), lambda: engine.reset_rows([True, True])):
        with pytest.raises(InputError, match="before reset"):
            call()
    for seed in (-1, 2**63, 1.5):
        with pytest.raises(InputError, match="seed"):
            engine.reset(seed)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="streams"):
        engine.reset(0, [1])
    engine.reset(0)
    with pytest.raises(InputError, match="rows"):
        engine.reset_rows([0, 1])
    engine.close()
    engine.close()
    for call in (lambda: engine.step([0, 0]), lambda: engine.reset_rows([True, True]), lambda: engine.reset(0)):
        with pytest.raises(InputError, match="after close"):
            call()
    wrong: dict[str, Any] = {"num_envs": 0, "threads": 0, "device": "tpu"}
    for rules in ({"episode_seconds": 0}, {"action_repeat": 0}, {"spawn_distance": -1}, {"observation_size": 83}):
        with pytest.raises(InputError, match=next(iter(rules))):
            Engine(replace(task, **rules), 1)
    for name, value in wrong.items():
        arguments: dict[str, Any] = {"task": task, "num_envs": 1, name: value}
        with pytest.raises(InputError, match=name):
            Engine(**arguments)


def test_a_step_allocates_nothing() -> None:
    """Beside a few Python objects, whatever the batch's size."""
    task = Task("small", (catalogue_maze("static-small"),), episode_seconds=60)
    with Engine(task, 500, observe={"rgb", "velocity", "depth", "depth_target"}, threads=2) as engine:
        engine.reset(0)
        actions = np.full(500, 2)
        engine.step(actions)
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            for _ in range(5):
                engine.step(actions)
            now, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        # An array of the batch's size in 8-byte numbers is 4,000 bytes.
        assert peak - before < 3000
        assert now - before < 2000


@pytest.mark.parametrize("closed", [True, False])
def test_no_thread_stays_behind(closed: bool) -> None:
    before = threading.active_count()
    engine = Engine(pool_task(), 4, threads=3)
    engine.reset(0)
    engine.step([0, 1, 2, 3])
    assert threading.active_count() == before + 2
    if closed:
        engine.close()
    del engine
    gc.collect()
    assert threading.active_count() == before
