"""The benchmark's simulation of many nodes against what a queue with one server does at its two ends."""

import pytest

from experiments.benchmarks.cluster import WORKERS, simulate


def test_few_nodes_exchange_as_often_as_they_are_told():
    speed, interval = simulate(nodes=10, exchange_seconds=1.0, service=0.005, own=0.01)
    assert interval == pytest.approx(1.0 + 0.005 + 0.01, abs=0.01)
    assert speed == pytest.approx(1 - 0.01 / interval / WORKERS, abs=1e-6)


def test_beyond_the_drivers_limit_exchanges_become_rarer_and_workers_go_on():
    speed, interval = simulate(nodes=400, exchange_seconds=1.0, service=0.005, own=0.01)
    assert interval == pytest.approx(400 * 0.005, rel=0.02)
    assert speed > 0.999
