"""Paintings as Gymnasium's environments, and as tasks of checkpoints."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from env.domain import domain_of
from env.painting.face import PaintingEnv, PaintingVectorEnv
from env.painting.registry import make_painting
from knossos import PAINTING_IDS
from maze_gen.errors import InputError
from tests.env.painting.conftest import random_actions


def test_published_ids_stay():
    published = {"Doodle": "doodle", "Redraw": "redraw"}
    expected = {
        f"Knossos/{long}{what}-v0": f"{short}-{what.lower()}" for long, short in published.items() for what in ("Digits", "Views")
    }
    assert expected.items() <= PAINTING_IDS.items()


@pytest.mark.parametrize("name", PAINTING_IDS)
def test_the_checker_passes_without_a_warning(name, characters):
    # Without KanjiVG, which is an extra.
    own: Any = {"pictures": str(characters)} if "characters" in PAINTING_IDS[name] else {}
    world = gymnasium.make(name, render_mode="rgb_array", render_size=50, **own)
    check_env(world.unwrapped)
    world.reset(seed=1)
    world.step(world.action_space.sample())
    picture: Any = world.render()
    assert picture.shape == (50, 50, 3)
    world.close()


def test_vector_and_single_paint_the_same():
    vector = gymnasium.make_vec("Knossos/RedrawDigits-v0", num_envs=3)
    single = PaintingEnv("redraw-digits")
    assert isinstance(vector, PaintingVectorEnv)
    (seen, _), (alone, _) = vector.reset(seed=4), single.reset(seed=4)
    actions = random_actions((2, 256, 256, 3, 4), 20, 3)
    for action in actions:
        for name, array in alone.items():
            np.testing.assert_array_equal(array, seen[name][0])
        seen, rewards, terminated, truncated, infos = vector.step(action)
        if single_ended := bool(single.batch.outcome.terminated[0]):
            alone, _ = single.reset()
        else:
            alone, reward, *ends, info = single.step(action[0])
            assert (reward, *ends) == (rewards[0], terminated[0], truncated[0])
            assert info["distance"] == infos["distance"][0]
        assert single_ended == (rewards[0] == 0 and not terminated[0] and seen["time"][0, 0] == 0)


def test_settings_are_arguments():
    world = gymnasium.make("Knossos/DoodleDigits-v0", grid=8, pressures=[0.5, 1.0], steps=3, side=24, hardness=0.5)
    observation, _ = world.reset(seed=0)
    assert observation["canvas"].shape == (24, 24, 1)
    assert world.action_space == gymnasium.spaces.MultiDiscrete([2, 64, 64, 3, 2])
    assert [world.step(world.action_space.sample())[2] for _ in range(3)] == [False, False, True]
    world.close()


def test_settings_that_make_no_sense():
    with pytest.raises(TypeError, match="'stepz': did you mean 'steps'"):
        PaintingEnv("doodle-digits", stepz=3)  # type: ignore[call-arg]
    with pytest.raises(InputError, match="colours=0"):
        PaintingEnv("doodle-digits", colours=4)  # type: ignore[call-arg]
    with pytest.raises(InputError, match="given whole"):
        PaintingEnv(make_painting("doodle-digits"), steps=4)  # type: ignore[arg-type, call-arg]
    with pytest.raises(InputError, match="'doodle-faces'"):
        PaintingEnv("doodle-faces")
    world = PaintingEnv("doodle-digits")
    with pytest.raises(InputError, match="option of reset 'maze'"):
        world.reset(options={"maze": 1})
    world.reset(seed=0)
    with pytest.raises(InputError, match=r"expected 5 integers, each below \(2, 256, 256, 3, 4\)"):
        world.step(np.array([0, 256, 0, 0, 0]))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["parse-digits", "redraw-views"])
def test_a_task_is_recorded_and_read(name):
    task = make_painting(name, {"steps": 5, "split": "heldout"})
    domain = domain_of(task)
    read = domain.read(*domain.record(task), "here")
    assert (read.spec(), read.name, read.pictures.digest) == (task.spec(), task.name, task.pictures.digest)  # type: ignore[attr-defined]


def test_pictures_of_ones_own_are_recorded_whole(tmp_path):
    import cv2

    for index in range(12):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.full((9, 9, 3), 20 * index, np.uint8))
    task = make_painting("redraw-digits", {"pictures": tmp_path, "side": 16})
    domain = domain_of(task)
    rules, arrays = domain.record(task)
    for path in tmp_path.iterdir():
        path.unlink()
    read = domain.read(rules, arrays, "here")
    assert read.pictures.digest == task.pictures.digest  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="changed or damaged"):
        domain.read(rules, arrays | {"images": arrays["images"] ^ 1}, "here")
    with pytest.raises(InputError, match="lacks its pictures"):
        domain.read(rules, {}, "here")
    with pytest.raises(InputError, match="steps"):
        domain.read({**rules, "steps": 0}, arrays, "here")
