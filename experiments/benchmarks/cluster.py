"""How many nodes one driver keeps up with: rounds per second through Ray, and a simulation with what rounds cost here."""

import heapq
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import psutil

from agents.cluster.exchange import NodeExchange
from agents.cluster.link import apart, connecting
from agents.cluster.messages import Changes
from agents.cluster.runtime import ClusterRuntime
from agents.cluster.settings import LOCAL, ClusterSettings
from agents.cluster.training_link import coordinate
from agents.config import PRESETS, agent_config
from agents.learning.parameter_store import ParameterStore
from agents.model import FlatParameters
from agents.runtime.worker import WorkerSpec, initial_model
from env.backends import make_batch
from env.registry import make_task
from experiments.benchmarks.measurement import Measurement, rate
from experiments.benchmarks.options import BenchmarkOptions
from experiments.benchmarks.processes import own_family, processor_seconds, summed

AGENT, TASK = "nav-d1d2l", "static-small"
ECHOES = 4
"""Nodes that answer at once, while the driver's rounds are counted."""
WORKERS, SIMULATED_WORKERS = 64, 4096
"""Workers of a node, and of all nodes, in the simulation."""
EXCHANGE_SECONDS = 1.0
SIMULATED_SECONDS = 120.0
MEMORY_ROUNDS = 2000, 200
"""Over the last so many rounds memory must not grow; the first so many are left out."""
NETWORKS = {"1 GbE": 125e6, "10 GbE": 1250e6}
"""Bytes per second of the driver's network, each way."""


def measure(options: BenchmarkOptions) -> Iterator[Measurement]:
    """What a driver keeps up with.

    `rounds`: exchanges per second between a driver and nodes that answer at once, all on this machine, through Ray, and
    the same for each second of a processor that the driver uses, which other work on the machine changes less; `exchange`:
    exchanges per second of a node's own part; `nodes`: the most nodes whose one-second rounds the driver keeps up with; `speed`:
    agent steps of 4,096 workers in nodes of 64 beside the same workers without exchanges, simulated with these costs;
    `memory_growth`: of all processes and of Ray's object store, over 2,000 rounds.
    """
    specs, store = _training()
    settings = {"agent": AGENT, "parameters": len(store.parameters), "exchange_seconds": EXCHANGE_SECONDS}
    exchange, median = rate(lambda: _exchange(store), options.seconds, 3)
    yield Measurement("cluster/exchange", exchange, "exchanges/s", settings | {"median": median})
    rounds, of_processor, growth = measure_rounds(specs, store, max(options.seconds, 1.0))
    yield Measurement("cluster/rounds", rounds, "rounds/s", settings | {"nodes": ECHOES})
    yield Measurement("cluster/rounds_of_a_processor", of_processor, "rounds/CPU s", settings | {"nodes": ECHOES})
    yield Measurement("cluster/memory_growth", growth, "MB", settings | {"rounds": MEMORY_ROUNDS[0]})
    size = 4 * len(store.parameters)
    yield Measurement("cluster/nodes", float(int(rounds * EXCHANGE_SECONDS)), "nodes", settings)
    for network, bandwidth in NETWORKS.items():
        service = max(1 / rounds, size / bandwidth)
        most = float(int(EXCHANGE_SECONDS / service))
        yield Measurement(f"cluster/nodes/{network}", most, "nodes", settings | {"network": network})
    speed, interval = simulate(SIMULATED_WORKERS // WORKERS, EXCHANGE_SECONDS, 1 / rounds, 1 / exchange)
    found = settings | {"workers": SIMULATED_WORKERS, "workers_of_a_node": WORKERS, "interval_seconds": interval}
    yield Measurement("cluster/speed", 100 * speed, "percent", found)


def _training() -> tuple[list[WorkerSpec], ParameterStore]:
    config, agent = PRESETS["fast"], agent_config(AGENT)
    task = make_task(TASK, observation_size=config.observation_size)
    store = ParameterStore(config, FlatParameters(initial_model(agent, task.spec(), config, seed=0)))
    return [WorkerSpec(agent, config, task, make_batch, 0, index) for index in range(ECHOES)], store


def _exchange(store: ParameterStore) -> int:
    """A node's part of an exchange, and what makes it."""
    node = NodeExchange(store)
    node.take(store.parameters.numpy())
    node.change()
    return 1


def measure_rounds(specs: list[WorkerSpec], store: ParameterStore, seconds: float) -> tuple[float, float, float]:
    """Rounds of a driver, through Ray, with an actor for each of `specs` that answers at once.

    Returns:
        (rounds a second, rounds of a processor's second, MB by which `MEMORY_ROUNDS` more make all processes larger). A
        processor's time is that of the trainer and of its process that talks to the cluster, without Ray's own processes.

    Raises:
        InputError: Ray isn't installed.
    """
    with tempfile.TemporaryDirectory() as folder:
        settings = ClusterSettings(LOCAL, log=Path(folder) / "ray.log", processors=len(specs))
        runtime = ClusterRuntime(specs, store, settings, target=echo)
        try:
            _count(runtime, len(specs))
            processes = [psutil.Process(), psutil.Process(runtime.process.pid)]
            begin, used = time.perf_counter(), summed(processes, processor_seconds)
            rounds = _count(runtime, seconds=seconds)
            found = rounds / (time.perf_counter() - begin), rounds / (summed(processes, processor_seconds) - used)
            most, first = MEMORY_ROUNDS
            _count(runtime, rounds=max(0, first - rounds))
            before = _memory()
            _count(runtime, rounds=most)
            return *found, _memory() - before
        finally:
            runtime.stop()


def _memory() -> float:
    """MB of the trainer, of what talks to the cluster, and of the cluster, with its shared memory, which is counted once."""
    return summed(own_family(), lambda process: process.memory_full_info().pss) / 1e6


def _count(runtime: ClusterRuntime, workers: int = 0, seconds: float = 180.0, rounds: int | None = None) -> int:
    """Rounds until each of so many workers has reported, until so many rounds are done, or until the seconds are over."""
    seen: set[int] = set()
    most, end = rounds, time.monotonic() + seconds
    rounds = 0
    while (not workers or len(seen) < workers) and (most is None or rounds < most) and time.monotonic() < end:
        reports = runtime.poll(0.1)
        rounds += len(reports)
        seen |= {report.worker for report in reports}
    return rounds


def echo(
    settings: ClusterSettings, pipe: Connection, parent: int, specs: list[WorkerSpec], store: ParameterStore, changes: Changes
) -> None:
    """What the child of `measure_rounds` does: as that of a training, with nodes that only answer."""
    apart(settings.log, parent)

    def work() -> None:
        from experiments.benchmarks.cluster_echo import EchoNodes

        coordinate(EchoNodes(len(specs)), settings, pipe, specs, store, changes)

    connecting(settings, pipe, work)


def simulate(nodes: int, exchange_seconds: float, service: float, own: float) -> tuple[float, float]:
    """Nodes that each work for `exchange_seconds` and then exchange with one driver, one after the other.

    Workers go on while an exchange waits, but for the time that their node spends on it itself, on one of its processors.

    Args:
        service: seconds that an exchange takes the driver.
        own: seconds that it takes its node.

    Returns:
        (agent steps beside the same workers without exchanges, mean seconds between two exchanges of a node).
    """
    random = np.random.default_rng(0)
    due = [(float(start), node) for node, start in enumerate(random.uniform(0, exchange_seconds, nodes))]
    heapq.heapify(due)
    free, exchanges = 0.0, 0
    while due[0][0] < SIMULATED_SECONDS:
        ready, node = heapq.heappop(due)
        free = max(free, ready) + service
        heapq.heappush(due, (free + own + exchange_seconds, node))
        exchanges += 1
    lost = exchanges * own / WORKERS
    return 1 - lost / (nodes * SIMULATED_SECONDS), nodes * SIMULATED_SECONDS / exchanges
