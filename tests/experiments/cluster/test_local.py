"""`--cluster local`: a training that starts a cluster for itself, and leaves nothing of it behind."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from agents.checkpoint import load_checkpoint
from experiments.benchmarks.cluster_hosts import PATIENCE, ROOT

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs Ray: pip install '.[ray]'"),
]

SMALL = ["--agent", "ff", "--num-envs", "4", "--unroll-length", "20", "--analysis-episodes", "0"]


def train(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "experiments.train", *arguments, *SMALL]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)


def of_ray() -> set[int]:
    """Processes of Ray on this machine."""
    found = set()
    for process in psutil.process_iter(["pid", "name"]):
        if process.info["name"] in ("gcs_server", "raylet") or process.info["name"].startswith("ray::"):
            found.add(process.info["pid"])
    return found


def test_a_training_on_a_cluster_of_its_own(tmp_path: Path) -> None:
    run, before = tmp_path / "run", of_ray()
    done = train("--cluster", "local", "--workers", "2", "--frames", "40000", "--exchange-seconds", "0.2", "--run-dir", str(run))
    assert done.returncode == 0, done.stderr
    # Ray keeps to its file.
    assert "ray" not in re.sub(r"\S*/\S*", "", done.stdout + done.stderr).lower().replace("--cluster local", "")
    assert "Started a local Ray instance" in (run / "ray.log").read_text()
    assert of_ray() <= before
    lines = [json.loads(line) for line in (run / "progress.jsonl").read_text().splitlines()]
    latest = json.loads((run / "summary.json").read_text())["latest"]
    assert latest["cluster/nodes"] == 1
    assert latest["cluster/weight"] == 1
    assert latest["cluster/updates_in_flight"] == 0
    assert latest["cluster/round_seconds"] >= 0.2
    assert latest["cluster/mb_per_second"] > 0
    assert lines[-1]["frames"] >= 40000
    checkpoint = load_checkpoint(run)
    # Every gradient that was reported is in the agent: 8 a rollout of 4 x 20 steps of 4 frames, fewer in each worker's last one.
    rounds = checkpoint.frames // (4 * 20 * 4)
    assert 8 * (rounds - 2) <= int(checkpoint.statistics["updates"]) <= 8 * rounds
    assert checkpoint.statistics["square"].any()
    assert f"go on with: python -m experiments.train --resume {run} --cluster local" in done.stdout
    again = train("--resume", str(run), "--workers", "1", "--frames", str(checkpoint.frames + 2000))
    assert again.returncode == 0, again.stderr
    assert load_checkpoint(run).frames > checkpoint.frames
