"""The vector face: what follows an episode's end, partial resets, seeds, and Gymnasium's own vector wrappers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
import pytest
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import vector as wrappers

from env.single import KnossosEnv
from env.vector import KnossosVectorEnv
from maze_gen.errors import InputError

N = 3
LIMIT = 5


def short(mode: AutoresetMode, **settings: Any) -> KnossosVectorEnv:
    return KnossosVectorEnv("random-goal-small", N, autoreset_mode=mode, max_episode_steps=LIMIT, **settings)


def episodes_of_singles(seeds: list[int], episodes: int, actions: npt.NDArray[np.int64]) -> list[list[dict[str, Any]]]:
    """[world][episode] → observations, first one included, and rewards of single worlds; `actions` [episodes, LIMIT, N]."""
    played = []
    for row, seed in enumerate(seeds):
        world = KnossosEnv("random-goal-small")
        found = []
        for episode in range(episodes):
            observation, _ = world.reset(seed=seed if episode == 0 else None)
            seen, rewards = [observation["rgb"]], []
            for step in range(LIMIT):
                observation, reward, *_ = world.step(actions[episode, step, row])
                seen.append(observation["rgb"])
                rewards.append(reward)
            found.append({"seen": seen, "rewards": rewards})
        world.close()
        played.append(found)
    return played


SEEDS = [11, 5, 11]


@pytest.fixture(scope="module")
def actions() -> npt.NDArray[np.int64]:
    return np.random.default_rng(1).integers(0, 8, (3, LIMIT, N))


@pytest.fixture(scope="module")
def expected(actions: npt.NDArray[np.int64]) -> list[list[dict[str, Any]]]:
    return episodes_of_singles(SEEDS, 3, actions)


def test_next_step(actions: npt.NDArray[np.int64], expected: list[list[dict[str, Any]]]) -> None:
    worlds = short(AutoresetMode.NEXT_STEP)
    assert worlds.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP is worlds.autoreset_mode
    seen, _ = worlds.reset(seed=SEEDS)
    for episode in range(3):
        if episode:
            # The action of the step that resets is ignored, even one that does not exist.
            seen, rewards, terminated, truncated, infos = worlds.step(np.full(N, 99))
            assert not rewards.any() and not terminated.any() and not truncated.any() and not infos["goals"].any()  # noqa: PT018
        for row in range(N):
            np.testing.assert_array_equal(seen["rgb"][row], expected[row][episode]["seen"][0])
        for step in range(LIMIT):
            seen, rewards, terminated, truncated, infos = worlds.step(actions[episode, step])
            assert "final_obs" not in infos
            assert not terminated.any()
            assert truncated.all() == (step == LIMIT - 1)
            for row in range(N):
                np.testing.assert_array_equal(seen["rgb"][row], expected[row][episode]["seen"][step + 1])
                assert rewards[row] == expected[row][episode]["rewards"][step]
    worlds.close()


def test_same_step(actions: npt.NDArray[np.int64], expected: list[list[dict[str, Any]]]) -> None:
    worlds = short(AutoresetMode.SAME_STEP)
    worlds.reset(seed=SEEDS)
    for episode in range(2):
        for step in range(LIMIT):
            seen, _, _, truncated, infos = worlds.step(actions[episode, step])
        assert truncated.all()
        assert infos["_final_obs"].all()
        for row in range(N):
            np.testing.assert_array_equal(infos["final_obs"][row]["rgb"], expected[row][episode]["seen"][-1])
            np.testing.assert_array_equal(seen["rgb"][row], expected[row][episode + 1]["seen"][0])
        assert (infos["final_info"]["position"] != infos["position"]).any()
    worlds.close()


def test_disabled(actions: npt.NDArray[np.int64], expected: list[list[dict[str, Any]]]) -> None:
    worlds = short(AutoresetMode.DISABLED)
    worlds.reset(seed=SEEDS)
    for step in range(LIMIT):
        last, _, _, truncated, _ = worlds.step(actions[0, step])
    assert truncated.all()
    with pytest.raises(InputError, match="world 0: its episode has ended"):
        worlds.step(actions[0, 0])
    seen, _ = worlds.reset(options={"reset_mask": np.array([True, False, True])})
    np.testing.assert_array_equal(seen["rgb"][0], expected[0][1]["seen"][0])
    np.testing.assert_array_equal(seen["rgb"][1], last["rgb"][1])
    with pytest.raises(InputError, match="world 1: its episode has ended"):
        worlds.step(actions[0, 0])
    worlds.reset(options={"reset_mask": np.array([False, True, False])})
    for step in range(LIMIT):
        seen, *_ = worlds.step(actions[1, step])
    for row in range(N):
        np.testing.assert_array_equal(seen["rgb"][row], expected[row][1]["seen"][-1])
    worlds.close()


@pytest.mark.parametrize("own_end", [False, True], ids=["a limit of steps", "the task's time"])
def test_next_step_with_episodes_that_end_at_different_times(own_end: bool) -> None:
    """Worlds that wait for their first observation stay out of the others' steps."""
    limit = None if own_end else 900
    worlds = KnossosVectorEnv("static-small", 2, max_episode_steps=limit)
    single = KnossosEnv("static-small")
    worlds.reset(seed=[3, 4])
    for step in range(4):
        worlds.step([step, step])
    worlds.reset(options={"reset_mask": np.array([False, True])})
    single.reset(seed=4)
    first, _ = single.reset()
    truncations = np.zeros(2, int)
    for step in range(896):
        seen, _, _, truncated, _ = worlds.step([step % 8, step % 8])
        truncations += truncated
    assert truncations.tolist() == [1, 0]
    for step in range(896):
        alone, *_ = single.step(step % 8)
    np.testing.assert_array_equal(seen["rgb"][1], alone["rgb"])
    # World 0 starts anew, world 1 plays on.
    seen, rewards, _, truncated, infos = worlds.step([-1, 2])
    alone, *_ = single.step(2)
    np.testing.assert_array_equal(seen["rgb"][1], alone["rgb"])
    other = KnossosEnv("static-small")
    other.reset(seed=3)
    following, info = other.reset()
    np.testing.assert_array_equal(seen["rgb"][0], following["rgb"])
    assert (rewards[0], truncated[0], infos["position"][0].tolist()) == (0.0, False, info["position"].tolist())
    for world in (worlds, single, other):
        world.close()
    assert (first["rgb"] != following["rgb"]).any()


def test_a_mask_resets_its_rows_only() -> None:
    worlds = KnossosVectorEnv("static-small", N)
    before = worlds.reset(seed=1)[1]["position"]
    seen, infos = worlds.reset(options={"reset_mask": np.array([True, False, False])})
    assert (infos["position"] != before).any(1).tolist() == [True, False, False]
    other = KnossosEnv("static-small")
    other.reset(seed=1)
    np.testing.assert_array_equal(seen["rgb"][0], other.reset()[0]["rgb"])
    again, _ = worlds.reset(seed=8, options={"reset_mask": np.array([True, False, True])})
    np.testing.assert_array_equal(again["rgb"][1], seen["rgb"][1])
    np.testing.assert_array_equal(again["rgb"][0], other.reset(seed=8)[0]["rgb"])
    worlds.close()
    other.close()


def test_lists_of_seeds_are_those_of_single_worlds() -> None:
    worlds = KnossosVectorEnv("procedural-small", N)
    seen, _ = worlds.reset(seed=[4, 7, 4])
    singles = [KnossosEnv("procedural-small") for _ in range(N)]
    for row, seed in enumerate((4, 7, 4)):
        np.testing.assert_array_equal(seen["rgb"][row], singles[row].reset(seed=seed)[0]["rgb"])
    seen, _ = worlds.reset(seed=[None, 9, None])
    for row, seed in enumerate((None, 9, None)):
        np.testing.assert_array_equal(seen["rgb"][row], singles[row].reset(seed=seed)[0]["rgb"])
    seen, infos = worlds.reset(options={"maze": [3, -1, 8]})
    assert infos["maze"][[0, 2]].tolist() == [3, 8]
    for world in (worlds, *singles):
        world.close()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"seed": [1, 2]}, "2 entries: expected 3"),
        ({"seed": [1, 2, -3]}, "-3"),
        ({"options": {"reset_mask": np.ones(2, bool)}}, "3 booleans"),
        ({"options": {"reset_mask": np.zeros(3, bool)}}, "at least one True"),
        ({"options": {"reset_mask": [1, 0, 1]}}, "3 booleans"),
        ({"options": {"mask": np.ones(3, bool)}}, "unexpected option of reset 'mask'"),
        ({"options": {"maze": [0, 1]}}, "3 of them"),
    ],
)
def test_bad_resets_raise_with_their_value(arguments: dict, named: str) -> None:
    worlds = KnossosVectorEnv("static-small", N)
    worlds.reset(seed=1)
    with pytest.raises(InputError, match=named):
        worlds.reset(**arguments)
    worlds.close()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"autoreset_mode": "Never"}, "'Never': expected one of 'NextStep', 'SameStep', 'Disabled'"),
        ({"max_episode_steps": 0}, "max_episode_steps 0"),
        ({"max_episode_steps": 2.5}, "2.5"),
        ({"thread": 2}, "unexpected keyword argument 'thread'"),
        ({"num_envs": 0}, "num_envs 0"),
    ],
)
def test_bad_settings_raise_with_their_value(arguments: dict, named: str) -> None:
    with pytest.raises(InputError, match=named):
        KnossosVectorEnv("static-small", **arguments)


def test_made_by_its_id() -> None:
    worlds = gymnasium.make_vec("Knossos/StaticSmall-v0", num_envs=2, max_episode_steps=2, autoreset_mode="SameStep")
    worlds.reset(seed=1)
    assert not worlds.step([0, 1])[3].any()
    _, _, _, truncated, infos = worlds.step([0, 1])
    assert truncated.all()
    assert "final_obs" in infos
    worlds.close()


def test_infos_are_in_gymnasiums_form() -> None:
    ours = wrappers.DictInfoToList(short(AutoresetMode.NEXT_STEP))
    theirs = gymnasium.make_vec("Knossos/RandomGoalSmall-v0", num_envs=N, vectorization_mode="sync")
    mine, their = ours.reset(seed=SEEDS)[1], wrappers.DictInfoToList(theirs).reset(seed=SEEDS)[1]  # type: ignore[arg-type]
    for one, other in zip(mine, their, strict=True):
        assert {name: np.asarray(value).tolist() for name, value in one.items()} == {
            name: np.asarray(value).tolist() for name, value in other.items()
        }
    ours.close()
    theirs.close()


WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "filter": lambda worlds: wrappers.FilterObservation(worlds, ["rgb", "velocity"]),
    "flatten": wrappers.FlattenObservation,
    "resize": lambda worlds: wrappers.ResizeObservation(rgb_only(worlds), (36, 36)),
    "grey": lambda worlds: wrappers.GrayscaleObservation(rgb_only(worlds)),
    "transform": lambda worlds: wrappers.VectorizeTransformObservation(
        worlds, gymnasium.wrappers.TransformObservation, func=lambda seen: seen, observation_space=worlds.single_observation_space
    ),
    "normalize observation": lambda worlds: wrappers.NormalizeObservation(velocity_only(worlds)),
    "normalize reward": wrappers.NormalizeReward,
    "clip reward": lambda worlds: wrappers.ClipReward(worlds, -1, 1),
    "statistics": wrappers.RecordEpisodeStatistics,
}


class Only(gymnasium.vector.VectorObservationWrapper):
    """One array of the dictionary."""

    def __init__(self, worlds: Any, name: str) -> None:
        super().__init__(worlds)
        self.name = name
        self._observation_space = worlds.observation_space[name]
        self._single_observation_space = worlds.single_observation_space[name]

    def observations(self, observations: Any) -> Any:
        return observations[self.name]


def rgb_only(worlds: Any) -> Only:
    return Only(worlds, "rgb")


def velocity_only(worlds: Any) -> Only:
    return Only(worlds, "velocity")


@pytest.mark.parametrize("name", WRAPPERS)
def test_vector_wrappers_of_gymnasium(name: str) -> None:
    worlds = WRAPPERS[name](gymnasium.make_vec("Knossos/StaticSmall-v0", num_envs=2, max_episode_steps=3, depth=True))
    seen, _ = worlds.reset(seed=1)
    assert worlds.observation_space.contains(seen)
    for step in range(9):
        seen, rewards, _, truncated, infos = worlds.step(np.array([2, 3]))
        assert rewards.shape == (2,)
        assert truncated.all() == (step % 4 == 2)
        if name == "statistics" and truncated.all():
            assert infos["episode"]["l"].tolist() == [3, 3]
    worlds.close()


def test_render_of_every_world() -> None:
    worlds = KnossosVectorEnv("static-small", 2, render_mode="rgb_array", render_size=128)
    worlds.reset(seed=1)
    pictures = worlds.render()
    assert pictures is not None
    assert [picture.shape for picture in pictures] == [(128, 128, 3)] * 2
    assert (pictures[0] != pictures[1]).any()
    worlds.close()


def test_threads_change_nothing(tmp_path: Path) -> None:
    one, two = KnossosVectorEnv("procedural-small", 4), KnossosVectorEnv("procedural-small", 4, threads=2)
    one.reset(seed=1)
    two.reset(seed=1)
    for step in range(20):
        np.testing.assert_array_equal(one.step([step % 8] * 4)[0]["rgb"], two.step([step % 8] * 4)[0]["rgb"])
    one.close()
    two.close()
