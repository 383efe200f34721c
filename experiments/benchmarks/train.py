"""Speed of training: of each stage in one worker, and of the whole with several workers, for both CPU presets."""

import multiprocessing
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agents.config import PRESETS, TrainConfig, agent_config
from agents.learning.parameter_store import ParameterStore
from agents.model import FlatParameters
from agents.precision import products_in
from agents.runtime.processes import started_like_workers
from agents.runtime.worker import Worker, WorkerSpec, initial_model
from env.backends import make_batch
from env.navigation import NUM_ACTIONS
from env.registry import make_task
from experiments.benchmarks.measurement import Measurement, rate
from experiments.benchmarks.options import BenchmarkOptions
from experiments.benchmarks.train_cuda import measure_cuda
from experiments.train import TrainOptions, train

AGENT = "nav-d1d2l"
TASK = "static-small"
WORKERS = 2
CPU_PRESETS = ("fast", "paper")
WHOLE_SECONDS = 15.0
"""Duration of the whole training. The rate is that of its latest entry, which excludes the start of the processes."""


def measure(options: BenchmarkOptions) -> Iterator[Measurement]:
    """Agent steps per second of every stage, in a process that is started as a worker is, then of the whole.

    `simulate`: the worlds alone; `act`: the network's steps alone; `collect`: rollouts, which contain both and the recording;
    `learn`: all gradients of a rollout, including `apply` (the optimiser) and `copy` (of the parameters); `whole`: two workers
    side by side. On a GPU other quantities are measured: see `experiments.benchmarks.train_cuda`.
    """
    if options.device == "cuda":
        yield from measure_cuda(options)
        return
    for preset in CPU_PRESETS:
        config = replace(PRESETS[preset], encoder=options.encoder)
        settings = {
            "agent": AGENT,
            "task": TASK,
            "encoder": config.encoder,
            "num_envs": config.num_envs,
            "observation_size": config.observation_size,
            "unroll_length": config.unroll_length,
        }
        for stage, (best, median) in _in_a_process(config, options.seconds).items():
            yield Measurement(f"train/{preset}/{stage}", best, "agent_steps/s", settings | {"median": median})
        yield Measurement(f"train/{preset}/whole", _whole(preset, config), "agent_steps/s", settings | {"workers": WORKERS})


def _whole(preset: str, config: TrainConfig) -> float:
    """Agent steps per second of a short training, of its latest entry."""
    with tempfile.TemporaryDirectory() as folder:
        result = train(
            TrainOptions(
                task=TASK,
                agent=AGENT,
                preset=preset,
                settings=config,
                workers=WORKERS,
                minutes=WHOLE_SECONDS / 60,
                run_dir=Path(folder) / "run",
            )
        )
    return float(result.summary["latest"]["speed/frames_per_second"]) / 4


def _in_a_process(config: TrainConfig, seconds: float) -> dict[str, tuple[float, float]]:
    """Rates of the stages (best, median), in a process whose allocator is configured as a worker's."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    with started_like_workers():
        process = context.Process(target=_measure_stages, args=(config, seconds, theirs))
        process.start()
    theirs.close()
    try:
        return ours.recv()
    finally:
        process.join()


def _measure_stages(config: TrainConfig, seconds: float, pipe: Connection) -> None:
    torch.set_num_threads(1)
    agent, task = agent_config(AGENT), make_task(TASK, observation_size=config.observation_size)
    model = initial_model(agent, task.spec(), config, seed=0)
    store = ParameterStore(config, FlatParameters(model))
    worker = Worker(WorkerSpec(agent, config, task, make_batch, seed=0, index=0, stagger=False), store)
    worker.run_round()
    pipe.send({name: rate(work, seconds, 3) for name, work in _stages(worker, config).items()})


def _stages(worker: Worker, config: TrainConfig) -> dict[str, Callable[[], int]]:
    """Stage → a function that does its work for one rollout and returns the number of agent steps."""
    steps = config.num_envs * config.unroll_length
    gradients = config.epochs * config.minibatches
    env, actor = worker.env, worker.actor
    actions = np.random.default_rng(0).integers(0, NUM_ACTIONS, (config.unroll_length, config.num_envs))
    uniforms = torch.rand(config.num_envs, 1)
    gradient = torch.randn_like(worker.flat.values)

    def simulate() -> int:
        for chosen in actions:
            env.step(chosen)
            if env.outcome.truncated.any():
                env.reset_rows(env.outcome.truncated)
        return steps

    @torch.no_grad()
    def act() -> int:
        state: Any = actor.state
        with products_in(actor.products, actor.worlds.device):
            for _ in range(config.unroll_length):
                state = actor.acting.decide(state, uniforms).state
        return steps

    def collect() -> int:
        actor.run()
        return steps

    def learn() -> int:
        worker.learner.learn(actor.rollout)
        return steps

    def apply() -> int:
        for _ in range(gradients):
            worker.store.push(gradient)
        return steps

    def copy() -> int:
        for _ in range(gradients):
            worker.store.pull(worker.flat.values)
        return steps

    return {"collect": collect, "learn": learn, "simulate": simulate, "act": act, "apply": apply, "copy": copy}
