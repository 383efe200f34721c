"""Placing workers on nodes, ordering rounds, and doing without nodes that are lost: on nodes of this process."""

import time
from itertools import pairwise

import pytest

from agents.cluster import coordinator as module
from agents.cluster.coordinator import Coordinator, NodeLostError
from agents.cluster.messages import Delivery, Dropped, Remark
from agents.cluster.seats import Seats
from agents.cluster.settings import ClusterSettings
from agents.runtime.errors import WorkerError
from tests.agents.cluster.fakes import FakeNodes, Trainer, all_equal, new_store, specs


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "PLACE_SECONDS", 0.0)
    monkeypatch.setattr(module, "SILENT_SECONDS", 0.2)
    monkeypatch.setattr(module, "STOP_SECONDS", 0.3)
    monkeypatch.setattr(module, "MOST_BACK_OFF", 0.01)


def make(nodes, workers, busy=False, **settings):
    store = new_store(0)
    trainer = Trainer(store, busy)
    kept = ClusterSettings("local", **{"exchange_seconds": 0.05, **settings})
    return Coordinator(nodes, Seats(specs(workers)), store, trainer.changes, kept, trainer.send), trainer


def workers_of(nodes):
    return sorted(spec.index for node in nodes.alive() for spec in node.specs)


def run(coordinator, condition, steps=500):
    for _ in range(steps):
        if condition():
            return
        coordinator.step(0.002)
    raise AssertionError("it never happened")


def test_workers_go_where_processors_are_free_and_all_that_they_learn_is_added():
    nodes = FakeNodes(a=1, b=3, c=0)
    coordinator, trainer = make(nodes, 4)
    run(coordinator, lambda: len(trainer.of(Delivery)) >= 20)
    assert workers_of(nodes) == [0, 1, 2, 3]
    assert {node.place: len(node.specs) for node in nodes.nodes} == {"a": 1, "b": 3}
    assert trainer.of(Delivery)[-1].members == 2
    coordinator.finish()
    assert trainer.finished
    # Both were dismissed, and each worker's every step is in the store, whole: few updates were in flight.
    assert nodes.alive() == []
    assert all_equal(trainer.store, sum(node.made for node in nodes.nodes))
    assert trainer.store.updates == sum(node.made for node in nodes.nodes)
    assert {receipt.weight for receipt in trainer.receipts} == {1.0}


def test_each_gpu_gets_streams_of_its_own_and_nodes_without_one_get_none():
    nodes = FakeNodes(a=8, b=3, c=1)
    nodes.gpus = {"b": 2, "c": 2}
    coordinator, trainer = make(nodes, 20, streams=2)
    run(coordinator, lambda: len(trainer.of(Delivery)) >= 20)
    # Both GPUs of b; of c one, since only one processor is there to feed it.
    assert sorted(node.place for node in nodes.alive()) == ["b", "b", "c"]
    assert {(node.runtime, len(node.specs)) for node in nodes.alive()} == {("cuda", 2)}
    coordinator.finish()
    assert all_equal(trainer.store, sum(node.made for node in nodes.nodes))


def test_a_training_on_gpus_names_them_where_none_is_free(monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    coordinator, _ = make(FakeNodes(a=4), 4, streams=2, patience=10)
    coordinator.step(0.0)
    clock[0] += 11
    with pytest.raises(WorkerError, match="no node of the cluster has had a free GPU for 10 s"):
        coordinator.step(0.0)


def test_the_next_round_waits_until_the_last_reply_was_added():
    nodes = FakeNodes(a=1)
    coordinator, trainer = make(nodes, 1, busy=True)
    for _ in range(20):
        coordinator.step(0.001)
    assert nodes.nodes[0].rounds == 1
    trainer.take()
    for _ in range(20):
        coordinator.step(0.001)
    assert nodes.nodes[0].rounds == 2
    assert all_equal(trainer.store, 1)


def test_parameters_are_shared_once_for_all_nodes_that_are_due():
    nodes = FakeNodes(**dict.fromkeys("abcd", 1))
    coordinator, trainer = make(nodes, 4)
    coordinator.step(0.001)
    assert nodes.shares == 1
    run(coordinator, lambda: len(trainer.of(Delivery)) >= 40)
    assert nodes.shares <= 12


def test_a_node_that_comes_later_gets_workers_and_one_that_goes_gives_them_back():
    nodes = FakeNodes(a=1)
    coordinator, trainer = make(nodes, 2)
    run(coordinator, lambda: len(trainer.of(Delivery)) >= 2)
    assert workers_of(nodes) == [0]
    assert not trainer.of(Remark)
    nodes.processors["b"] = 1
    run(coordinator, lambda: workers_of(nodes) == [0, 1])
    assert [remark.note for remark in trainer.of(Remark)] == ["node 10.0.0.b gets 1 worker"]
    run(coordinator, lambda: trainer.of(Delivery)[-1].members == 2)
    # b goes: its worker waits for a place, and begins other episodes there.
    del nodes.processors["b"]
    run(coordinator, lambda: trainer.of(Dropped))
    assert "10.0.0.b is lost (its host is gone); its worker goes" in trainer.of(Dropped)[0].note
    assert workers_of(nodes) == [0]
    nodes.processors["c"] = 5
    run(coordinator, lambda: workers_of(nodes) == [0, 1])
    assert [spec.restarts for spec in nodes.nodes[-1].specs] == [1000]
    assert [spec.restarts for spec in nodes.nodes[0].specs] == [0]
    run(coordinator, lambda: trainer.of(Delivery)[-1].members == 2)
    coordinator.finish()
    assert all_equal(trainer.store, sum(node.made for node in nodes.nodes))


def test_a_silent_node_is_dropped_while_the_others_go_on():
    nodes = FakeNodes(a=1, b=1)
    coordinator, trainer = make(nodes, 2)
    run(coordinator, lambda: trainer.messages and trainer.of(Delivery)[-1].members == 2)
    silent = next(node for node in nodes.nodes if node.place == "b")
    nodes.silent.add("b")
    begin, before = time.monotonic(), nodes.nodes[0].rounds
    run(coordinator, lambda: trainer.of(Dropped), steps=5000)
    # Five rounds of 0.05 s.
    assert 0.25 <= time.monotonic() - begin < 2
    assert "10.0.0.b is lost (it has not answered for 0 s)" in trainer.of(Dropped)[0].note
    assert silent.killed
    assert nodes.nodes[0].rounds > before + 5
    run(coordinator, lambda: trainer.of(Delivery)[-1].members == 1)


def test_a_node_that_is_lost_again_and_again_is_tried_less_and_less_often(monkeypatch):
    monkeypatch.setattr(module, "MOST_BACK_OFF", 30.0)
    nodes = FakeNodes(a=1)
    nodes.errors["a"] = [NodeLostError("no") for _ in range(50)]
    coordinator, trainer = make(nodes, 1)
    clock = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    tried = []
    for _ in range(1000):
        before = len(nodes.nodes)
        coordinator.step(0.0)
        if len(nodes.nodes) > before:
            tried.append(clock[0])
        clock[0] += 0.1
    pauses = [later - earlier for earlier, later in pairwise(tried)]
    assert [round(pause) for pause in pauses[:6]] == [1, 2, 4, 8, 16, 30]
    assert len(trainer.of(Dropped)) == len(tried)


def test_what_our_code_raises_on_nodes_three_times_ends_the_training():
    nodes = FakeNodes(a=1)
    nodes.errors["a"] = [NodeLostError("ModuleNotFoundError: no numba\nTraceback", own=True) for _ in range(9)]
    coordinator, trainer = make(nodes, 1)
    with pytest.raises(WorkerError, match=r"node 10.0.0.a: ModuleNotFoundError: no numba\nTraceback"):
        run(coordinator, lambda: False)
    assert len(trainer.of(Dropped)) == 3
    assert "\n" not in trainer.of(Dropped)[0].note


def test_workers_that_die_again_and_again_end_the_training_with_what_the_others_learned():
    nodes = FakeNodes(a=1, b=1)
    coordinator, trainer = make(nodes, 2)
    run(coordinator, lambda: trainer.messages and trainer.of(Delivery)[-1].members == 2)
    nodes.errors["b"] = [WorkerError("worker 1 raised ValueError: no; the third time\nTraceback")]
    with pytest.raises(WorkerError, match=r"node 10.0.0.b: worker 1 raised ValueError"):
        run(coordinator, lambda: False)
    coordinator.finish()
    assert trainer.finished
    assert nodes.alive() == []


def test_without_any_node_the_training_waits_says_so_and_gives_up(monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    coordinator, trainer = make(FakeNodes(), 1, patience=100)
    for _ in range(99):
        clock[0] += 1
        coordinator.step(0.0)
    assert [remark.note[:60] for remark in trainer.of(Remark)] == ["no node of the cluster has had a free processor for 60 s; wa"]
    clock[0] += 3
    with pytest.raises(WorkerError, match="free processor for 100 s"):
        coordinator.step(0.0)


def test_a_silent_node_does_not_keep_the_end_waiting():
    nodes = FakeNodes(a=1, b=1)
    coordinator, trainer = make(nodes, 2)
    run(coordinator, lambda: trainer.messages and trainer.of(Delivery)[-1].members == 2)
    nodes.silent.add("b")
    begin = time.monotonic()
    coordinator.finish()
    assert time.monotonic() - begin < 2
    assert trainer.finished
    assert nodes.alive() == []


def test_a_trainer_that_is_busy_for_long_loses_nothing():
    nodes = FakeNodes(**dict.fromkeys("abcdef", 1))
    coordinator, trainer = make(nodes, 6, busy=True)
    for _ in range(30):
        coordinator.step(0.001)
    assert len(trainer.waiting) == 4
    trainer.busy = False
    trainer.take()
    run(coordinator, lambda: len(trainer.of(Delivery)) > 20)
    coordinator.finish()
    assert all_equal(trainer.store, sum(node.made for node in nodes.nodes))
