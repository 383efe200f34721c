"""A training on a Ray cluster of processes of this machine, of which everything that can die is killed with signal 9.

Limits are those of a machine whose processors are free; on a busy one they grow with its load.
"""

import importlib.util
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from agents.checkpoint import load_checkpoint
from tests.agents.cluster.driver import EXCHANGE_SECONDS
from tests.agents.cluster.hosts import ROOT, Hosts, slowness, wait_for
from tests.experiments.synthetic import ring_task, untrained

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs Ray: pip install '.[ray]'"),
]

WHERE = """
import sys
from agents.cluster.jobs import ClusterJobs
with ClusterJobs(sys.argv[1], 1) as jobs:
    print(*jobs.map(lambda common, name: __import__(name).__file__, None, ["agents", "knossos"]))
"""
ACTOR, WORKER = "ray::NodeActor", "multiprocessing.spawn"


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    found = Hosts()
    yield found
    found.close()


class Driver:
    """The process of `tests.agents.cluster.driver`, and its reports so far."""

    def __init__(self, hosts: Hosts, workers: int, log: Path) -> None:
        command = [*hosts.prefix, sys.executable, "-m", "tests.agents.cluster.driver", hosts.address, str(workers), str(log)]
        self.process = subprocess.Popen(command, cwd=ROOT, env=hosts.environment, stdout=subprocess.PIPE, text=True)
        self.events: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def since(self, begin: float, kind: str) -> list[dict[str, Any]]:
        return [event for event in [*self.events] if event["at"] >= begin and kind in event]

    def wait(self, condition: Callable[[], object], seconds: float) -> None:
        wait_for(condition, seconds * slowness(), f"{[event for event in self.events if 'report' not in event][-5:]}")

    def reports_of(self, worker: int, begin: float) -> list[float]:
        return [event["at"] for event in self.since(begin, "report") if event["report"] == worker]

    def noticed(self, begin: float, words: str) -> float:
        """Seconds from `begin` to the note with these words; not there yet: infinite."""
        return min((event["at"] - begin for event in self.since(begin, "note") if words in event["note"]), default=float("inf"))

    def longest_pause(self, worker: int, begin: float) -> float:
        times = [begin, *self.reports_of(worker, begin), self.events[-1]["at"]]
        return max(later - earlier for earlier, later in pairwise(times))

    def close(self) -> None:
        self.process.kill()
        self.process.wait(10)
        self._thread.join(5)
        assert self.process.stdout is not None
        self.process.stdout.close()


class Running:
    """A driver that is started where none runs, and the nodes that it needs."""

    def __init__(self, hosts: Hosts, folder: Path) -> None:
        self.hosts, self.folder = hosts, folder
        self.driver: Driver | None = None

    def steady(self) -> Driver:
        """A driver whose two workers have just reported, each from a node of its own."""
        while len(self.hosts.alive) < 2:
            self.hosts.add()
        if self.driver is not None and self.driver.process.poll() is not None:
            self.driver.close()
            self.driver = None
        if self.driver is None:
            self.driver = Driver(self.hosts, 2, self.folder / "ray.log")
        driver, begin = self.driver, time.monotonic()
        driver.wait(lambda: all(len(driver.reports_of(worker, begin)) > 2 for worker in (0, 1)), 60)
        return driver

    def stop(self) -> None:
        """Frees the processors."""
        if self.driver is not None:
            self.driver.close()
            self.driver = None
            wait_for(lambda: not any(node.processes(ACTOR) for node in self.hosts.alive), 30 * slowness())


@pytest.fixture(scope="module")
def running(hosts: Hosts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    found = Running(hosts, tmp_path_factory.mktemp("driver"))
    yield found
    found.stop()


@pytest.fixture
def measured(capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> Iterator[dict[str, tuple[float, float]]]:
    """What was measured: (seconds, most seconds that it may take); shown, and checked at the test's end."""
    found: dict[str, tuple[float, float]] = {}
    yield found
    slow = slowness()
    with capsys.disabled():
        print(
            f"\n{request.node.name}, limits x {slow:.1f}: "
            + ", ".join(f"{what} {s:.1f} s ({m:g})" for what, (s, m) in found.items())
        )
    assert {what: seconds for what, (seconds, most) in found.items() if seconds > most * slow} == {}


def run(hosts: Hosts, module: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [*hosts.prefix, sys.executable, "-m", f"experiments.{module}", *arguments]
    found = hosts.environment | environment
    return subprocess.run(command, cwd=ROOT, env=found, capture_output=True, text=True, timeout=120 * slowness())


def test_evaluations_are_the_same_to_the_byte(hosts: Hosts, running: Running, tmp_path: Path) -> None:
    running.stop()
    hosts.add()
    checkpoint = untrained(tmp_path / "agent.safetensors", task=ring_task(4))
    given = ["--checkpoint", str(checkpoint), "--episodes", "30", "--json"]
    there = run(hosts, "evaluate", *given, str(tmp_path / "there.json"), "--cluster", hosts.address)
    assert there.returncode == 0, there.stderr
    here = run(hosts, "evaluate", *given, str(tmp_path / "here.json"))
    assert here.returncode == 0, here.stderr
    assert (tmp_path / "there.json").read_bytes() == (tmp_path / "here.json").read_bytes()
    assert there.stdout.replace("there.json", "here.json") == here.stdout
    # The nodes' code is this one, wherever they have another.
    code = [*hosts.prefix, sys.executable, "-c", WHERE, hosts.address]
    found = subprocess.run(code, cwd=ROOT, env=hosts.environment, capture_output=True, text=True, timeout=60 * slowness())
    assert found.returncode == 0, found.stderr
    assert ["working_dir" in place for place in found.stdout.split()] == [True, True], found.stdout
    # A wrong token, and none, are one line.
    place = str(tmp_path / "there.json")
    wrong = run(hosts, "evaluate", *given, place, "--cluster", hosts.address, RAY_AUTH_TOKEN="wrong")
    missing = run(hosts, "evaluate", *given, place, "--cluster", hosts.address, RAY_AUTH_TOKEN="", RAY_AUTH_TOKEN_PATH="/none")
    assert (wrong.returncode, missing.returncode) == (2, 2)
    assert wrong.stderr.startswith(f"error: --cluster {hosts.address}: it refuses this machine's token")
    assert missing.stderr.startswith(f"error: --cluster {hosts.address}: it wants a token")
    assert len(wrong.stderr.splitlines()) == len(missing.stderr.splitlines()) == 1


def test_a_grid_whose_actors_are_killed_is_as_complete_as_one_alone(hosts: Hosts, running: Running, tmp_path: Path) -> None:
    running.stop()
    while len(hosts.alive) < 2:
        hosts.add()
    out, log = tmp_path / "grid", tmp_path / "log"
    command = [
        *hosts.prefix,
        sys.executable,
        "-m",
        "experiments.reproduce",
        "--cluster",
        hosts.address,
        "--out",
        str(out),
        "--agents",
        "ff",
    ]
    command += ["--seeds", "3", "--budget", "50k", "--workers", "1", "--episodes", "2"]
    command += ["--num-envs", "4", "--unroll-length", "20"]
    with log.open("w") as file:
        process = subprocess.Popen(command, cwd=ROOT, env=hosts.environment, stdout=file, stderr=file)
    try:
        runs = [out / "static-small" / "ff" / f"seed{seed}" for seed in (1, 2, 3)]
        wait_for(lambda: sum((run / "checkpoint.safetensors").exists() for run in runs) == 2, 60 * slowness(), "no training")
        killed = [run for run in runs if (run / "checkpoint.safetensors").exists()]
        for node in hosts.alive:
            for actor in node.processes("ray::TrainingActor"):
                actor.kill()
        process.wait(120 * slowness())
    finally:
        process.kill()
        process.wait(10)
    said = log.read_text()
    assert process.returncode == 0, said
    assert said.count("its node was lost") == 2
    names = {"checkpoint.safetensors", "config.json", "evaluation.json", "progress.jsonl", "summary.json", "events.out"}
    for run in runs:
        assert {path.name.split(".tfevents")[0] for path in run.rglob("*") if path.is_file()} == names
        checkpoint = load_checkpoint(run)
        assert checkpoint.frames >= 50_000
        assert checkpoint.sessions == 1 + (run in killed)
    assert json.loads((out / "table.json").read_text())["trainings_left"] == 0
    assert (out / "curves.png").stat().st_size > 0


Measured = dict[str, tuple[float, float]]


def kill(process: psutil.Process) -> float:
    process.kill()
    return time.monotonic()


def test_a_killed_worker(hosts: Hosts, running: Running, measured: Measured) -> None:
    driver = running.steady()
    begin = kill(hosts.alive[0].processes(WORKER)[0])
    driver.wait(lambda: driver.noticed(begin, "SIGKILL; it is replaced") < 60, 10)
    measured["noticed"] = driver.noticed(begin, "SIGKILL; it is replaced"), 1
    worker = int(driver.since(begin, "note")[0]["note"].split("worker ")[1].split(" ")[0])
    replaced = begin + measured["noticed"][0]
    driver.wait(lambda: driver.reports_of(worker, replaced), 30)
    measured["reports again"] = driver.reports_of(worker, replaced)[0] - begin, 15
    measured["pause of the other"] = driver.longest_pause(1 - worker, begin), 3 * EXCHANGE_SECONDS


def test_a_killed_actor(hosts: Hosts, running: Running, measured: Measured) -> None:
    driver = running.steady()
    node = hosts.alive[-1]
    children = node.processes(WORKER)
    begin = kill(node.processes(ACTOR)[0])
    driver.wait(lambda: driver.noticed(begin, "is lost") < 60, 10)
    measured["noticed"] = driver.noticed(begin, "is lost"), 1
    wait_for(lambda: not any(child.is_running() for child in children), 5 * slowness())
    driver.wait(lambda: driver.noticed(begin, "gets 1 worker") < 60, 30)
    placed = begin + driver.noticed(begin, "gets 1 worker")
    driver.wait(lambda: all(driver.reports_of(worker, placed + 1) for worker in (0, 1)), 30)
    measured["reports again"] = max(driver.reports_of(worker, placed)[0] for worker in (0, 1)) - begin, 15
    measured["pause of the other"] = min(driver.longest_pause(worker, begin) for worker in (0, 1)), 3 * EXCHANGE_SECONDS


def test_a_killed_node_and_one_that_comes(hosts: Hosts, running: Running, measured: Measured) -> None:
    driver = running.steady()
    begin = time.monotonic()
    hosts.alive[-1].kill()
    driver.wait(lambda: driver.noticed(begin, "is lost") < 60, 20)
    measured["noticed"] = driver.noticed(begin, "is lost"), 10
    node = hosts.add()
    driver.wait(lambda: driver.noticed(begin, "gets 1 worker") < 600, 20)
    measured["the new node has a worker"] = begin + driver.noticed(begin, "gets 1 worker") - node.came, 3
    came = node.came
    driver.wait(lambda: all(driver.reports_of(worker, came) for worker in (0, 1)), 60)
    measured["pause of the other"] = min(driver.longest_pause(worker, begin) for worker in (0, 1)), 3 * EXCHANGE_SECONDS
    assert driver.since(0, "figures")[-1]["figures"]["cluster/nodes"] == 2


def test_a_cut_cable(hosts: Hosts, running: Running, measured: Measured) -> None:
    if hosts.network is None:
        pytest.skip("needs network namespaces: root, and the command ip")
    driver = running.steady()
    node = hosts.alive[-1]
    begin = time.monotonic()
    hosts.network.cut(node.place.address)
    try:
        driver.wait(lambda: driver.noticed(begin, "is lost") < 60, 40)
        measured["noticed"] = driver.noticed(begin, "is lost"), 15
        measured["pause of the other"] = min(driver.longest_pause(worker, begin) for worker in (0, 1)), 3 * EXCHANGE_SECONDS
    finally:
        node.kill()


def test_a_killed_driver(hosts: Hosts, running: Running, measured: Measured) -> None:
    driver = running.steady()
    begin = kill(psutil.Process(driver.process.pid))
    found = (hosts.head, *hosts.alive)
    wait_for(lambda: not any(host.processes(ACTOR) or host.processes(WORKER) for host in found), 30 * slowness())
    measured["nothing is left"] = time.monotonic() - begin, 5


def test_the_heads_death_leaves_a_checkpoint_and_says_how_to_go_on(
    hosts: Hosts, running: Running, tmp_path: Path, capsys: Any
) -> None:
    running.stop()
    if not hosts.alive:
        hosts.add()
    run = tmp_path / "run"
    command = [
        *hosts.prefix,
        sys.executable,
        "-m",
        "experiments.train",
        "--cluster",
        hosts.address,
        "--workers",
        "1",
        "--run-dir",
        str(run),
    ]
    command += ["--agent", "ff", "--num-envs", "4", "--unroll-length", "20", "--minutes", "10", "--analysis-episodes", "0"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=hosts.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        wait_for(lambda: (run / "progress.jsonl").exists() or process.poll() is not None, 60 * slowness(), "no training")
        assert process.poll() is None
        begin = time.monotonic()
        hosts.head.kill()
        out, err = process.communicate(timeout=70 * slowness())
        seconds = time.monotonic() - begin
    finally:
        process.kill()
        process.wait(10)
    with capsys.disabled():
        print(f"\nhead killed: the training saved and ended after {seconds:.1f} s")
    assert process.returncode == 1
    lines = err.splitlines()
    assert any(line.startswith(f"error: the Ray cluster at {hosts.address} was lost") for line in lines), err
    again = f"go on with: python -m experiments.train --resume {run} --cluster {hosts.address}"
    assert again in lines, err
    assert "Traceback" not in err
    assert (run / "ray.log").stat().st_size > 0
    assert not [line for line in out.splitlines() if "raylet" in line]
    written = [json.loads(line)["frames"] for line in (run / "progress.jsonl").read_text().splitlines()]
    assert load_checkpoint(run).frames >= written[-1] > 0
    # Nobody of it is left; and it goes on, here without a cluster.
    wait_for(lambda: not any(node.processes(ACTOR) for node in hosts.nodes), 30 * slowness())
    onward = [sys.executable, "-m", "experiments.train", "--resume", str(run), "--workers", "1", "--minutes", "0"]
    done = subprocess.run([*onward, "--analysis-episodes", "0"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
