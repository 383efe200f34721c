"""The Gymnasium face of one world: ids, the library's own checker, settings, options, and the same world behind every face."""

import time
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from env.registry import make_task
from env.single import KnossosEnv
from env.vector import KnossosVectorEnv
from knossos import IDS
from maze_gen.errors import InputError
from maze_gen.text import load_maze, write_maze

MAZE = "*" * 15 + "\n*G   A       P*\n" + "*" * 15 + "\n"


def test_published_ids_stay() -> None:
    published = {
        "Knossos/StaticSmall-v0": "static-small",
        "Knossos/StaticLarge-v0": "static-large",
        "Knossos/StaticHuge-v0": "static-huge",
        "Knossos/RandomGoalSmall-v0": "random-goal-small",
        "Knossos/RandomGoalLarge-v0": "random-goal-large",
        "Knossos/RandomGoalHuge-v0": "random-goal-huge",
        "Knossos/IMaze-v0": "i-maze",
        "Knossos/ProceduralSmall-v0": "procedural-small",
        "Knossos/ProceduralLarge-v0": "procedural-large",
    }
    assert published.items() <= IDS.items()


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize("settings", [{}, {"depth": True, "normalize": True}], ids=["plain", "depth, normalized"])
def test_checker_passes_without_a_warning(name: str, settings: dict[str, Any]) -> None:
    world = gymnasium.make(name, render_mode="rgb_array", **settings)
    check_env(world.unwrapped)
    world.close()


@pytest.mark.parametrize("name", IDS)
def test_specs_name_the_tasks_own_time(name: str) -> None:
    assert gymnasium.spec(name).max_episode_steps == make_task(IDS[name], mazes=1).episode_steps


def test_a_limit_of_steps_is_an_argument() -> None:
    world = gymnasium.make("Knossos/StaticSmall-v0", max_episode_steps=3)
    world.reset(seed=1)
    assert [world.step(0)[3] for _ in range(3)] == [False, False, True]
    world.close()


def test_observation_forms() -> None:
    world = KnossosEnv("static-small", depth=True)
    observation, _ = world.reset(seed=3)
    assert {name: (array.shape, array.dtype) for name, array in observation.items()} == {
        "rgb": ((84, 84, 3), np.uint8),
        "velocity": ((6,), np.float32),
        "depth": ((84, 84, 1), np.uint8),
    }
    world.close()


def test_normalized_observations_are_the_plain_ones_scaled() -> None:
    plain, scaled = KnossosEnv("static-small", depth=True), KnossosEnv("static-small", depth=True, normalize=True)
    plain.reset(seed=3)
    scaled.reset(seed=3)
    for action in (2, 2, 6, 1, 5):
        raw, (found, *_) = plain.step(action)[0], scaled.step(action)
        np.testing.assert_array_equal(found["rgb"], raw["rgb"])
        np.testing.assert_allclose(found["velocity"] * [320, 320, 320, 126.7, 126.7, 126.7], raw["velocity"], rtol=1e-5)
        np.testing.assert_allclose(found["depth"] * 255, raw["depth"], rtol=1e-5)
        assert found["depth"].dtype == found["velocity"].dtype == np.float32
        assert scaled.observation_space.contains(found)
    assert np.abs(found["velocity"]).max() <= 1
    plain.close()
    scaled.close()


def test_vector_and_single_play_the_same_worlds() -> None:
    vector = KnossosVectorEnv("random-goal-small", 3, depth=True)
    seen, _ = vector.reset(seed=9)
    actions = np.random.default_rng(0).integers(0, 8, (40, 3))
    single = KnossosEnv("random-goal-small", depth=True)
    alone, _ = single.reset(seed=9)
    for step in range(40):
        for name, array in alone.items():
            np.testing.assert_array_equal(array, seen[name][0])
        seen, rewards, _, _, _ = vector.step(actions[step])
        alone, reward, terminated, truncated, _ = single.step(actions[step, 0])
        assert reward == rewards[0]
        assert not terminated
        assert not truncated
    vector.close()
    single.close()


def test_reset_without_a_seed_goes_on_to_another_episode() -> None:
    world = KnossosEnv("static-small")
    first, _ = world.reset(seed=5)
    second, _ = world.reset()
    assert (first["rgb"] != second["rgb"]).any()
    again, _ = world.reset(seed=5)
    np.testing.assert_array_equal(first["rgb"], again["rgb"])
    world.close()


def test_observations_are_not_overwritten() -> None:
    world = KnossosEnv("static-small")
    observation, _ = world.reset(seed=5)
    kept = observation["rgb"].copy()
    for _ in range(5):
        world.step(0)
    np.testing.assert_array_equal(observation["rgb"], kept)
    world.close()


@pytest.mark.parametrize("action", [8, -1, 2.5, None, True, "forward"])
def test_an_invalid_action_raises_with_its_value(action: object) -> None:
    world = KnossosEnv("static-small")
    world.reset(seed=1)
    with pytest.raises(InputError, match=str(action)):
        world.step(action)  # type: ignore[arg-type]
    world.close()


def test_stepping_after_close_raises() -> None:
    world = KnossosEnv("static-small")
    world.reset(seed=1)
    world.close()
    world.close()
    with pytest.raises(InputError, match="close"):
        world.step(0)


def test_a_step_past_the_episodes_end_raises() -> None:
    world = KnossosEnv("static-small")
    world.reset(seed=1)
    while not world.step(0)[3]:
        pass
    with pytest.raises(InputError, match=r"truncated|ended|reset"):
        world.step(0)
    world.close()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"task": "labyrinth"}, "labyrinth"),
        ({"task": None}, "which task"),
        ({"observation_size": 50}, "50"),
        ({"backend": "doom"}, "doom"),
        ({"normalise": True}, "'normalise': did you mean 'normalize'"),
        ({"render_mode": "human"}, "human"),
        ({"render_mode": "rgb_array", "render_size": 0}, "render_size 0"),
        ({"split": "test"}, "split 'test'"),
        ({"geometry": "block"}, "geometry='block'"),
        ({"normalize": 3}, "normalize=3: expected True or False"),
        ({"depth": "no"}, "depth='no': expected True or False"),
        ({"mazes": 5}, "mazes=5: task 'static-small' has one maze"),
        *[({"task": "procedural-small", "mazes": mazes}, f"mazes {mazes!r}:") for mazes in (0, -1, 10**9, 1.5, True, "3")],
        ({"maze_file": "nowhere.txt"}, "nowhere.txt"),
        ({"maze_file": "nowhere.txt", "split": "heldout"}, "exclude each other"),
        ({"task": make_task("static-small"), "split": "heldout"}, "split='heldout'"),
    ],
)
def test_bad_settings_raise_with_their_value(arguments: dict, named: str) -> None:
    with pytest.raises(InputError, match=named):
        KnossosEnv(**({"task": "static-small"} | arguments))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"options": 3}, "3 is no mapping: expected each option of reset"),
        ({"options": {"mazes": 3}}, "unexpected option of reset 'mazes': did you mean 'maze'"),
        ({"options": {"reset_mask": np.array([True])}}, "unexpected option of reset 'reset_mask'"),
        ({"options": {"maze": 1}}, "options\\['maze'\\] = 1: expected a maze from 0 to 0"),
        ({"options": {"maze": 0.5}}, "0.5"),
        ({"seed": -1}, "seed -1"),
        ({"seed": 1 << 63}, "seed 9223372036854775808"),
    ],
)
def test_bad_resets_raise_with_their_value(arguments: dict, named: str) -> None:
    world = KnossosEnv("static-small")
    with pytest.raises(InputError, match=named):
        world.reset(**arguments)
    world.close()


def test_a_maze_file_is_played_by_the_rules_of_the_id(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text(MAZE)
    large, small, alone = (
        gymnasium.make("Knossos/StaticLarge-v0", maze_file=path).unwrapped,
        gymnasium.make("Knossos/RandomGoalSmall-v0", maze_file=str(path)).unwrapped,
        KnossosEnv(maze_file=path),
    )
    for world, rules in ((large, (150, "fixed", "fixed")), (small, (60, "episode", "episode")), (alone, (60, "fixed", "fixed"))):
        task = world.task  # type: ignore[attr-defined]
        assert (task.episode_seconds, task.goal, task.fruit) == rules
        assert task.mazes == (load_maze(path),)
        assert world.reset(seed=1)[1]["goal_cell"] == 0
        world.close()


def test_heldout_mazes_by_a_setting() -> None:
    world = gymnasium.make("Knossos/StaticSmall-v0", split="heldout", mazes=3).unwrapped
    assert world.task == make_task("static-small", split="heldout", mazes=3)  # type: ignore[attr-defined]
    world.close()


def test_infos_name_the_maze_of_a_procedural_task_and_reset_chooses_it() -> None:
    world = KnossosEnv("procedural-small")
    for maze in (0, 7, 999):
        _, info = world.reset(seed=4, options={"maze": maze})
        assert info["maze"] == maze
        assert info["maze_text"] == write_maze(world.task.mazes[maze])
    twice = [world.reset(options={"maze": 7})[0] for _ in range(2)]
    assert (twice[0]["rgb"] != twice[1]["rgb"]).any()
    assert "maze" in world.step(2)[4]
    fixed = KnossosEnv("static-small")
    assert "maze_text" not in fixed.reset(seed=1)[1]
    world.close()
    fixed.close()


def test_a_chosen_maze_is_played_in_an_episode_of_the_same_seed() -> None:
    world = KnossosEnv("procedural-small", mazes=5)
    drawn = [world.reset(seed=3)[1]["maze"]] + [world.reset()[1]["maze"] for _ in range(30)]
    episodes = [world.reset(seed=3)[0]["rgb"]] + [world.reset()[0]["rgb"] for _ in range(30)]
    for maze in range(5):
        chosen, _ = world.reset(seed=3, options={"maze": maze})
        np.testing.assert_array_equal(chosen["rgb"], episodes[drawn.index(maze)])
    world.close()


@pytest.mark.parametrize("size", [16, 42, 101, 336, 700])
def test_pictures_of_any_size(size: int) -> None:
    world = KnossosEnv("static-small", render_mode="rgb_array", render_size=size)
    world.reset(seed=2)
    for action in (2, 0, 2, 2):
        observation, *_ = world.step(action)
    picture = world.render()
    assert picture is not None
    assert (picture.shape, picture.dtype) == ((size, size, 3), np.uint8)
    # The same view: mean colours of 4 x 4 parts are near those of the observation.
    parts = [
        np.array([[cell.mean((0, 1)) for cell in np.array_split(line, 4, 1)] for line in np.array_split(image, 4, 0)])
        for image in (picture.astype(float), observation["rgb"].astype(float))
    ]
    assert np.abs(parts[0] - parts[1]).max() < 25
    # Looking changes nothing.
    np.testing.assert_array_equal(world.batch.observation["rgb"][0], observation["rgb"])
    world.close()


def test_a_second_procedural_world_takes_no_time() -> None:
    gymnasium.make("Knossos/ProceduralLarge-v0").close()
    begin = time.perf_counter()
    world = gymnasium.make("Knossos/ProceduralLarge-v0")
    world.reset(seed=1)
    world.step(0)
    assert time.perf_counter() - begin < 2
    world.close()
