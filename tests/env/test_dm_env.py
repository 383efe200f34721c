"""The dm_env face passes dm_env's own contract, to the end of an episode and beyond."""

from collections.abc import Iterator

import numpy as np
import pytest
from absl.testing import absltest
from dm_env import test_utils

from env.dm import KnossosDmEnv
from env.registry import make_task
from env.single import KnossosEnv
from maze_gen.errors import InputError


class TestContract(test_utils.EnvironmentTestMixin, absltest.TestCase):
    def make_object_under_test(self) -> KnossosDmEnv:
        return KnossosDmEnv("static-small", seed=2, depth=True)

    def make_action_sequence(self) -> Iterator[np.int64]:
        draws = np.random.default_rng(1)
        for _ in range(make_task("static-small").episode_steps + 5):
            yield draws.integers(0, 8)


def test_it_plays_the_world_of_the_gymnasium_face() -> None:
    ours, theirs = KnossosDmEnv("static-small", seed=7), KnossosEnv("static-small")
    observation, _ = theirs.reset(seed=7)
    time_step = ours.reset()
    for step in range(100):
        np.testing.assert_array_equal(time_step.observation["rgb"], observation["rgb"])
        time_step = ours.step(step % 8)
        observation, reward, _, _, _ = theirs.step(step % 8)
        assert time_step.reward == reward
    ours.close()
    theirs.close()


def test_the_last_step_may_be_bootstrapped() -> None:
    world = KnossosDmEnv("static-small", seed=7)
    time_step = world.reset()
    while not time_step.last():
        time_step = world.step(2)
    assert time_step.discount == 1.0
    world.close()


@pytest.mark.parametrize("action", [8, -1, 2.5, None, True])
def test_an_invalid_action_raises_with_its_value(action: object) -> None:
    world = KnossosDmEnv("static-small", seed=7)
    world.reset()
    with pytest.raises(InputError, match=str(action)):
        world.step(action)
    world.step(np.array(1, dtype=np.int32))
    world.close()
