"""The engine's path through CUDA: the same as the CPU's under Numba's simulator, and compiled to PTX without float64."""

import os
import re
import subprocess
import sys
from typing import Any

import numba
import numpy as np
import pytest

from env.engine.engine import Engine
from env.task import Task
from maze_gen.generator import GeneratorConfig, generate

SIMULATED = """
import numpy as np
from env.engine.engine import Engine
from env.task import Task
from maze_gen.errors import InputError
from maze_gen.generator import GeneratorConfig, generate
from maze_gen.text import as_block

mazes = tuple(FORM(generate(GeneratorConfig(rows=2, cols=3), seed)) for seed in range(2))
task = Task("pool", mazes, episode_seconds=1, goal="episode", fruit="episode", spawn_distance=1, observation_size=SIZE)
n = 2
one = Engine(task, n, observe={"rgb", "velocity", "depth", "depth_target"})
other = Engine(task, n, observe={"rgb", "velocity", "depth", "depth_target"}, device="cuda")

def compare():
    for part in ("state", "facts", "picture"):
        here, there = getattr(one._world, part), getattr(other._world, part)
        for name, expected, got in zip(here._fields, here, there):
            np.testing.assert_array_equal(expected, got, err_msg=f"{part}.{name}")

def expect_error(call):
    try:
        call()
    except InputError:
        return
    raise AssertionError("no InputError")

one.reset(3)
other.reset(3)
compare()
expect_error(lambda: other.step([0, 8]))
expect_error(lambda: other.step([0]))
actions = np.array([6, 2])
for step in range(STEPS):
    actions = np.random.default_rng(step).integers(0, 8, n) if step % 3 == 0 else actions
    one.step(actions)
    other.step(actions)
    compare()
    if one.outcome.truncated.any():
        expect_error(lambda: other.step(actions))
        mask = np.array([True, True])
        one.reset_rows(mask)
        other.reset_rows(mask)
        compare()
assert one.observation["rgb"].std() > 10 or SIZE == 0
copy = other.clone()
state = one.state_arrays()
for name, array in copy.state_arrays().items():
    np.testing.assert_array_equal(array, state[name], err_msg=name)
other.close()
other = copy
compare()
one.reset_rows(one.outcome.truncated)
other.reset_rows(one.outcome.truncated)
one.step(actions)
other.step(actions)
compare()
other.close()
print("the same")
"""


@pytest.mark.parametrize(("form", "size", "steps"), [("", 42, 3), ("as_block", 42, 1), ("", 84, 1)])
def test_simulator_equals_cpu(form: str, size: int, steps: int) -> None:
    """Every state, fact and pixel is the same; the simulator has to be chosen before Numba is imported."""
    script = SIMULATED.replace("SIZE", str(size)).replace("STEPS", str(steps)).replace("FORM", form)
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, env=environment, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "the same"


def compile_ptx(function, arguments: tuple[object, ...], monkeypatch: pytest.MonkeyPatch) -> str:
    """Compiles a kernel for an H100 without a GPU; skips where NVIDIA's compiler libraries aren't installed."""
    from numba import cuda
    from numba.cuda import dispatcher
    from numba.cuda.cudadrv import nvvm

    from env.engine.compile import separate_roundings

    class Device:
        compute_capability = (9, 0)

    try:
        nvvm.NVVM()
        from numba.cuda.cudadrv import nvrtc

        nvrtc.get_arch_option(9, 0)  # type: ignore[attr-defined]
    except Exception as error:
        pytest.skip(f"NVIDIA's compiler libraries aren't installed (pip install nvidia-nvvm nvidia-cuda-nvrtc): {error}")
    monkeypatch.setattr(dispatcher, "get_current_device", lambda: Device)
    types = tuple(numba.typeof(argument) for argument in arguments)
    with separate_roundings():
        return cuda.compile_ptx(function, types, device=False, cc=(9, 0))[0]  # type: ignore[attr-defined]


@pytest.mark.parametrize("kernel", ["start", "step", "draw", "target"])
def test_kernels_compile_without_float64(kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from env.engine import cuda_runner

    mazes = tuple(generate(GeneratorConfig(rows=3, cols=4), seed) for seed in range(2))
    task = Task("pool", mazes, episode_seconds=1, goal="episode", spawn_distance=1)
    with Engine(task, 2, observe={"rgb", "velocity", "depth", "depth_target"}) as engine:
        world = engine._world
        flags, numbers = np.zeros(2, dtype=np.bool_), np.zeros(2, dtype=np.int64)
        seen = (world.pool, world.state, world.rules, world.scene, world.picture, flags)
        arguments = {
            "start": (world.pool, world.state, world.rules, world.facts, flags, 0),
            "step": (world.pool, world.state, world.rules, world.facts, numbers, numbers),
            "draw": seen,
            "target": seen,
        }[kernel]
        ptx = compile_ptx(getattr(cuda_runner.functions(), kernel), arguments, monkeypatch)
    assert ".visible .entry" in ptx
    assert "f32" in ptx
    assert not re.findall(r"\S*\.f64\S*", ptx)
    assert not re.findall(r"\bfma\.\S+", ptx)


def test_what_is_compiled_here_is_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where NVIDIA's linker is there, Numba's default is to optimise once more while it links, and to fuse products and sums."""
    from numba.cuda import decorators

    from env.engine.compile import CudaKernel

    monkeypatch.setattr(decorators, "_have_nvjitlink", lambda: True)
    numbas: Any = decorators.jit(lambda: None)
    assert numbas.targetoptions["lto"] is True
    assert CudaKernel(lambda: None)._kernel.targetoptions["lto"] is False


def test_float64_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def double(array):
        array[0] = array[0] * 0.1

    assert re.findall(r"\S*\.f64\S*", compile_ptx(double, (np.zeros(1, dtype=np.float32),), monkeypatch))


def arrays_of(engine: Engine) -> dict[str, Any]:
    outcome = engine.outcome
    own = {"reward": outcome.reward, "terminated": outcome.terminated, "truncated": outcome.truncated}
    return {**engine.observation, **engine.privileged, **outcome.statistics, **own}


@pytest.mark.cuda
def test_gpu_equals_cpu() -> None:
    """The comparison of the simulator's test, on a real GPU and a larger batch."""
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no NVIDIA GPU")
    mazes = tuple(generate(GeneratorConfig(rows=5, cols=10), seed) for seed in range(4))
    task = Task("pool", mazes, episode_seconds=20, goal="episode", fruit="episode", spawn_distance=3)
    n = 256
    rng = np.random.default_rng(0)
    with (
        Engine(task, n, observe={"rgb", "velocity", "depth", "depth_target"}) as one,
        Engine(task, n, observe={"rgb", "velocity", "depth", "depth_target"}, device="cuda") as other,
    ):
        one.reset(1)
        other.reset(1)
        for _ in range(300):
            actions = rng.integers(0, 8, n)
            one.step(actions)
            other.step(torch.from_numpy(actions).cuda())
            for name, expected in arrays_of(one).items():
                got = arrays_of(other)[name]
                assert got.is_cuda
                np.testing.assert_array_equal(expected, got.cpu().numpy(), err_msg=name)
        other.check()
        with other.clone() as copy, one.clone() as expected:
            for _ in range(20):
                actions = rng.integers(0, 8, n)
                expected.step(actions)
                copy.step(torch.from_numpy(actions).cuda())
                rgb: Any = copy.observation["rgb"]
                np.testing.assert_array_equal(expected.observation["rgb"], rgb.cpu().numpy())
