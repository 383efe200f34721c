"""Speed of a training on a cluster of one node beside the same workers without a cluster, alternately."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from agents.cluster.runtime import ClusterRuntime
from agents.cluster.settings import LOCAL, ClusterSettings
from agents.config import PRESETS, agent_config
from agents.learning.parameter_store import ParameterStore
from agents.model import FlatParameters
from agents.runtime.runtime import Runtime, make_runtime
from agents.runtime.worker import WorkerSpec, initial_model
from env.backends import make_batch
from env.registry import make_task
from experiments.benchmarks.measurement import Measurement
from experiments.benchmarks.options import BenchmarkOptions
from experiments.benchmarks.processes import own_family, processor_seconds, summed

AGENT, TASK = "nav-d1d2l", "static-small"
WORKERS, REPETITIONS = 2, 3
EXCHANGE_SECONDS = 1.0
START_SECONDS = 180.0


def measure(options: BenchmarkOptions) -> Iterator[Measurement]:
    """Agent steps per second and per second of a processor: the best of `REPETITIONS` runs of `--seconds` each.

    `processes`: a training on one machine; `node`: the same workers on a node of a cluster of this machine, with all that Ray
    does; `share`: the second as a percentage of the first.
    """
    rates: dict[str, list[tuple[float, float]]] = {"processes": [], "node": []}
    for _ in range(REPETITIONS):
        for name, found in rates.items():
            found.append(_rates(name == "node", options.seconds))
    settings = {"agent": AGENT, "workers": WORKERS, "exchange_seconds": EXCHANGE_SECONDS}
    for index, (kind, unit) in enumerate((("speed", "agent_steps/s"), ("speed_of_a_processor", "agent_steps/CPU s"))):
        best = {name: max(pair[index] for pair in found) for name, found in rates.items()}
        for name, found in rates.items():
            yield Measurement(f"cluster/{kind}/{name}", best[name], unit, settings | {"rates": [pair[index] for pair in found]})
        yield Measurement(f"cluster/{kind}/share", 100 * best["node"] / best["processes"], "percent", settings | {"least": 90})


def _rates(cluster: bool, seconds: float) -> tuple[float, float]:
    config, agent = PRESETS["fast"], agent_config(AGENT)
    task = make_task(TASK, observation_size=config.observation_size)
    store = ParameterStore(config, FlatParameters(initial_model(agent, task.spec(), config, seed=0)))
    specs = [WorkerSpec(agent, config, task, make_batch, 0, index) for index in range(WORKERS)]
    with tempfile.TemporaryDirectory() as folder:
        settings = ClusterSettings(LOCAL, EXCHANGE_SECONDS, log=Path(folder) / "ray.log", processors=WORKERS)
        runtime = ClusterRuntime(specs, store, settings) if cluster else make_runtime("processes", specs, store)
        try:
            return _steps_per_second(runtime, seconds)
        finally:
            runtime.stop()


def _steps_per_second(runtime: Runtime, seconds: float) -> tuple[float, float]:
    """(steps a second, steps a second of a processor), between two reports, so that an exchange under way counts but once."""
    seen: set[int] = set()
    give_up = time.monotonic() + START_SECONDS
    while len(seen) < WORKERS and time.monotonic() < give_up:
        seen |= {report.worker for report in runtime.poll(0.05)}
    while not runtime.poll(0.05):
        continue
    begin, used, steps = time.perf_counter(), _used(), 0
    while True:
        reports = runtime.poll(0.05)
        steps += sum(report.steps for report in reports)
        elapsed = time.perf_counter() - begin
        if reports and elapsed > seconds:
            return steps / elapsed, steps / (_used() - used)


def _used() -> float:
    """Seconds that this process and all that it started have computed."""
    return summed(own_family(), processor_seconds)
