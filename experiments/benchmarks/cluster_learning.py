"""Learning on several nodes without a cluster or a clock: `python -m experiments.benchmarks.cluster_learning --layouts 1x2 2x1`.

Nodes lie in this process and take turns, so a run repeats bit for bit and the speed of the machine plays no part. Each trains on
the parameters that it was sent at its turn before, as a node of a cluster does: between a node's reading and its change being
added, every other node's change is added once. Inside a node, workers act while others learn, in the order in which
`agents.runtime.cuda.CudaRuntime` queues them.
"""

import functools
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agents.cluster.exchange import Ledger, NodeExchange, Reply
from agents.config import PRESETS, TrainConfig, agent_config, check_range
from agents.learning.parameter_store import ParameterStore
from agents.model import FlatParameters
from agents.runtime.cuda import CudaRuntime
from agents.runtime.worker import Report, WorkerSpec, initial_model
from env.backends import make_batch
from env.registry import make_task
from experiments.benchmarks.measurement import machine
from experiments.options import check_writable, command, write_json
from maze_gen.console import say
from maze_gen.errors import InputError

POINTS = 10.0
EPISODES = 64
"""Whose mean return is compared with `POINTS`: the latest of all workers together."""
SLICE_FRAMES = 50_000
"""Of a run, before the next run has its turn."""


@dataclass(frozen=True)
class LearningOptions:
    """Compares how much nodes that exchange their changes learn from a frame, by simulation in one process.

    Attributes:
        layouts: nodes x workers of each.
        seeds: runs of each layout.
        frames: a run ends after so many, whether it has reached 10 points or not.
        rollouts: of each worker between two exchanges of its node; a worker makes about two a second.
        in_flight: as of `experiments.train`.
        task: name of the registry.
        agent: row of the table of agents.
        slow_units: as of `experiments.train`.
        critic_sees: as of `experiments.train`.
        learning_rate: as of `experiments.train`.
        minibatches: as of `experiments.train`; with fewer, a rollout makes fewer and larger gradients.
        json: a file for the results.
    """

    layouts: tuple[str, ...] = ("1x2", "2x1")
    seeds: int = 3
    frames: int = 3_000_000
    rollouts: int = 2
    in_flight: int = 32
    task: str = "static-small"
    agent: str = "nav-d1d2l"
    slow_units: float = 0.0
    critic_sees: tuple[str, ...] = ()
    learning_rate: float = PRESETS["fast"].learning_rate
    minibatches: int = PRESETS["fast"].minibatches
    json: Path | None = None

    def config(self) -> TrainConfig:
        """The preset `fast` with these settings."""
        return replace(
            PRESETS["fast"],
            slow_units=self.slow_units,
            critic_sees=self.critic_sees,
            learning_rate=self.learning_rate,
            minibatches=self.minibatches,
        )


@dataclass
class _Member:
    """A node, and its reply that is under way: (updates that the driver had when it read, reply)."""

    number: int
    store: ParameterStore
    runtime: CudaRuntime
    exchange: NodeExchange
    rounds: int = 0
    outstanding: tuple[int, Reply] | None = None


class SimulatedNodes:
    """A driver and its nodes in one process.

    Args:
        nodes, workers: how many nodes, and workers of each.
        rollouts: of a worker in a round.
        in_flight: as `agents.cluster.exchange.Ledger` has it.
    """

    def __init__(self, specs: list[WorkerSpec], nodes: int, rollouts: int, in_flight: int) -> None:
        first, workers = specs[0], len(specs) // nodes
        make = lambda: ParameterStore(  # noqa: E731
            first.config, FlatParameters(initial_model(first.agent, first.task.spec(), first.config, first.seed))
        )
        self.store = make()
        self.ledger = Ledger(self.store, in_flight)
        self._reports = rollouts * workers
        self._members: list[_Member] = []
        for number in range(nodes):
            store = make()
            own = specs[number * workers : (number + 1) * workers]
            self._members.append(_Member(number, store, CudaRuntime(own, store, graphs=False), NodeExchange(store)))
        self.weights: list[float] = []

    def rounds(self) -> Iterator[list[Report]]:
        """Reports of one node's round after the other, for ever; a round's change is added before its reports are returned."""
        while True:
            for member in self._members:
                reports: list[Report] = []
                if member.outstanding is not None:
                    read, reply = member.outstanding
                    member.rounds += 1
                    receipt = self.ledger.take(member.number, member.rounds, read, reply)
                    assert receipt is not None
                    self.weights.append(receipt.weight)
                    reports = reply.reports
                member.outstanding = self.ledger.updates, self._round(member)
                yield reports

    def _round(self, member: _Member) -> Reply:
        member.exchange.take(self.store.parameters.numpy().copy())
        reports: list[Report] = []
        while len(reports) < self._reports:
            reports += member.runtime.poll(0)
        return Reply(member.exchange.change(), reports)


@dataclass
class Run:
    """A training of one layout and seed.

    Attributes:
        reached: frames until the latest `EPISODES` returns had a mean of `POINTS`; None where they never had.
        curve: [frames, mean return] pairs.
    """

    layout: str
    seed: int
    frames: int = 0
    reached: int | None = None
    curve: list[tuple[int, float]] = field(default_factory=list)

    def advance(self, rounds: Iterator[list[Report]], latest: deque[float], frames_per_step: int) -> None:
        """Trains for about `SLICE_FRAMES`, or until the points are reached."""
        end = self.frames + SLICE_FRAMES
        while self.frames < end and self.reached is None:
            for report in next(rounds):
                self.frames += report.steps * frames_per_step
                latest.extend(episode.episode_return for episode in report.episodes)
            if len(latest) == EPISODES and np.mean(latest) >= POINTS:
                self.reached = self.frames
        if latest:
            self.curve.append((self.frames, round(float(np.mean(latest)), 2)))


def parse_layout(layout: str) -> tuple[int, int]:
    """(nodes, workers of each) of a text as 2x1.

    Raises:
        InputError: it isn't of that form.
    """
    nodes, _, workers = layout.partition("x")
    if not (nodes.isdigit() and workers.isdigit() and 0 < int(nodes) <= 64 and 0 < int(workers) <= 64):
        raise InputError(f"--layouts {layout}: expected nodes x workers, as 2x1, each from 1 to 64")
    return int(nodes), int(workers)


def run(options: LearningOptions) -> int:
    """Trains all layouts and seeds in turns, and prints the frames that each took to `POINTS`."""
    check_range("--seeds", options.seeds, 1, 1000, whole=True)
    check_range("--frames", options.frames, 1, 10**12, whole=True)
    check_range("--rollouts", options.rollouts, 1, 1000, whole=True)
    check_range("--in-flight", options.in_flight, 1, 10**6, whole=True)
    check_writable(options.json)
    torch.set_num_threads(1)
    running = [_begin(options, layout, seed) for seed in range(1, options.seeds + 1) for layout in options.layouts]
    runs = [run for run, *_ in running]
    while running:
        for entry in [*running]:
            entry[0].advance(*entry[1:])
            if entry[0].reached is not None or entry[0].frames >= options.frames:
                running.remove(entry)
                say(_line(entry[0]), file=sys.stderr)
        _write(options, runs)
    for layout in options.layouts:
        say(f"{layout}: {_median(runs, layout)}")
    return 0


def _begin(options: LearningOptions, layout: str, seed: int) -> tuple[Run, Iterator[list[Report]], deque[float], int]:
    nodes, workers = parse_layout(layout)
    config, agent = options.config(), agent_config(options.agent)
    task = make_task(options.task, observation_size=config.observation_size)
    make_env = functools.partial(make_batch, device="cpu")
    specs = [WorkerSpec(agent, config, task, make_env, seed, index) for index in range(nodes * workers)]
    simulated = SimulatedNodes(specs, nodes, options.rollouts, options.in_flight)
    return Run(layout, seed), simulated.rounds(), deque(maxlen=EPISODES), task.spec().frames_per_step


def _line(found: Run) -> str:
    what = f"reached {POINTS:g} points" if found.reached is not None else f"had not reached {POINTS:g} points"
    return f"{found.layout}, seed {found.seed}: {what} after {found.frames / 1e6:.2f} million frames"


def _median(runs: list[Run], layout: str) -> str:
    found = [run.reached if run.reached is not None else np.inf for run in runs if run.layout == layout]
    middle = float(np.median(found))
    return f"median {middle / 1e6:.2f} million frames" if np.isfinite(middle) else "most runs did not reach it"


def _write(options: LearningOptions, runs: list[Run]) -> None:
    if options.json is None:
        return
    settings: dict[str, Any] = {name: getattr(options, name) for name in options.__dataclass_fields__ if name != "json"}
    write_json(options.json, {"settings": settings, "machine": machine(), "runs": [vars(run) for run in runs]})


if __name__ == "__main__":
    raise SystemExit(command(LearningOptions, run)())
