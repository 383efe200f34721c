"""What nodes exchange, without a cluster: nodes in one process are one store of summed changes; none is lost or added twice."""

import dataclasses
import functools
import multiprocessing

import numpy as np
import pytest
import torch

from agents.cluster.exchange import Ledger, NodeExchange, Reply, weight_of
from agents.cluster.node import Node, NodeStart
from agents.learning.parameter_store import ParameterStore
from agents.runtime.cuda import CudaRuntime
from agents.runtime.serial import SerialRuntime
from env.backends import make_batch
from tests.agents.cluster.fakes import new_store, reports, specs
from tests.agents.worlds import counting_task


def steps(random, size):
    """What workers have done: whole numbers up to 8."""
    return torch.from_numpy(random.integers(-8, 9, size).astype(np.float32))


class Member:
    """A node without workers: the test adds what they would have done."""

    def __init__(self, driver, number):
        self.number, self.rounds, self.made = number, 0, torch.zeros_like(driver.parameters)
        self.store = new_store()
        self.store.parameters.copy_(driver.parameters)
        self.exchange = NodeExchange(self.store)

    def work(self, random):
        done = steps(random, len(self.made))
        self.store.parameters.add_(done)
        self.made += done

    def round(self, ledger, random, gradients=1):
        """One exchange, in whose every gap the workers go on."""
        self.rounds += 1
        read, parameters = ledger.updates, ledger.store.parameters.numpy().copy()
        self.work(random)
        self.exchange.take(parameters)
        self.work(random)
        reply = Reply(self.exchange.change(), reports(gradients))
        self.work(random)
        return self.number, self.rounds, read, reply


@pytest.mark.parametrize("seed", range(5))
def test_nodes_in_one_process_are_one_store_of_summed_changes(seed):
    random = np.random.default_rng(seed)
    driver = new_store(0)
    ledger = Ledger(driver, in_flight=10**6)
    members = [Member(driver, number) for number in range(3)]
    outstanding = {}
    for _ in range(40):
        # Replies overtake each other: a member's next round begins when its last one was taken.
        member = members[random.integers(3)]
        if member.number in outstanding:
            assert ledger.take(*outstanding.pop(member.number)) is not None
        else:
            outstanding[member.number] = member.round(ledger, random)
    for message in outstanding.values():
        ledger.take(*message)
    for member in members:
        # What its workers did after the last reply comes with the next one.
        ledger.take(*member.round(ledger, random))
    untold = [member.exchange.change() for member in members]
    assert torch.equal(driver.parameters + torch.from_numpy(sum(untold)), torch.stack([member.made for member in members]).sum(0))
    # And each node holds the driver's parameters and its own latest, once the others' latest has come.
    for member in members:
        member.exchange.take(driver.parameters.numpy().copy())
        assert torch.equal(member.store.parameters, driver.parameters)
        assert not member.exchange.change().any()


def test_the_workers_updates_stay_while_others_changes_come():
    driver = new_store(0)
    member = Member(driver, 1)
    member.store.parameters.add_(3)
    member.exchange.take(np.full(len(driver.parameters), 10, np.float32))
    assert (member.store.parameters == 13).all()
    assert (member.exchange.change() == 3).all()


def test_a_reply_is_added_once_and_that_of_a_dropped_member_never():
    random = np.random.default_rng(0)
    driver = new_store(0)
    ledger = Ledger(driver, in_flight=32)
    member = Member(driver, 4)
    message = member.round(ledger, random, gradients=3)
    assert ledger.take(*message) is not None
    after = driver.parameters.clone()
    assert ledger.take(*message) is None
    assert torch.equal(driver.parameters, after)
    assert ledger.updates == 3
    late = member.round(ledger, random)
    ledger.drop(member.number)
    assert ledger.take(*late) is None
    assert torch.equal(driver.parameters, after)
    assert ledger.updates == 3
    # Its successor begins with what was taken, and counts its rounds anew.
    successor = Member(driver, 5)
    assert ledger.take(*successor.round(ledger, random)) is not None


def test_a_change_weighs_less_the_more_updates_were_in_flight():
    driver = new_store(0)
    ledger = Ledger(driver, in_flight=4)
    second = Member(driver, 2)
    ones = np.ones(len(driver.parameters), np.float32)
    first_receipt = ledger.take(1, 1, 0, Reply(ones, reports(16)))
    assert first_receipt is not None
    assert (first_receipt.in_flight, first_receipt.weight) == (0, 1.0)
    # The second read before those 16 updates came: the root of 4 / 16 is a half.
    second.store.parameters.add_(8)
    receipt = ledger.take(2, 1, 0, Reply(second.exchange.change(), reports(1)))
    assert receipt is not None
    assert (receipt.in_flight, receipt.weight) == (16, 0.5)
    assert (driver.parameters == 5).all()
    # And the node gives back what wasn't added: it learns on where the driver is.
    second.exchange.take(driver.parameters.numpy().copy())
    assert (second.store.parameters == 5).all()


def test_weights():
    assert [weight_of(count, 32) for count in (0, 32, 128, 512)] == [1.0, 1.0, 0.5, 0.25]


def start_of(store, worker=0):
    parameters, statistics = store.snapshot()
    return NodeStart(
        "serial", [specs(2)[worker]], parameters.numpy(), {name: part.numpy() for name, part in statistics.items()}, 0.0
    )


def exchange(ledger, node, member, number):
    read = ledger.updates
    reply = node.round(ledger.store.parameters.numpy().copy(), 0.0, 0.01, with_statistics=True)
    assert ledger.take(member, number, read, reply) is not None
    return reply.reports


def test_one_node_learns_as_its_runtime_does_alone():
    driver = new_store()
    ledger = Ledger(driver, in_flight=32)
    node = Node(start_of(driver))
    got = [report for number in range(1, 4) for report in exchange(ledger, node, 1, number)]
    alone = new_store()
    runtime = SerialRuntime(start_of(alone).specs, alone)
    expected = [report for _ in got for report in runtime.poll(0)]
    for mine, theirs in zip(got, expected, strict=True):
        assert mine.steps == theirs.steps
        assert mine.episodes == theirs.episodes
        assert mine.metrics.means["policy loss"] == pytest.approx(theirs.metrics.means["policy loss"], rel=1e-3, abs=1e-5)
    torch.testing.assert_close(driver.parameters, alone.parameters, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(driver.optimizer.statistics["mean"], alone.optimizer.statistics["mean"], rtol=1e-2, atol=1e-5)
    assert ledger.updates == int(alone.optimizer.statistics["updates"]) == sum(report.metrics.gradients for report in got)
    node.stop()


def test_streams_of_a_node_learn_as_they_do_alone(monkeypatch):
    """The runtime of GPUs computes the same on the CPU, where its store is the common one."""
    monkeypatch.setattr("agents.cluster.node.make_store", lambda name, config, flat: ParameterStore(config, flat))
    driver = new_store()
    ledger = Ledger(driver, in_flight=32)
    start = dataclasses.replace(start_of(driver), runtime="cuda-serial", specs=specs(2))
    node = Node(start)
    got, number = [], 0
    while len(got) < 4:
        number += 1
        got += exchange(ledger, node, 1, number)
    alone = new_store()
    runtime = CudaRuntime(start.specs, alone, graphs=False)
    expected = []
    while len(expected) < len(got):
        expected += runtime.poll(0)
    assert [report.worker for report in got] == [report.worker for report in expected]
    torch.testing.assert_close(driver.parameters, alone.parameters, rtol=1e-3, atol=1e-5)
    assert ledger.updates == sum(report.metrics.gradients for report in got) > 0
    node.stop()


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_a_node_of_a_gpu_exchanges_as_any_other():
    driver = new_store()
    first = driver.parameters.clone()
    ledger = Ledger(driver, in_flight=32)
    parameters, statistics = driver.snapshot()
    task = counting_task()
    make_env = functools.partial(make_batch, device="cuda")
    gpu = [dataclasses.replace(spec, task=task, make_env=make_env) for spec in specs(2)]
    arrays = {name: part.numpy() for name, part in statistics.items()}
    node = Node(NodeStart("cuda", gpu, parameters.numpy(), arrays, 0.0))
    got, number = [], 0
    while len(got) < 4:
        number += 1
        got += exchange(ledger, node, 1, number)
    assert {report.worker for report in got} == {0, 1}
    assert ledger.updates == sum(report.metrics.gradients for report in got) > 0
    assert not torch.equal(driver.parameters, first)
    assert ledger.take(1, number + 1, ledger.updates, node.stop()) is not None
    node._exchange.take(driver.parameters.numpy().copy())
    torch.testing.assert_close(node._store.parameters.cpu(), driver.parameters, rtol=0, atol=1e-6)


def test_two_nodes_share_what_they_learn():
    driver = new_store()
    first = driver.parameters.clone()
    ledger = Ledger(driver, in_flight=32)
    nodes = [Node(start_of(driver, worker)) for worker in (0, 1)]
    found = [
        report for number in (1, 2) for worker, node in enumerate(nodes) for report in exchange(ledger, node, worker, number)
    ]
    assert {report.worker for report in found} == {0, 1}
    assert ledger.updates == sum(report.metrics.gradients for report in found)
    assert not torch.equal(driver.parameters, first)
    for number, node in enumerate(nodes):
        # Nothing is left to tell: a node that stops holds what the driver holds.
        node._exchange.take(driver.parameters.numpy().copy())
        torch.testing.assert_close(node._store.parameters, driver.parameters, rtol=0, atol=1e-6)
        assert ledger.take(number, 3, ledger.updates, node.stop()) is not None


def test_a_store_that_locks_its_updates_is_added_to_while_a_killed_worker_holds_the_lock(monkeypatch):
    monkeypatch.setattr("agents.learning.parameter_store.LOCK_SECONDS", 0.05)
    store = new_store()
    store.share(multiprocessing.get_context("spawn"))
    before = store.parameters.clone()
    assert store._lock.acquire(timeout=1)
    store.add(torch.ones_like(before), updates=2)
    torch.testing.assert_close(store.parameters, before + 1)
    assert int(store.optimizer.statistics["updates"]) == 2


def test_a_nodes_own_updates_are_not_in_flight():
    """A node that stops answers twice to what it read once."""
    ledger = Ledger(new_store(0), in_flight=1)
    nothing = np.zeros(len(ledger.store.parameters), np.float32)
    found = [
        ledger.take(1, 1, 0, Reply(nothing, reports(8))),
        ledger.take(1, 2, 0, Reply(nothing, reports(3))),
        ledger.take(2, 1, 8, Reply(nothing, reports(4))),
        ledger.take(1, 3, 11, Reply(nothing, reports(1))),
        ledger.take(1, 4, 11, Reply(nothing, reports(1))),
    ]
    assert [receipt.in_flight for receipt in found if receipt] == [0, 0, 3, 4, 4]
