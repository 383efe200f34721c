"""Workers as streams: on the CPU they do what the serial mode does, on a GPU the same with and without graphs."""

import dataclasses
import functools
import gc
import inspect
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from agents.config import AGENTS, TrainConfig
from agents.cuda_graphs import WARM_UPS, CudaGraph, RecordingError
from agents.learning.parameter_store import ParameterStore, StreamStore
from agents.model import FlatParameters
from agents.rng import NumpyStream
from agents.runtime.cuda import CudaRuntime
from agents.runtime.errors import WorkerError
from agents.runtime.serial import SerialRuntime
from agents.runtime.worker import Worker, WorkerSpec, initial_model
from env.backends import make_batch
from env.registry import make_task
from tests.agents.worlds import CountingEnv, counting_task

CONFIG = TrainConfig(num_envs=4, unroll_length=5, epochs=1, minibatches=2, precision="float32")
AGENT = AGENTS["nav-d1d2l"]


def make(runtime, workers: int, seed: int = 0, make_env=CountingEnv, config: TrainConfig = CONFIG):
    store = ParameterStore(config, FlatParameters(initial_model(AGENT, counting_task().spec(), config, seed=0)))
    specs = [WorkerSpec(AGENT, config, counting_task(), make_env, seed, index) for index in range(workers)]
    return runtime(specs, store), store


def test_one_stream_learns_what_the_serial_mode_learns(monkeypatch):
    """With the same random numbers; a round later, since a round first learns from the chunk before."""
    monkeypatch.setattr("agents.runtime.worker.TorchStream", lambda seed, device: NumpyStream(seed))
    serial, expected_store = make(SerialRuntime, 1)
    expected = [serial.poll(0)[0] for _ in range(6)]
    streams, store = make(CudaRuntime, 1)
    assert streams.poll(0) == streams.poll(0) == []
    reports = [streams.poll(0)[0] for _ in range(5)]
    reports += streams.stop()
    assert len(reports) == len(expected)
    for mine, theirs in zip(reports, expected, strict=True):
        assert mine.steps == theirs.steps == 20
        assert mine.episodes == theirs.episodes
        assert mine.metrics.gradients == theirs.metrics.gradients
        assert dict(mine.metrics.means) == pytest.approx(dict(theirs.metrics.means), rel=1e-2, abs=1e-4)
        assert mine.acting_seconds > 0
        assert mine.learning_seconds > 0
    assert any(report.episodes for report in reports)
    torch.testing.assert_close(store.parameters, expected_store.parameters, rtol=1e-2, atol=1e-4)
    assert streams.poll(0) == []


def test_a_seed_repeats_itself():
    parameters = []
    for seed in (1, 1, 2):
        runtime, store = make(CudaRuntime, 2, seed)
        workers = [report.worker for _ in range(8) for report in runtime.poll(0)]
        assert workers == [0, 1, 0, 1]
        assert [report.worker for report in runtime.stop()] == [0, 1]
        assert int(store.optimizer.statistics["updates"]) == 6 * CONFIG.minibatches
        parameters.append(store.parameters)
    assert torch.equal(parameters[0], parameters[1])
    assert not torch.equal(parameters[0], parameters[2])


class FullEnv(CountingEnv):
    def step(self, actions):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")


class UncompiledEnv(CountingEnv):
    def step(self, actions):
        raise ImportError("libNVVM cannot be found.\nDo `conda install`")


@pytest.mark.parametrize(
    ("make_env", "message"), [(FullEnv, "memory is full with 4 environments"), (UncompiledEnv, r"libNVVM.*numba-cuda\[cu13\]")]
)
def test_what_a_gpu_lacks_is_said_in_a_line(make_env, message):
    runtime, _ = make(CudaRuntime, 1, make_env=make_env)
    with pytest.raises(WorkerError, match=message):
        runtime.poll(0)


class LoggedStream:
    """A stream that only notes what it is asked."""

    log: list[tuple[str, object]]

    def wait_event(self, event: object) -> None:
        self.log.append(("wait", event))

    def record_event(self) -> object:
        event = object()
        self.log.append(("record", event))
        return event


def test_each_use_of_the_store_waits_for_the_one_before(monkeypatch):
    stream = LoggedStream()
    stream.log = log = []
    monkeypatch.setattr("torch.cuda.current_stream", lambda: stream)
    flat = FlatParameters(initial_model(AGENT, counting_task().spec(), CONFIG, seed=0))
    store = StreamStore(CONFIG, flat, device="cpu")
    store.pull(torch.empty_like(flat.values))
    store.push(torch.ones_like(flat.values))
    store.snapshot()
    assert [what for what, _ in log] == ["record"] + ["wait", "record"] * 3
    for (_, before), (_, after) in zip(log[0::2], log[1::2], strict=False):
        assert before is after


def test_a_graph_is_recorded_after_the_warm_ups_and_then_replayed(monkeypatch):
    done, streams = [], []

    class Graph:
        def replay(self) -> None:
            done.append("replay")

    class Recording:
        def __init__(self, graph, *, stream, capture_error_mode) -> None:
            streams.append(stream)

        def __enter__(self) -> None:
            done.append("begin")

        def __exit__(self, *_: object) -> None:
            done.append("end")

    named = inspect.signature(torch.cuda.graph.__init__).parameters
    assert {"stream", "capture_error_mode"} <= set(named)
    monkeypatch.setattr("torch.cuda.CUDAGraph", Graph)
    monkeypatch.setattr("torch.cuda.graph", Recording)

    def work() -> str:
        done.append("work")
        return "result"

    stream: torch.cuda.Stream = "the worker's"  # type: ignore[assignment]
    graph = CudaGraph(work, stream)
    assert [graph() for _ in range(WARM_UPS + 3)] == ["result"] * (WARM_UPS + 3)
    assert done == ["work"] * WARM_UPS + ["begin", "work", "end", "replay", "replay", "replay"]
    assert streams == [stream]


def test_a_recording_that_fails_says_what_failed_first(monkeypatch):
    class Recording:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        def __enter__(self) -> None:
            pass

        def __exit__(self, *_: object) -> None:
            raise RuntimeError("the recording was spoiled")

    monkeypatch.setattr("torch.cuda.CUDAGraph", object)
    monkeypatch.setattr("torch.cuda.graph", Recording)

    def work() -> None:
        calls.append(1)
        if len(calls) > WARM_UPS:
            raise RuntimeError("a copy to the host")

    calls: list[int] = []
    graph = CudaGraph(work, None)  # type: ignore[arg-type]
    for _ in range(WARM_UPS):
        graph()
    with pytest.raises(RecordingError, match="a copy to the host"):
        graph()
    assert gc.isenabled()


SIMULATED = """
import numpy as np
import torch
from agents.cuda_graphs import as_it_is
from agents.config import AGENTS, TrainConfig
from agents.rng import NumpyStream
from agents.model import AgentModel
from agents.actor import Actor, ActorSettings
from env.engine.engine import Engine
from env.task import Task
from maze_gen.generator import GeneratorConfig, generate

maze = generate(GeneratorConfig(rows=2, cols=3), 0)
rules = {"goal": "episode", "spawn_distance": 1, "action_repeat": 20}
task = Task("tiny", (maze,), episode_seconds=1, observation_size=42, **rules)
assert task.episode_steps == 3
rollouts = []
for device, capture in (("cpu", None), ("cuda", as_it_is)):
    torch.manual_seed(0)
    model = AgentModel(AGENTS["nav-d1d2l"], task.spec(), TrainConfig())
    engine = Engine(task, 2, observe={"rgb", "velocity", "depth_target"}, device=device)
    actor = Actor(engine, model, ActorSettings(2, stagger=False), NumpyStream(np.random.SeedSequence(0)), capture)
    actor.reset(0, 0)
    actor.run()
    rollouts.append(actor.run()[0])
one, other = rollouts
assert one.ended.any() and one.starts.any()
for name in ("starts", "action", "reward", "ended"):
    assert torch.equal(getattr(one, name), getattr(other, name)), name
assert torch.equal(one.inputs.image, other.inputs.image)
assert all(torch.equal(target, other.targets[name]) for name, target in one.targets.items())
torch.testing.assert_close(one.next_value, other.next_value)
print("the same")
"""


def test_the_gpus_kernels_under_the_simulator_are_acted_in_as_the_cpus():
    """The simulator has to be chosen before Numba is imported; its arrays are the host's."""
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}
    command = [sys.executable, "-W", "ignore", "-c", SIMULATED]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "the same"


@pytest.fixture
def gpu():
    """Skips where there is no GPU; products are not to be rounded for the comparison."""
    if not torch.cuda.is_available():
        pytest.skip("no NVIDIA GPU")
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    yield
    torch.set_float32_matmul_precision(before[0])
    torch.backends.cudnn.allow_tf32 = before[1]


GPU_CONFIGS = {chunk: TrainConfig(num_envs=64, unroll_length=chunk) for chunk in (20, 15)}
"""Episodes have 30 steps: some end inside chunks of 20, and all with chunks of 15."""


def gpu_task():
    return dataclasses.replace(make_task("static-small", observation_size=42), episode_seconds=2)


def train_on_gpu(graphs: bool, agent: str, config: TrainConfig, workers: int = 2):
    """Finished episodes, figures of the last gradient, and parameters after eight rounds of each worker."""
    flat = FlatParameters(initial_model(AGENTS[agent], gpu_task().spec(), config, seed=0))
    store = StreamStore(config, flat)
    make_env = functools.partial(make_batch, device="cuda")
    specs = [WorkerSpec(AGENTS[agent], config, gpu_task(), make_env, 0, index) for index in range(workers)]
    runtime = CudaRuntime(specs, store, graphs)
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    reports = [report for _ in range(8 * workers) for report in runtime.poll(0)] + runtime.stop()
    return reports, store.snapshot()[0]


@pytest.mark.cuda
@pytest.mark.parametrize(
    ("agent", "chunk"), [("nav-d1d2l", 20), ("nav-d1d2l", 15), ("nav-rd2", 20), ("nav-rgbd", 15), ("ff", 20)]
)
def test_graphs_change_nothing_on_a_gpu(gpu, agent, chunk):
    (plain, expected), (replayed, got) = (train_on_gpu(graphs, agent, GPU_CONFIGS[chunk]) for graphs in (False, True))
    assert [report.worker for report in plain] == [report.worker for report in replayed]
    # Sums of atomic additions differ in their last bits, and learning makes more of it: what is compared in detail is the start.
    for mine, theirs in zip(plain[:4], replayed[:4], strict=True):
        assert dict(theirs.metrics.means) == pytest.approx(dict(mine.metrics.means), rel=2e-2, abs=1e-3)
    assert any(report.episodes for report in replayed)
    assert torch.isfinite(got).all()
    assert float((got - expected).norm() / expected.norm()) < 0.05


@pytest.mark.cuda
@pytest.mark.parametrize("chunk", GPU_CONFIGS)
def test_a_gpu_acts_and_learns_as_the_cpu(gpu, monkeypatch, chunk):
    """The same parameters and the same random numbers: the same actions and worlds, and nearly the same loss and gradient."""
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False

    class Sent(NumpyStream):
        """Numbers of the host, sent to the device."""

        def uniforms(self, out: torch.Tensor) -> None:
            numbers = torch.empty(out.shape)
            super().uniforms(numbers)
            out.copy_(numbers)

        def order(self, count: int) -> torch.Tensor:
            return super().order(count).cuda()

    monkeypatch.setattr("agents.runtime.worker.TorchStream", lambda seed, device: Sent(seed))
    config = GPU_CONFIGS[chunk]
    flat = FlatParameters(initial_model(AGENT, gpu_task().spec(), config, seed=0))
    here = Worker(WorkerSpec(AGENT, config, gpu_task(), make_batch, 0, 0), ParameterStore(config, flat))
    make_env = functools.partial(make_batch, device="cuda")
    there = Worker(
        WorkerSpec(AGENT, config, gpu_task(), make_env, 0, 0), ParameterStore(config, flat, device="cuda"), lambda work: work
    )
    metrics = []
    for worker in (here, there):
        worker.store.pull(worker.flat.values)
        worker.actor.act()
        metrics.append(worker.learner.learn(worker.actor.rollout).metrics())
    one, other = here.actor.rollout, there.actor.rollout
    assert np.mean((one.action == other.action.cpu()).numpy()) > 0.999
    for name, target in one.targets.items():
        assert np.mean((target == other.targets[name].cpu()).numpy()) > 0.999, name
    torch.testing.assert_close(one.value, other.value.cpu(), rtol=1e-2, atol=1e-3)
    assert dict(metrics[1].means) == pytest.approx(dict(metrics[0].means), rel=2e-2, abs=1e-3)
    there.env.check()
