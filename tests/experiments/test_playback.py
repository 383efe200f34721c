"""A playback is a value; the acting loop resets worlds and policy, and draws every action with numbers of its own."""

import numpy as np
import numpy.typing as npt
import pytest
import torch

from env.backends import make_batch
from env.batch import BatchEnv
from experiments.analysis.playback import Playback, acting, to_numpy, uniforms
from experiments.analysis.threads import map_in_threads, one_torch_thread
from tests.experiments.synthetic import ring_task


class Scripted:
    """Records what it is asked, and looks left."""

    observe: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.resets = 0
        self.drawn: list[npt.NDArray[np.float64]] = []

    def reset_rows(self, rows: npt.NDArray[np.bool_]) -> None:
        assert rows.all()
        self.resets += 1

    def act(self, env: BatchEnv, uniforms: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        self.drawn.append(uniforms)
        return np.zeros(env.num_envs, dtype=np.int64)


def test_the_loop_acts_once_a_step_with_the_numbers_of_stream_and_step() -> None:
    policy, streams = Scripted(), np.array([4, 9])
    with make_batch(ring_task(2), 2, observe=()) as env:
        seconds = []
        for _, actions in acting(env, policy, 7, streams, 3):
            seconds.append(to_numpy(env.privileged["seconds"]).tolist())
            env.step(actions)
        assert policy.resets == 1
        assert seconds == [pytest.approx([step * 4 / 60] * 2) for step in range(3)]
        for step, drawn in enumerate(policy.drawn):
            np.testing.assert_array_equal(drawn, uniforms(7, streams, step))
        # The state of the policy can carry over into other episodes.
        for _ in acting(env, policy, 8, streams, 1, reset_policy=False):
            pass
        assert policy.resets == 1


def test_progress_lines_carry_their_labels() -> None:
    lines: list[str] = []
    playback = Playback(ring_task(), progress=lines.append)
    playback.labelled("agent").labelled("again").progress("50 %")
    assert lines == ["agent: again: 50 %"]
    other = playback.on(ring_task(3))
    assert (other.task.episode_seconds, other.episodes, playback.task.episode_seconds) == (3, 100, 60)
    assert Playback(ring_task(), device="cuda").on_cpu.device == "cpu"


def test_arrays_of_any_device_become_numpy() -> None:
    for array in (np.arange(3), torch.arange(3)):
        found = to_numpy(array)
        assert isinstance(found, np.ndarray)
        assert found.tolist() == [0, 1, 2]


def test_jobs_keep_their_order_their_errors_and_the_number_of_threads() -> None:
    torch.set_num_threads(2)
    with one_torch_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    assert map_in_threads(lambda job: (job, torch.get_num_threads()), range(5), 3) == [(job, 1) for job in range(5)]
    assert map_in_threads(str, [], 3) == []
    with pytest.raises(ZeroDivisionError):
        map_in_threads(lambda job: 1 / job, [1, 0], 2)
    assert torch.get_num_threads() == 2


def test_fraction_of_each_eighth_of_the_uniforms() -> None:
    """Actions of a uniform policy are equally frequent: 8 classes of 20,000 draws, none off by more than 5 deviations."""
    drawn = np.concatenate([uniforms(0, np.arange(100), step) for step in range(200)])
    count = np.bincount((8 * drawn).astype(int), minlength=8)
    assert np.abs(count - 2500).max() < 5 * np.sqrt(20_000 * 1 / 8 * 7 / 8)
