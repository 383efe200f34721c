"""The Gymnasium faces: ids found without an import of ours, the library's own checker, and the same worlds behind every face."""

import os
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from env.backends import make_batch
from env.registration import IDS, register_environments
from env.registry import make_task
from env.single import KnossosEnv
from env.vector import KnossosVectorEnv
from maze_gen.errors import InputError

register_environments()


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize("depth", [False, True])
def test_checker_passes_without_a_warning(name: str, depth: bool) -> None:
    world = gymnasium.make(name, depth=depth, render_mode="rgb_array")
    check_env(world.unwrapped)
    world.close()


def test_ids_are_found_without_an_import_of_ours(tmp_path: Path) -> None:
    code = "import gymnasium; print(gymnasium.make('Knossos/StaticSmall-v0').reset(seed=1)[0]['rgb'].shape)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=os.environ | {"PYTHONPATH": ""}, capture_output=True, text=True
    )
    if "NameNotFound" in done.stderr or "NamespaceNotFound" in done.stderr:
        start_up = Path(gymnasium.__file__).parents[1] / "knossos_gymnasium.pth"
        assert not start_up.exists(), done.stderr
        pytest.skip("the project isn't installed here (pip install -e .)")
    assert done.stdout.strip() == "(84, 84, 3)", done.stderr


def test_observation_forms() -> None:
    world = KnossosEnv("static-small", depth=True)
    observation, _ = world.reset(seed=3)
    assert {name: (array.shape, array.dtype) for name, array in observation.items()} == {
        "rgb": ((84, 84, 3), np.uint8),
        "velocity": ((6,), np.float32),
        "depth": ((84, 84), np.uint8),
    }
    world.close()


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


def test_an_ended_episode_hands_over_its_last_observation() -> None:
    vector = KnossosVectorEnv("static-small", 2)
    assert vector.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    vector.reset(seed=4)
    task = make_task("static-small")
    with make_batch(task, 2) as batch:
        batch.reset(4)
        for step in range(task.episode_steps):
            actions = np.array([2, step % 8])
            batch.step(actions)
            seen, _, terminated, truncated, infos = vector.step(actions)
            assert not terminated.any()
            assert truncated.all() == (step == task.episode_steps - 1)
        for row in range(2):
            np.testing.assert_array_equal(infos["final_obs"][row]["rgb"], batch.observation["rgb"][row])
        batch.reset_rows([True, True])
        np.testing.assert_array_equal(seen["rgb"], batch.observation["rgb"])
    vector.close()


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
    [({"task": "labyrinth"}, "labyrinth"), ({"observation_size": 50}, "50"), ({"backend": "doom"}, "doom")],
)
def test_bad_settings_raise_with_their_value(arguments: dict, named: str) -> None:
    with pytest.raises(InputError, match=named):
        KnossosEnv(**({"task": "static-small"} | arguments))  # type: ignore[arg-type]
