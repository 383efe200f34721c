"""A trainer on a cluster that only counts, and prints a line of JSON an event.

`python -m experiments.benchmarks.cluster_driver ADDRESS WORKERS LOG` is started by `experiments.benchmarks.cluster_kills`.

Events are {"report": worker}, {"note": text} and {"figures": {...}}, each with "at", seconds of the monotonic clock. Reports that
came together with a note stand after it and have its number as "batch".
"""

import json
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

from agents.cluster.runtime import ClusterRuntime
from agents.cluster.settings import ClusterSettings
from agents.config import AGENTS, PRESETS
from agents.learning.parameter_store import ParameterStore
from agents.model import FlatParameters
from agents.runtime.worker import WorkerSpec, initial_model
from env.backends import make_batch
from env.registry import make_task
from maze_gen.console import say

EXCHANGE_SECONDS = 0.3
MOST_SECONDS = 900.0
AGENT, TASK = AGENTS["ff"], "static-small"


def emit(**event: Any) -> None:
    say(json.dumps({"at": time.monotonic(), **event}))


def main() -> None:
    address, workers, log = sys.argv[1:]
    batch = 0
    warnings.simplefilter("always")
    warnings.showwarning = lambda message, *rest, **more: emit(note=str(message), batch=batch)
    config = replace(PRESETS["fast"], num_envs=2, unroll_length=10)
    task = make_task(TASK, observation_size=config.observation_size)
    store = ParameterStore(config, FlatParameters(initial_model(AGENT, task.spec(), config, seed=0)))
    specs = [WorkerSpec(AGENT, config, task, make_batch, 0, index) for index in range(int(workers))]
    runtime = ClusterRuntime(specs, store, ClusterSettings(address, EXCHANGE_SECONDS, log=Path(log)))
    emit(processors=runtime.processors)
    end = time.monotonic() + MOST_SECONDS
    # Until somebody kills it.
    while time.monotonic() < end:
        batch += 1
        for report in runtime.poll(0.1):
            emit(report=report.worker, batch=batch)
        figures = runtime.figures()
        if figures:
            emit(figures=figures)


if __name__ == "__main__":
    main()
