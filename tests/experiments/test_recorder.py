"""Recorded episodes don't depend on their number, on threads or on other episodes; respawns are found."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from agents.checkpoint import load_checkpoint
from env.backends import make_batch
from env.batch import Arrays
from env.engine.engine import Engine
from env.registry import make_task
from env.task import Task
from experiments.analysis import recorder
from experiments.analysis.activations import record_activations
from experiments.analysis.playback import Playback, uniforms
from experiments.analysis.recorder import BLOCK, Pictures, record
from experiments.analysis.trajectories import Trajectories
from experiments.policies import OraclePlayer, RandomPlayer
from maze_gen.errors import InputError
from tests.experiments.synthetic import ring_task, untrained

ARRAYS = ("position", "heading", "cell", "goal_cell", "maze", "action", "reward", "goals")


def assert_same(first: Trajectories, second: Trajectories, episodes: int) -> None:
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(first, name)[:episodes], getattr(second, name)[:episodes], err_msg=name)
    for name in first.signals:
        np.testing.assert_array_equal(first.signals[name][:episodes], second.signals[name][:episodes], err_msg=name)


def test_an_agent_plays_the_same_bit_for_bit_in_any_company_on_any_threads(tmp_path: Path) -> None:
    """Rounding differs with the shape of a product, and actions would follow: features are compared too."""
    checkpoint = load_checkpoint(untrained(tmp_path / "agent.safetensors", task=ring_task(4)))
    alone = record_activations(checkpoint, Playback(checkpoint.task, 3, seed=5, threads=1))
    many = record_activations(checkpoint, Playback(checkpoint.task, 60, seed=5, threads=3))
    again = record_activations(checkpoint, Playback(checkpoint.task, 60, seed=5, threads=1))
    assert_same(alone, many, 3)
    assert_same(many, again, 60)
    assert np.abs(many.layers["LSTM 2"]).any()


class Mortal(Engine):
    """Worlds of which one begins its episode again at each of some calls of `step`, as after a simulator's death."""

    def __init__(self, task: Task, rows: int, deaths: set[int]) -> None:
        super().__init__(task, rows)
        self._deaths = deaths
        self._calls = 0

    def step(self, actions: npt.ArrayLike) -> Arrays:
        seen = super().step(actions)
        self._calls += 1
        if self._calls in self._deaths:
            self.privileged["seconds"][0] = 0
        return seen


def on_lab(monkeypatch: pytest.MonkeyPatch, deaths: set[int]) -> list[int]:
    """Worlds that die stand in for DeepMind Lab; the numbers of rows that are asked for."""
    rows = []

    def make(task: Task, num_envs: int, **_: Any) -> Engine:
        rows.append(num_envs)
        return Mortal(task, num_envs, deaths)

    monkeypatch.setattr(recorder, "make_batch", make)
    return rows


def test_deepmind_lab_gets_a_process_an_episode_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = on_lab(monkeypatch, set())
    found = record(Playback(ring_task(4), 11, seed=5, backend="lab"), OraclePlayer)
    assert sorted(rows) == [3, 8]
    assert_same(found, record(Playback(ring_task(4), 11, seed=5), OraclePlayer), 11)


def test_episodes_of_a_simulator_that_died_are_played_again(monkeypatch: pytest.MonkeyPatch) -> None:
    on_lab(monkeypatch, {1, 8})
    found = record(Playback(ring_task(4), 2, seed=5, backend="lab", threads=1), OraclePlayer)
    assert_same(found, record(Playback(ring_task(4), 2, seed=5), OraclePlayer), 2)
    on_lab(monkeypatch, set(range(100)))
    with pytest.raises(InputError, match="a simulator died in each of 3 attempts"):
        record(Playback(ring_task(4), 2, seed=5, backend="lab"), OraclePlayer)


def test_another_seed_is_another_game() -> None:
    first, second = (record(Playback(ring_task(4), 2, seed=seed), RandomPlayer) for seed in (1, 2))
    assert (first.action != second.action).mean() > 0.5


def test_uniforms_depend_on_every_number_and_are_uniform() -> None:
    drawn = np.concatenate([uniforms(7, np.arange(1000), step) for step in range(100)])
    assert (drawn >= 0).all()
    assert (drawn < 1).all()
    counts = np.histogram(drawn, 20, (0, 1))[0]
    # Chi-squared with 19 degrees of freedom: 43.8 is exceeded once in a thousand times.
    assert ((counts - 5000) ** 2 / 5000).sum() < 43.8
    assert len(np.unique(drawn)) == len(drawn)
    assert uniforms(7, [3], 9) == uniforms(7, np.arange(5), 9)[3]
    assert uniforms(8, [3], 9) != uniforms(7, [3], 9)
    assert abs(np.corrcoef(uniforms(7, np.arange(5000), 1), uniforms(7, np.arange(5000), 2))[0, 1]) < 0.06


def test_every_goal_but_a_last_one_is_followed_by_a_respawn() -> None:
    found = record(Playback(make_task("static-small"), 25), OraclePlayer)
    respawns = found.spawned.sum(axis=1) - 1
    goals_in_time = found.goals[:, :-2].sum(axis=1)
    goals = found.goals.sum(axis=1)
    assert (respawns >= goals_in_time).all()
    assert (respawns <= goals).all()
    assert goals.min() >= 5


def test_time_since_spawn_restarts() -> None:
    found = record(Playback(make_task("static-small"), 2), OraclePlayer)
    since = found.seconds_since_spawn
    assert (since[found.spawned] == 0).all()
    grown = np.diff(since, axis=1)[~found.spawned[:, 1:]]
    np.testing.assert_allclose(grown, 4 / 60, atol=1e-4)


def test_pictures_and_thumbnails_are_those_of_the_step(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(untrained(tmp_path / "agent.safetensors", "ff", ring_task(2)))
    found = record_activations(checkpoint, Playback(checkpoint.task, 30), pictures=Pictures((1, 27), 7))
    assert found.thumbnails is not None
    for episode in (1, 27):
        np.testing.assert_array_equal(found.thumbnails[episode], found.pictures[episode][::7])
    assert (found.pictures[1] != found.pictures[27]).any()


def test_no_episode_is_refused() -> None:
    with pytest.raises(InputError, match="episodes 0: expected a whole number"):
        record(Playback(ring_task(), 0), RandomPlayer)


def test_recorded_arrays_are_those_of_the_worlds_step_by_step() -> None:
    """Played once more by hand, row by row of the block that the recorder plays."""
    found = record(Playback(ring_task(2), 2, seed=6), RandomPlayer)
    policy = RandomPlayer(BLOCK)
    with make_batch(ring_task(2), BLOCK, observe=()) as env:
        env.reset(6, np.arange(BLOCK))
        for step in range(30):
            facts = {name: values.copy() for name, values in env.privileged.items()}
            actions = policy.act(env, uniforms(6, np.arange(BLOCK), step))
            env.step(actions)
            for name in ("position", "heading", "cell", "goal_cell"):
                np.testing.assert_array_equal(getattr(found, name)[:, step], facts[name][:2], err_msg=name)
            np.testing.assert_array_equal(found.action[:, step], actions[:2])
            np.testing.assert_array_equal(found.reward[:, step], env.outcome.reward[:2])
            np.testing.assert_array_equal(found.goals[:, step], env.outcome.statistics["goals"][:2])
    assert found.goals.sum() > 0 or found.reward.sum() == 0
