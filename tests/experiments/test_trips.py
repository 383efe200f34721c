"""Trips, their capped durations, and comparisons of later trips with the first one of the same episodes."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from env.registry import make_task
from experiments.analysis.playback import Playback
from experiments.analysis.recorder import record
from experiments.analysis.trajectories import Trajectories
from experiments.analysis.trips import FEWEST, cap_of, capped_seconds, latencies, trip_times, trips_of
from experiments.policies import BASELINES
from tests.experiments.synthetic import ring_task, trajectories_of

STEP = 4 / 60


def played(goals: npt.NDArray[np.int64]) -> Trajectories:
    """Episodes [E, T] with goals in given steps; the agent stands, and jumps to the other end of the ring after each."""
    jumps = np.concatenate([np.zeros((len(goals), 1), dtype=int), np.cumsum(goals, axis=1)[:, :-1]], axis=1)
    return trajectories_of(np.where(jumps % 2, 7, 0), ring_task(), goals)


goal_steps = st.lists(st.lists(st.integers(0, 58), max_size=6, unique=True), min_size=1, max_size=4)


@settings(max_examples=40)
@given(goal_steps)
def test_durations_against_a_loop(steps: list[list[int]]) -> None:
    goals = np.zeros((len(steps), 60), dtype=np.int64)
    for episode, mine in enumerate(steps):
        goals[episode, mine] = 1
    trajectories = played(goals)
    cap = cap_of(trajectories)
    assert cap == pytest.approx(20 * STEP)
    found = capped_seconds(trajectories)
    for episode, mine in enumerate(steps):
        starts = [0, *(step + 1 for step in sorted(mine))]
        expected = []
        for start in starts:
            end = min((step for step in mine if step >= start), default=None)
            seconds = cap if end is None else min(cap, (end - start + 1) * STEP)
            expected.append(seconds if (60 - start) * STEP >= cap - 1e-9 else np.nan)
        here = found[episode, : len(expected)]
        np.testing.assert_allclose(here, expected)
        assert np.isnan(found[episode, len(expected) :]).all()


def test_trips_that_begin_too_late_are_left_out_whether_they_ended_or_not() -> None:
    goals = np.zeros((1, 60), dtype=np.int64)
    goals[0, [44, 46]] = 1
    # The second trip took two steps, but began 15 steps before the end: only a short one could have been finished.
    assert capped_seconds(played(goals))[0].tolist() == [pytest.approx(20 * STEP), *[pytest.approx(np.nan, nan_ok=True)] * 2]


def test_later_trips_are_compared_with_the_first_of_the_same_episodes() -> None:
    """Every second episode is hard: it has one trip only. Means over all would call later trips faster."""
    goals = np.zeros((4 * FEWEST, 60), dtype=np.int64)
    goals[::2, [3, 7, 11]] = 1
    times = trip_times(played(goals))
    assert [time.number for time in times] == [1, 2, 3, 4]
    assert [time.episodes for time in times] == [4 * FEWEST, 2 * FEWEST, 2 * FEWEST, 2 * FEWEST]
    assert times[0].seconds.value == pytest.approx((4 * STEP + 20 * STEP) / 2)
    assert times[1].seconds.value == pytest.approx(4 * STEP)
    assert times[1].saved.value == pytest.approx(0, abs=1e-9)
    assert times[3].seconds.value == pytest.approx(20 * STEP)
    assert times[3].saved.value == pytest.approx(-16 * STEP)


def test_few_episodes_give_no_mean() -> None:
    assert trip_times(played(np.zeros((FEWEST - 1, 60), dtype=np.int64))) == []


def test_numbers_of_trips_count_within_each_episode() -> None:
    goals = np.zeros((3, 60), dtype=np.int64)
    goals[0, [5, 9]] = goals[2, [1]] = 1
    trips = trips_of(played(goals))
    assert trips.number.tolist() == [1, 2, 3, 1, 1, 2]
    assert trips.first.tolist() == [True, False, False, True, True, False]
    assert trips.episode.tolist() == [0, 0, 0, 1, 2, 2]
    assert trips.reached.tolist() == [True, True, False, False, True, False]


def test_trips_of_real_episodes_agree_with_the_goals() -> None:
    found = record(Playback(make_task("static-small"), 3), BASELINES["oracle"])
    trips = trips_of(found)
    assert trips.reached.sum() == found.goals.sum()
    first, later = latencies(found.goals, found.step_seconds)
    begun = trips.first & trips.reached
    assert ((trips.end - trips.start + 1)[begun] * found.step_seconds).tolist() == pytest.approx(first.tolist(), abs=2 * STEP)
    assert len(first) + len(later) == found.goals.sum()


def test_a_task_of_whole_minutes_is_capped_at_twenty_seconds() -> None:
    trajectories = trajectories_of(np.zeros((1, 900), dtype=int), ring_task(60))
    assert cap_of(trajectories) == 20
    assert cap_of(replace(trajectories, cell=trajectories.cell[:, :300])) == pytest.approx(300 * STEP / 3)
