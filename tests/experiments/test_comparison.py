"""Comparisons of agents against counting by hand, and its tables and figure."""

import json

import numpy as np
import numpy.typing as npt
import pytest

from experiments.analysis.comparison import THRESHOLDS, AgentRuns, Comparison, compare
from experiments.analysis.comparison_plot import comparison_plot, error_bars
from experiments.analysis.metrics import Result
from experiments.analysis.statistics import Estimate, difference, estimate_mean, probability_of_improvement


def result(split: str, returns: npt.ArrayLike, task: str = "a") -> Result:
    return Result(task, split, np.asarray(returns, dtype=np.float64), 0.0, 0.0, None, None, None)


BASELINES = {
    "random": [result("fixed", [10.0]), result("heldout", [0.0])],
    "oracle": [result("fixed", [110.0]), result("heldout", [50.0])],
}


@pytest.fixture(scope="module")
def random_agents() -> list[AgentRuns]:
    random = np.random.default_rng(5)
    return [
        AgentRuns(
            name,
            ["one", "two"],
            [[result(split, random.normal(mean, 20, 6)) for _ in range(2)] for split in ("fixed", "heldout")],
        )
        for name, mean in (("good", 70.0), ("poor", 40.0), ("other", 41.0))
    ]


@pytest.fixture(scope="module")
def found(random_agents: list[AgentRuns]) -> Comparison:
    return compare(random_agents, BASELINES)


def test_scores_are_on_the_scale_of_each_task(random_agents: list[AgentRuns], found: Comparison) -> None:
    for agent in random_agents:
        fixed, heldout = found.scores[agent.name]
        np.testing.assert_allclose(fixed * 100 + 10, [run.returns for run in agent.results[0]])
        np.testing.assert_allclose(heldout * 50, [run.returns for run in agent.results[1]])
        everything = np.sort(np.concatenate([fixed.ravel(), heldout.ravel()]))
        assert found.middle[agent.name].value == pytest.approx(everything[6:-6].mean())
        own = np.sort(fixed.ravel())[3:-3].mean() - np.sort(heldout.ravel())[3:-3].mean()
        assert found.gap[agent.name].value == pytest.approx(own)


def test_every_pair_of_agents_is_compared_once(found: Comparison) -> None:
    assert list(found.improvement) == [("good", "poor"), ("good", "other"), ("poor", "other")]
    for (ours, theirs), chance in found.improvement.items():
        wins = []
        for mine, other in zip(found.scores[ours], found.scores[theirs], strict=True):
            wins.append(np.mean(mine.ravel()[:, None] > other.ravel()[None]))
        assert chance.value == pytest.approx(np.mean(wins))
        assert chance.low <= chance.value <= chance.high


def test_profiles_fall_and_lie_within_their_bands(found: Comparison) -> None:
    middle, low, high = found.profiles["good"]
    assert (np.diff(middle) <= 0).all()
    assert (low <= middle + 1e-9).all()
    assert (middle <= high + 1e-9).all()
    assert len(middle) == len(THRESHOLDS)


def test_tables_json_and_figure_name_every_agent(random_agents: list[AgentRuns], found: Comparison) -> None:
    text = found.tables()
    for agent in random_agents:
        assert text.count(agent.name) >= 3
    assert "held-out gap" in text
    form = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert [agent["agent"] for agent in form["agents"]] == ["good", "poor", "other"]
    assert form["agents"][0]["tasks"][1]["runs"][0]["split"] == "heldout"
    assert comparison_plot(found).shape[2] == 3


def test_without_heldout_mazes_there_is_no_gap(random_agents: list[AgentRuns]) -> None:
    alone = [AgentRuns(agent.name, agent.checkpoints, agent.results[:1]) for agent in random_agents]
    found = compare(alone[:2], {name: results[:1] for name, results in BASELINES.items()})
    assert found.gap == {}
    assert all(line.endswith("–") for line in found.tables().split("\n\n")[1].split("\n")[2:])


def test_error_bars_are_lengths_and_never_negative() -> None:
    found = error_bars([Estimate(1.0, 0.5, 2.0), Estimate(1.0, 1.0 + 1e-12, 1.0)])
    np.testing.assert_allclose(found, [[0.5, 0], [1.0, 0]], atol=1e-9)
    assert (found >= 0).all()


def test_the_interval_of_a_mean_agrees_with_the_normal_approximation() -> None:
    values = np.random.default_rng(1).normal(3, 2, 900)
    found, spread = estimate_mean(values), 1.96 * values.std() / 30
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((values.mean() - spread, values.mean() + spread), abs=0.02)
    assert estimate_mean(values) == found
    assert estimate_mean([5.0]) == Estimate(5.0, 5.0, 5.0)


def test_intervals_hold_what_they_promise() -> None:
    """Of 200 samples of 40 the interval of the mean covers the true mean in about 95 %: never below 88 % by chance."""
    random = np.random.default_rng(2)
    covered = 0
    for _ in range(200):
        found = estimate_mean(random.exponential(1.0, 40), samples=400)
        covered += found.low <= 1.0 <= found.high
    assert covered / 200 > 0.88


def test_a_difference_resamples_both_sides() -> None:
    ours, theirs = [np.array([[1.0, 3.0]])], [np.array([[2.0, 2.0, 2.0]])]
    found = difference(probability_of_improvement, ours, theirs)
    assert (found.value, found.low, found.high) == (0.5, 0.0, 1.0)
