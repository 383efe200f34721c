"""Results of evaluations: their figures, their JSON of this and of earlier versions, and their tables."""

import json
from typing import Any

import numpy as np
import pytest

from experiments.analysis.evaluation import Evaluation
from experiments.analysis.head_outputs import LOOP, POSITION, loop_labels
from experiments.analysis.memory import MemoryWorth
from experiments.analysis.metrics import Result, result_of, table, trip_table
from experiments.analysis.statistics import Estimate
from experiments.analysis.trips import TripTime
from tests.experiments.synthetic import ring_task, trajectories_of

WORTH = MemoryWorth(Estimate(3.0, 1.0, 5.0), Estimate(0.3, 0.1, 0.5), Estimate(-1.0, -2.0, 0.5))
TRIPS = (
    TripTime(1, 9, Estimate(6.0, 5.0, 7.0), Estimate(0.0, 0.0, 0.0)),
    TripTime(2, 8, Estimate(4.0, 3.0, 5.0), Estimate(2, 1, 3)),
)


def made(**changes: Any) -> Result:
    values: dict = {
        "task": "ring",
        "split": "fixed",
        "returns": np.array([10.0, 20.0, 60.0]),
        "goals": 3.0,
        "goal_episodes": 1.0,
        "latency_first_s": 2.5,
        "latency_later_s": None,
        "position_accuracy": 0.5,
        "loop_closure_f1": 0.25,
        "memory_worth": WORTH,
        "trips": TRIPS,
    }
    return Result(**(values | changes))


def same(first: Result, second: Result) -> bool:
    return first.as_json() == second.as_json()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"memory_worth": None},
        {"trips": ()},
        {"memory_worth": MemoryWorth(WORTH.returns, WORTH.goals, None)},
        {"position_accuracy": None, "loop_closure_f1": None, "latency_first_s": None},
    ],
)
def test_json_is_read_back(changes: dict) -> None:
    result = made(**changes)
    read = Result.from_json(json.loads(json.dumps(result.as_json(), allow_nan=False)))
    assert same(read, result)
    assert read.memory_worth == result.memory_worth
    assert read.trips == result.trips


def test_json_of_versions_without_memory_is_read() -> None:
    form = made().as_json()
    for name in ("memory_worth", "memory_worth_goals", "memory_worth_trip_s", "trips"):
        del form[name]
    read = Result.from_json(form)
    assert read.memory_worth is None
    assert read.trips == ()
    assert read.returns.tolist() == [10, 20, 60]
    del form["goals"]
    with pytest.raises(KeyError):
        Result.from_json(form)


def test_the_published_keys_of_the_worth_of_memory() -> None:
    assert made().as_json()["memory_worth"] == {"mean": 3.0, "low": 1.0, "high": 5.0}


def test_figures_of_known_episodes() -> None:
    """Two episodes on the ring; the head predicts the cell in three of eight steps."""
    goals = np.array([[0, 1, 0, 1], [0, 0, 0, 0]])
    trajectories = trajectories_of([[0, 1, 2, 3], [4, 4, 4, 4]], ring_task(), goals)
    trajectories.signals[POSITION] = np.array([[0, 1, 2, 9], [0, 0, 0, 0]], dtype=np.int32)
    found = result_of(trajectories)
    assert found.returns.tolist() == [20, 0]
    assert (found.goals, found.goal_episodes, found.position_accuracy) == (1.0, 0.5, 3 / 8)
    assert found.latency_first_s == pytest.approx(2 * 4 / 60)
    assert found.latency_later_s == pytest.approx(2 * 4 / 60)
    assert found.memory_worth is None


def test_loop_closure_of_the_own_head_is_judged_on_other_episodes() -> None:
    way = [0, 1, 2, 3, 4, 9, 8, 7, 6, 5]
    trajectories = trajectories_of([way * 2] * 5, ring_task())
    labels = loop_labels(trajectories.position)
    assert labels.any()
    assert result_of(trajectories).loop_closure_f1 is None
    trajectories.signals[LOOP] = labels.astype(np.float32)
    assert result_of(trajectories).loop_closure_f1 == 1.0
    trajectories.signals[LOOP] = 1 - labels.astype(np.float32)
    assert result_of(trajectories).loop_closure_f1 != 1.0


def test_the_table_has_a_line_for_everyone() -> None:
    lines = table([("agent", made()), ("oracle", made(memory_worth=None, position_accuracy=None))]).split("\n")
    assert lines[2].split("  ")[0] == "agent"
    assert "30.0" in lines[2]
    assert "2.5 : – s" in lines[2]
    assert "50.0 %" in lines[2]
    assert lines[2].endswith("+3.0 [+1.0, +5.0]")
    assert lines[3].endswith("–")


def test_trips_of_the_agent_stand_below_the_table() -> None:
    found = Evaluation("file", "agent", [made()], {"oracle": [made(trips=())]})
    text = found.table()
    assert text.split("\n\n")[1] == trip_table([("agent", made())])
    last = text.split("\n")[-1].split()
    assert last[3:6] == ["2", "8", "4.0"]
    assert "+2.0" in last
    assert "\n\n" not in Evaluation("file", "agent", [made(trips=())], {}).table()
