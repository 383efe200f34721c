"""`python -m experiments.benchmark`: the form of what it writes, not how fast anything is."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from agents.config import TrainConfig
from experiments.benchmarks import drawing, painting
from experiments.benchmarks.engine import OBSERVED, measure
from experiments.benchmarks.measurement import rate
from experiments.benchmarks.options import BenchmarkOptions
from experiments.benchmarks.train_cuda import training_rates


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "experiments.benchmark", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_engine_json(tmp_path: Path) -> None:
    path = tmp_path / "engine.json"
    result = run("engine", "--num-envs", "2", "--seconds", "0.01", "--sizes", "4x5", "5x6", "--json", str(path))
    assert result.returncode == 0, result.stderr
    content = json.loads(path.read_text())
    named = {found["name"]: found for found in content["measurements"]}
    for observed in ("rgb+targets", "rgb+depth", "targets", "physics"):
        found = named[f"engine/{observed}"]
        assert found["unit"] == "agent_steps/s"
        assert found["value"] == min(named[f"engine/{observed}/{size}"]["value"] for size in ("4x5", "5x6"))
        assert found["settings"]["num_envs"] == 2
    assert content["machine"]["numba"]
    assert content["settings"]["parts"] == ["engine"]


def test_every_kind_of_observation_is_measured() -> None:
    found = list(measure(BenchmarkOptions(num_envs=1, seconds=0.01, sizes=("4x5",))))
    assert [one.name for one in found[1::2]] == [f"engine/{observed}" for observed in OBSERVED]
    assert all(one.value > 0 for one in found)


def test_drawing_is_measured() -> None:
    found = {one.name: one for one in drawing.measure(BenchmarkOptions(seconds=0.01))}
    assert set(found) == {
        *(f"drawing/{task}/{view}" for task in drawing.TASKS for view in drawing.VIEWS),
        *(f"drawing/film{suffix}" for suffix in (".mp4", ".webm", ".gif")),
    }
    assert all(one.value > 0 for one in found.values())
    assert found["drawing/static-small/336"].settings["height"] < found["drawing/static-small/504"].settings["height"]


def test_a_training_as_on_a_gpu_is_measured() -> None:
    """On the CPU: the benchmark's loop, with the runtime whose workers are streams."""
    rates = training_rates(TrainConfig(num_envs=4, unroll_length=5, epochs=1), 2, 0.01, "cpu")
    assert min(rates.whole, rates.act, rates.learn) > 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_told() -> None:
    result = run("train", "--device", "cuda")
    assert result.returncode == 2
    assert result.stderr.splitlines() == ["error: --device cuda: this torch finds no NVIDIA GPU"]


@pytest.mark.parametrize("arguments", [("engine", "--device", "tpu"), ("unknown",), ("engine", "--sizes", "5by10")])
def test_wrong_options(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1


def test_rate_counts() -> None:
    calls = []

    def work() -> int:
        calls.append(1)
        return 3

    best, median = rate(work, seconds=0.05, repetitions=5)
    assert best >= median > 0
    assert best * 0.05 >= 3 * len(calls) / 10


def test_painting_is_measured() -> None:
    found = {one.name: one for one in painting.measure(BenchmarkOptions(seconds=0.01))}
    assert {"painting/stamp/64/grey", "painting/stamp/64/colour", "painting/steps/redraw-digits"} <= set(found)
    assert all(one.value > 0 for one in found.values())
