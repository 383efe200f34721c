"""Speed of training on a GPU, by the number of worlds and workers."""

import functools
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from agents.config import PRESETS, TrainConfig, agent_config
from agents.cuda_graphs import WARM_UPS
from agents.learning.parameter_store import ParameterStore, StreamStore
from agents.model import FlatParameters
from agents.runtime.cuda import CudaRuntime
from agents.runtime.errors import WorkerError
from agents.runtime.worker import WorkerSpec, initial_model
from env.backends import make_batch
from env.registry import make_task
from experiments.benchmarks.measurement import Measurement
from experiments.benchmarks.options import BenchmarkOptions
from maze_gen.console import say
from maze_gen.errors import InputError

AGENT = "nav-d1d2l"
TASK = "static-small"
ENVS = (256, 1024, 4096)
"""Worlds of a worker."""
WORKERS = (1, 2, 4)
GPU_PRESETS = ("gpu", "paper")
LEAST_SECONDS = 5.0
WARM_ROUNDS = WARM_UPS + 2
"""Rounds of every worker before anything is measured: by then all graphs are recorded and the pipeline is full."""


@dataclass(frozen=True)
class Rates:
    """Agent steps per second: of the whole, and of one worker's rollouts while it acts and while it learns."""

    whole: float
    act: float
    learn: float


def measure_cuda(options: BenchmarkOptions) -> Iterator[Measurement]:
    """Agent steps per second of whole trainings, for each preset, number of worlds per worker, and number of workers.

    For one worker also the rates of acting and learning, by the stream's clock, and the whole without CUDA graphs. A combination
    that doesn't fit into the GPU's memory is reported on stderr and left out.

    Raises:
        InputError: there is no GPU.
    """
    if not torch.cuda.is_available():
        raise InputError("--device cuda: this torch finds no NVIDIA GPU")
    seconds = max(options.seconds, LEAST_SECONDS)
    for preset in GPU_PRESETS:
        for envs in ENVS:
            config = _with_worlds(PRESETS[preset], envs)
            for workers in WORKERS:
                name = f"train/cuda/{preset}/{envs}x{workers}"
                try:
                    yield from _measure(name, config, workers, seconds)
                except WorkerError as error:
                    say(f"{name}: {str(error).splitlines()[0]}", file=sys.stderr)
                torch.cuda.empty_cache()


def _with_worlds(config: TrainConfig, envs: int) -> TrainConfig:
    """The settings with `envs` worlds; the number of worlds per minibatch stays the same."""
    minibatches = max(1, envs * config.minibatches // config.num_envs) if config.minibatches > 1 else 1
    return replace(config, num_envs=envs, minibatches=minibatches)


def _measure(name: str, config: TrainConfig, workers: int, seconds: float) -> Iterator[Measurement]:
    torch.cuda.reset_peak_memory_stats()
    rates = training_rates(config, workers, seconds, "cuda")
    settings = {
        "agent": AGENT,
        "task": TASK,
        "num_envs": config.num_envs,
        "workers": workers,
        "observation_size": config.observation_size,
        "unroll_length": config.unroll_length,
        "minibatches": config.minibatches,
        "gpu": torch.cuda.get_device_name(),
        "memory_mb": torch.cuda.max_memory_allocated() / 2**20,
        "frames_per_second": 4 * rates.whole,
    }
    yield Measurement(name, rates.whole, "agent_steps/s", settings)
    if workers == 1:
        yield Measurement(f"{name}/act", rates.act, "agent_steps/s", settings)
        yield Measurement(f"{name}/learn", rates.learn, "agent_steps/s", settings)
        without = training_rates(config, workers, seconds, "cuda", graphs=False)
        yield Measurement(f"{name}/without-graphs", without.whole, "agent_steps/s", settings)


def training_rates(config: TrainConfig, workers: int, seconds: float, device: str, graphs: bool = True) -> Rates:
    """Trains for `seconds` after a warm-up.

    Raises:
        WorkerError: the GPU's memory is full.
    """
    agent, task = agent_config(AGENT), make_task(TASK, observation_size=config.observation_size)
    flat = FlatParameters(initial_model(agent, task.spec(), config, seed=0))
    store = StreamStore(config, flat) if device == "cuda" else ParameterStore(config, flat)
    make_env = functools.partial(make_batch, device=device)
    specs = [WorkerSpec(agent, config, task, make_env, seed=0, index=index) for index in range(workers)]
    runtime = CudaRuntime(specs, store, graphs)
    try:
        for _ in range(WARM_ROUNDS * workers):
            runtime.poll(0)
        steps, acting, learning, begin = 0, 0.0, 0.0, time.perf_counter()
        while (elapsed := time.perf_counter() - begin) < seconds or not steps:
            for report in runtime.poll(0):
                steps += report.steps
                acting += report.acting_seconds
                learning += report.learning_seconds
    finally:
        runtime.stop()
    return Rates(steps / elapsed, steps / acting, steps / learning)
