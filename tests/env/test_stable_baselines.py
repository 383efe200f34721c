"""The adapter to Stable-Baselines3: the same episodes as its own wrappers around single worlds, and agents that train in it."""

from typing import Any

import gymnasium
import numpy as np
import pytest

import knossos  # noqa: F401 - registers the ids
from maze_gen.errors import InputError

stable_baselines3 = pytest.importorskip("stable_baselines3")

from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor  # noqa: E402  # pyright: ignore[reportMissingImports]

from env.stable_baselines import KnossosVecEnv  # noqa: E402

NAME = "Knossos/ProceduralSmall-v0"
LIMIT = 6


def test_it_plays_as_dummy_vec_env_does() -> None:
    ours = KnossosVecEnv(NAME, 3, depth=True, max_episode_steps=LIMIT)
    theirs = DummyVecEnv([lambda: gymnasium.make(NAME, depth=True, max_episode_steps=LIMIT) for _ in range(3)])
    assert (ours.observation_space, ours.action_space) == (theirs.observation_space, theirs.action_space)
    for worlds in (ours, theirs):
        worlds.seed(4)
    seen, expected = ours.reset(), theirs.reset()
    draws = np.random.default_rng(1)
    for step in range(3 * LIMIT):
        for name in expected:
            np.testing.assert_array_equal(seen[name], expected[name])
        actions = draws.integers(0, 8, 3)
        (seen, rewards, dones, infos), (expected, *others) = ours.step(actions), theirs.step(actions)
        np.testing.assert_array_equal(rewards, others[0])
        np.testing.assert_array_equal(dones, others[1])
        assert dones.all() == (step % LIMIT == LIMIT - 1)
        for info, other in zip(infos, others[2], strict=True):
            same(info, {name: value for name, value in other.items() if name != "TimeLimit.truncated" or name in info})
    for info, other in zip(ours.reset_infos, theirs.reset_infos, strict=True):
        same({name: info[name] for name in other}, other)
    ours.close()
    theirs.close()


def same(info: dict[str, Any], other: dict[str, Any]) -> None:
    assert info.keys() == other.keys()
    for name, value in info.items():
        if name == "terminal_observation":
            same(value, other[name])
        else:
            np.testing.assert_array_equal(value, other[name])


def test_options_choose_mazes() -> None:
    worlds = KnossosVecEnv(NAME, 2)
    worlds.set_options([{"maze": 3}, {}])
    worlds.reset()
    assert worlds.reset_infos[0]["maze"] == 3
    worlds.close()


def test_what_it_cannot_do_is_said() -> None:
    worlds = KnossosVecEnv(NAME, 2, render_mode="rgb_array", render_size=32)
    assert worlds.get_attr("render_mode", [0]) == ["rgb_array"]
    worlds.reset()
    assert [image.shape for image in worlds.get_images() if image is not None] == [(32, 32, 3)] * 2
    with pytest.raises(InputError, match="'split'"):
        worlds.set_attr("split", "train")
    with pytest.raises(InputError, match="'walk'"):
        worlds.env_method("walk")
    with pytest.raises(InputError, match="autoreset_mode"):
        KnossosVecEnv(NAME, 2, autoreset_mode="Disabled")
    worlds.close()


@pytest.mark.filterwarnings("default")
def test_ppo_trains() -> None:
    worlds = VecMonitor(KnossosVecEnv(NAME, 4, observation_size=42, normalize=True, max_episode_steps=20))
    agent = stable_baselines3.PPO("MultiInputPolicy", worlds, n_steps=32, batch_size=64, n_epochs=1, seed=1)
    before = [parameter.clone() for parameter in agent.policy.parameters()]
    agent.learn(128)
    assert any((now != then).any() for now, then in zip(agent.policy.parameters(), before, strict=True))
    assert agent.ep_info_buffer is not None
    assert [info["l"] for info in agent.ep_info_buffer] == [20] * 4
    worlds.close()


@pytest.mark.filterwarnings("default")
def test_recurrent_ppo_trains() -> None:
    contrib = pytest.importorskip("sb3_contrib")
    worlds = VecMonitor(KnossosVecEnv(NAME, 2, observation_size=42, normalize=True, max_episode_steps=20))
    agent = contrib.RecurrentPPO("MultiInputLstmPolicy", worlds, n_steps=24, batch_size=24, n_epochs=1, seed=1)
    agent.learn(48)
    assert agent.num_timesteps == 48
    worlds.close()
