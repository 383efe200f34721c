"""Speed of the embedded engine, by the arrays that it makes, and on the GPU by the number of worlds."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from env.engine.engine import Engine
from env.navigation import NUM_ACTIONS
from env.task import Task
from experiments.benchmarks.measurement import Measurement, rate
from experiments.benchmarks.options import BenchmarkOptions
from maze_gen.errors import InputError
from maze_gen.generator import GeneratorConfig, generate, parse_size

OBSERVED = {
    "rgb+targets": frozenset({"rgb", "velocity", "depth_target"}),
    "rgb+depth": frozenset({"rgb", "velocity", "depth"}),
    "targets": frozenset({"velocity", "depth_target"}),
    "physics": frozenset({"velocity"}),
}
"""Arrays that are made, by the measurement's name."""

GPU_ENVS = (256, 1024, 4096, 16384, 65536)
STEPS = 64


def measure(options: BenchmarkOptions) -> Iterator[Measurement]:
    """Agent steps per second with random actions; episodes that end are reset within the measured time."""
    for name in ("num_envs", "threads", "seconds"):
        if not getattr(options, name) > 0:
            raise InputError(f"--{name.replace('_', '-')} is {getattr(options, name)}, expected more than 0")
    if options.device == "cuda":
        yield from _measure_gpu(options)
        return
    for observed, observe in OBSERVED.items():
        slowest: Measurement | None = None
        for size in options.sizes:
            settings = _settings(options, size, options.num_envs) | {"threads": options.threads}
            with Engine(_task(size), options.num_envs, threads=options.threads, observe=observe) as engine:
                best, median = rate(_stepper(engine), options.seconds)
            found = Measurement(f"engine/{observed}/{size}", best, "agent_steps/s", settings | {"median": median})
            yield found
            if slowest is None or found.value < slowest.value:
                slowest = found
        assert slowest is not None
        # The name without a size is the rate of the slowest size.
        yield Measurement(f"engine/{observed}", slowest.value, slowest.unit, slowest.settings)


def _task(size: str) -> Task:
    rows, cols = parse_size(size)
    maze = generate(GeneratorConfig(rows=rows, cols=cols, apples=max(1, rows * cols // 10)), seed=0)
    return Task(f"benchmark-{size}", (maze,), episode_seconds=60, goal="episode")


def _settings(options: BenchmarkOptions, size: str, num_envs: int) -> dict[str, Any]:
    return {"maze": size, "num_envs": num_envs, "observation_size": 84, "action_repeat": 4, "device": options.device}


def _stepper(engine: Engine) -> Callable[[], int]:
    """A function that steps the engine `STEPS` times and returns the number of agent steps."""
    actions = np.random.default_rng(0).integers(0, NUM_ACTIONS, (STEPS, engine.num_envs))
    engine.reset(0)
    engine.step(actions[0])

    def steps() -> int:
        for chosen in actions:
            engine.step(chosen)
            if engine.outcome.truncated.any():
                engine.reset_rows(engine.outcome.truncated)
        return actions.size

    return steps


def _measure_gpu(options: BenchmarkOptions) -> Iterator[Measurement]:
    import torch

    for observed, observe in OBSERVED.items():
        for size in options.sizes:
            for num_envs in GPU_ENVS:
                with Engine(_task(size), num_envs, device="cuda", observe=observe) as engine:
                    best, median = rate(_graph_stepper(engine, torch), options.seconds)
                settings = _settings(options, size, num_envs) | {
                    "gpu": torch.cuda.get_device_name(),
                    "median": median,
                    "memory_mb": torch.cuda.max_memory_allocated() / 2**20,
                }
                yield Measurement(f"engine/cuda/{observed}/{size}/{num_envs}", best, "agent_steps/s", settings)


def _graph_stepper(engine: Engine, torch: Any) -> Callable[[], int]:
    """The same by replaying a CUDA graph of a step and of the resets of the rows that it truncated."""
    actions = torch.randint(0, NUM_ACTIONS, (engine.num_envs,), device="cuda")
    engine.reset(0)
    # Compiled before the capture, on a side stream as torch requires.
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        engine.step(actions)
        engine.reset_rows(engine.outcome.truncated)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        engine.step(actions)
        engine.reset_rows(engine.outcome.truncated)

    def steps() -> int:
        for _ in range(STEPS):
            actions.random_(0, NUM_ACTIONS)
            graph.replay()
        torch.cuda.synchronize()
        return STEPS * engine.num_envs

    return steps
