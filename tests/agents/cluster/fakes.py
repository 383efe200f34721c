"""A cluster in this process: its nodes answer when the test lets them, die, fall silent, come and go."""

import dataclasses
import itertools

import numpy as np
import torch

from agents.cluster.coordinator import NodeLostError, Place
from agents.cluster.exchange import Ledger, NodeExchange, Reply
from agents.cluster.messages import Changes, Delivery, Dropped, Finished
from agents.config import AGENTS, TrainConfig
from agents.learning.learner import Metrics
from agents.learning.parameter_store import ParameterStore
from agents.model import FlatParameters
from agents.runtime.worker import Report, WorkerSpec, initial_model
from tests.agents.worlds import CountingEnv, counting_task

CONFIG = TrainConfig(num_envs=4, unroll_length=5)
TASK = counting_task()


def new_store(value=None):
    """A store of a small agent; whole numbers as parameters make sums exact in any order."""
    store = ParameterStore(CONFIG, FlatParameters(initial_model(AGENTS["ff"], TASK.spec(), CONFIG, seed=0)))
    if value is not None:
        store.parameters.copy_(torch.as_tensor(value, dtype=torch.float32).expand_as(store.parameters))
    return store


def specs(count):
    return [WorkerSpec(AGENTS["ff"], CONFIG, TASK, CountingEnv, 0, index) for index in range(count)]


def reports(gradients, workers=(0,)):
    return [Report(worker, 20, [], Metrics(gradients)) for worker in workers]


class FakeNode:
    """Every round each of its workers adds 1 to every parameter, by one gradient."""

    def __init__(self, place, start):
        self.place, self.specs, self.runtime = place, start.specs, start.runtime
        self.store = new_store()
        self.store.parameters.copy_(torch.tensor(start.parameters))
        self.exchange = NodeExchange(self.store)
        self.killed = False
        self.rounds = self.made = 0

    def round(self, parameters):
        if parameters is not None:
            self.exchange.take(parameters)
        self.store.parameters.add_(len(self.specs))
        self.rounds += 1
        self.made += len(self.specs)
        return Reply(self.exchange.change(), reports(1, [spec.index for spec in self.specs]))


class FakeNodes:
    """`agents.cluster.coordinator.Nodes`.

    Attributes:
        processors: of each node.
        gpus: of the nodes that have any; each holds one actor, which needs a processor too.
        silent: nodes that don't answer.
        errors: what a node's next replies raise.
    """

    def __init__(self, **processors):
        self.processors = processors
        self.gpus = {}
        self.silent = set()
        self.errors = {}
        self.nodes = []
        self.shares = 0
        self._tickets = {}
        self._numbers = itertools.count()

    def places(self):
        actors = {place: len(self.alive(place)) for place in self.processors}
        used = {
            place: actors[place] if place in self.gpus else sum(len(node.specs) for node in self.alive(place)) for place in actors
        }
        gpus = {place: self.gpus[place] - actors[place] if place in self.gpus else 0 for place in actors}
        return {place: Place(f"10.0.0.{place}", count - used[place], gpus[place]) for place, count in self.processors.items()}

    def alive(self, place=None):
        return [node for node in self.nodes if not node.killed and place in (None, node.place)]

    def start(self, place, start):
        self.nodes.append(FakeNode(place, start))
        return self.nodes[-1]

    def share(self, parameters):
        self.shares += 1
        return parameters.copy()

    def order(self, node, parameters, progress, seconds, with_statistics):
        return self._order(node, parameters)

    def order_stop(self, node):
        return self._order(node, None)

    def _order(self, node, parameters):
        ticket = next(self._numbers)
        self._tickets[ticket] = node, parameters
        return ticket

    def ready(self, tickets, timeout):
        return [ticket for ticket in tickets if self._tickets[ticket][0].place not in self.silent]

    def reply(self, ticket):
        node, parameters = self._tickets.pop(ticket)
        if node.place not in self.processors:
            raise NodeLostError("its host is gone")
        if self.errors.get(node.place):
            raise self.errors[node.place].pop()
        return node.round(parameters)

    def kill(self, node):
        node.killed = True


class Trainer:
    """The trainer's half: takes every delivery at once, or on request."""

    def __init__(self, store, busy=False):
        self.store, self.busy = store, busy
        self.ledger = Ledger(store, in_flight=32)
        self.changes = Changes(len(store.parameters))
        self.messages, self.waiting, self.receipts = [], [], []

    def send(self, message):
        self.messages.append(message)
        self.waiting.append(message)
        if not self.busy:
            self.take()

    def take(self):
        for message in self.waiting:
            if isinstance(message, Delivery):
                reply = self.changes.reply(message)
                self.receipts.append(self.ledger.take(message.member, message.number, message.read, reply))
                self.changes.take()
            elif isinstance(message, Dropped):
                self.ledger.drop(message.member)
        self.waiting = []

    def of(self, kind):
        return [message for message in self.messages if isinstance(message, kind)]

    @property
    def steps(self):
        return sum(report.steps for delivery in self.of(Delivery) for report in delivery.reports)

    @property
    def finished(self):
        return isinstance(self.messages[-1], Finished)


def changed(**fields):
    return dataclasses.replace(CONFIG, **fields)


def all_equal(store, value):
    return bool(np.all(store.parameters.numpy() == value))
