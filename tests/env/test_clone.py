"""Copies, pickles and recorded states of an engine: equal from there on, independent, and refused where they are impossible."""

import copy
import gc
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from env.batch import BatchEnv
from env.engine.engine import Engine
from env.engine.frame_engine import FrameEngine
from env.navigation import NUM_ACTIONS
from env.task import Task
from maze_gen.errors import InputError
from maze_gen.generator import GeneratorConfig, generate

EVERYTHING = ("rgb", "velocity", "depth", "depth_target")


def task_of(seconds: int = 1) -> Task:
    mazes = tuple(generate(GeneratorConfig(rows=4, cols=5), seed) for seed in range(3))
    return Task("pool", mazes, episode_seconds=seconds, goal="episode", fruit="episode", spawn_distance=2)


def arrays_of(env: BatchEnv) -> list[npt.NDArray[Any]]:
    outcome = env.outcome
    return [
        *env.observation.values(),
        *env.privileged.values(),
        outcome.reward,
        outcome.terminated,
        outcome.truncated,
        *outcome.statistics.values(),
    ]


def assert_equal(one: BatchEnv, other: BatchEnv) -> None:
    for a, b in zip(arrays_of(one), arrays_of(other), strict=True):
        np.testing.assert_array_equal(a, b)


def play(env: Engine, seed: int, steps: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        if env.outcome.truncated.any() and not env._world.state.ready.all():
            env.reset_rows(env.outcome.truncated)
        env.step(rng.integers(0, NUM_ACTIONS, env.num_envs))


WAYS: dict[str, Callable[[Engine], Engine]] = {
    "clone": lambda engine: engine.clone(),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda engine: pickle.loads(pickle.dumps(engine)),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("steps", [0, 1, 7, 15, 20])
def test_a_copy_goes_on_like_the_original(way: str, steps: int) -> None:
    """From an episode's start, its middle, its end (15 steps) and the next one, over further episodes and respawns."""
    with Engine(task_of(), 5, observe=EVERYTHING, threads=2) as engine:
        engine.reset(3, [5, 1, 4, 2**40, 9])
        play(engine, 0, steps)
        with WAYS[way](engine) as other:
            assert type(other) is Engine
            assert_equal(engine, other)
            for seed in range(4):
                play(engine, seed, 10)
                play(other, seed, 10)
                assert_equal(engine, other)


def test_a_copy_has_a_life_of_its_own() -> None:
    engine = Engine(task_of(60), 3)
    engine.reset(1)
    other = copy.deepcopy(engine)
    before = [array.copy() for array in arrays_of(engine)]
    for _ in range(5):
        other.step([1, 1, 1])
    for array, old in zip(arrays_of(engine), before, strict=True):
        np.testing.assert_array_equal(array, old)
    assert not np.array_equal(engine.privileged["heading"], other.privileged["heading"])
    engine.close()
    del engine
    gc.collect()
    foreign = [np.zeros(100_000, dtype=np.uint8) for _ in range(50)]
    position = other.privileged["position"].copy()
    for _ in range(100):
        other.step([2, 2, 6])
    assert (other.privileged["position"] != position).any()
    assert not any(array.any() for array in foreign)
    other.close()


def test_a_copy_keeps_its_seed() -> None:
    with Engine(task_of(), 4) as engine, Engine(task_of(), 4) as expected:
        engine.reset(1)
        expected.reset(1)
        with engine.clone() as other:
            engine.reset(2)
            for each in (other, expected):
                each.reset_rows(np.ones(4, dtype=bool))
            assert_equal(other, expected)


def test_what_was_not_started_or_is_closed_is_copied_as_such() -> None:
    with Engine(task_of(), 2) as fresh, fresh.clone() as other:
        with pytest.raises(InputError, match="before reset"):
            other.step([0, 0])
        fresh.reset(1)
        other.reset(1)
        assert_equal(fresh, other)
    with pytest.raises(InputError, match="after close"):
        fresh.clone().step([0, 0])


def test_a_frame_engine_stays_one() -> None:
    with FrameEngine(task_of(), 1) as engine:
        engine.reset(0)
        other = engine.clone()
        for each in (engine, other):
            each.play_frame(20, 1, 0)
        assert_equal(engine, other)
        other.close()


def test_a_recorded_state_continues_in_another_engine() -> None:
    with Engine(task_of(), 4, observe=EVERYTHING, threads=3) as engine, Engine(task_of(), 4, observe=EVERYTHING) as other:
        engine.reset(8)
        play(engine, 1, 22)
        state = engine.state_arrays()
        play(engine, 2, 30)
        other.reset(0)
        other.restore_state(state)
        play(other, 2, 30)
        assert_equal(engine, other)
        engine.restore_state(state)
        play(engine, 2, 30)
        assert_equal(engine, other)


@pytest.mark.parametrize(
    ("name", "index", "value", "message"),
    [
        ("position", (1, 0), 1e8, r"position\[1\]"),
        ("position", (1, 0), np.nan, r"position\[1\]"),
        ("position", (0, 1), 2.0, r"position\[0\]"),
        ("motion", (0, 0), np.inf, r"motion\[0, 0\]"),
        ("angle", (1,), -1.0, r"angle\[1\]"),
        ("heading", (0,), 65536, r"heading\[0\]"),
        ("clock", (0, 3), -(2**31), r"clock\[0, 3\]"),
        ("frame", (0,), 10**6, r"frame\[0\]"),
        ("touched", (0,), 4, r"touched\[0\]"),
        ("items", (1, 1), 3 * 10**6, r"items\[1, 1\]"),
        ("ready", (0,), 0, r"ready\[0\]"),
        ("reward", (0,), np.nan, r"reward\[0\]"),
        ("seed", (0,), -1, r"seed\[0\]"),
    ],
)
def test_impossible_states_are_refused(name: str, index: tuple[int, ...], value: float, message: str) -> None:
    with Engine(task_of(), 2) as engine:
        engine.reset(0)
        engine.step([2, 2])
        state = engine.state_arrays()
        state[name][index] = value
        with pytest.raises(InputError, match=message):
            engine.restore_state(state)


def test_states_of_other_shapes_are_refused() -> None:
    with Engine(task_of(), 2) as engine, Engine(task_of(), 3) as larger:
        engine.reset(0)
        larger.reset(0)
        state = engine.state_arrays()
        with pytest.raises(InputError, match="shape"):
            larger.restore_state(state)
        with pytest.raises(InputError, match="'clock' is missing"):
            engine.restore_state({key: value for key, value in state.items() if key != "clock"})
        with pytest.raises(InputError, match="'luck' is unknown"):
            engine.restore_state(state | {"luck": np.zeros(2)})
        with pytest.raises(InputError, match="type float64"):
            engine.restore_state(state | {"clock": state["clock"].astype(np.float64)})
