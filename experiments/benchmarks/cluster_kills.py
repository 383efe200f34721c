"""What happens when a part of a cluster is killed: hosts of one machine, and what a training on them reports meanwhile.

Each function kills one thing and returns what it measured, in seconds; `tests/agents/cluster` calls them too. Ray isn't imported
here.
"""

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil

from experiments.benchmarks.cluster_driver import EXCHANGE_SECONDS
from experiments.benchmarks.cluster_hosts import PATIENCE, ROOT, Host, Hosts, wait_for
from experiments.benchmarks.measurement import Measurement
from experiments.benchmarks.options import BenchmarkOptions
from experiments.benchmarks.processes import summed

ACTOR, WORKER = "ray::NodeActor", "multiprocessing.spawn"
KILLS = ("worker", "actor", "node", "cable", "driver", "head")
BARS = {
    "noticed": {"worker": 1.0, "actor": 1.0, "node": 10.0, "cable": 15.0},
    "reports_again": {"worker": 15.0, "actor": 15.0},
    "new_node_has_a_worker": {"node": 3.0},
    "pause_of_the_other": dict.fromkeys(("worker", "actor", "node", "cable"), 3 * EXCHANGE_SECONDS),
    "nothing_is_left": {"driver": 5.0},
    "saved_and_ended": {"head": 70.0},
}
"""Seconds that each may take on a machine whose processors are free."""
MEMORY_BARS = {"head": 400.0, "node": 250.0}
"""Megabytes of Ray's own processes."""
Measured = dict[str, float]
Event = dict[str, Any]


def measure(options: BenchmarkOptions) -> Iterator[Measurement]:
    """Seconds until the death of each part of a cluster is noticed and mended, beside what they may take, and Ray's memory.

    Hosts are processes of this machine, with a network card each where this user can make network namespaces; without them no
    cable can be cut. A worker, an actor, a node, a cable, the training's process and the head, one after the other.
    """
    hosts = Hosts()
    try:
        with tempfile.TemporaryDirectory() as folder:
            running = Running(hosts, Path(folder))
            running.steady()
            for name, host in (("head", hosts.head), ("node", hosts.alive[0])):
                yield Measurement(f"cluster/memory/{name}", memory_of(host), "MB", {"most": MEMORY_BARS[name]})
            for what in KILLS:
                if what == "cable" and hosts.network is None:
                    continue
                kills: dict[str, Callable[[Running], Measured]] = {
                    "worker": kill_worker,
                    "actor": kill_actor,
                    "node": kill_node,
                    "cable": cut_cable,
                    "driver": kill_driver,
                    "head": lambda running: kill_head(running, Path(folder) / "run")[0],
                }
                for quantity, seconds in kills[what](running).items():
                    settings = {"most": BARS[quantity][what], "exchange_seconds": EXCHANGE_SECONDS}
                    yield Measurement(f"cluster/killed/{what}/{quantity}", seconds, "s", settings)
            running.stop()
    finally:
        hosts.close()


def memory_of(host: Host) -> float:
    """Megabytes that Ray's own processes of a host have to themselves, without those of a training."""
    ours = [process for actor in host.processes(ACTOR) for process in [actor, *actor.children(recursive=True)]]
    rays = [process for process in host.processes() if process not in ours]
    return summed(rays, lambda process: process.memory_full_info().uss) / 1e6


class Watched:
    """The process of `experiments.benchmarks.cluster_driver`, and its events so far."""

    def __init__(self, hosts: Hosts, workers: int, log: Path) -> None:
        module = "experiments.benchmarks.cluster_driver"
        command = [*hosts.prefix, sys.executable, "-m", module, hosts.address, str(workers), str(log)]
        self.process = subprocess.Popen(command, cwd=ROOT, env=hosts.environment, stdout=subprocess.PIPE, text=True)
        self.events: list[Event] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def since(self, begin: float, kind: str) -> list[Event]:
        return [event for event in [*self.events] if event["at"] >= begin and kind in event]

    def wait(self, condition: Callable[[], object]) -> None:
        wait_for(condition, PATIENCE, lambda: f"{[event for event in self.events if 'report' not in event][-5:]}")

    def reports_of(self, worker: int, begin: float) -> list[Event]:
        return [event for event in self.since(begin, "report") if event["report"] == worker]

    def note(self, begin: float, words: str) -> Event | None:
        """The first note with these words since `begin`."""
        return next((event for event in self.since(begin, "note") if words in event["note"]), None)

    def wait_for_note(self, begin: float, words: str) -> Event:
        self.wait(lambda: self.note(begin, words))
        found = self.note(begin, words)
        assert found is not None
        return found

    def pause_of_the_other(self, begin: float) -> float:
        """The longest time without a report of that worker of two that made the shorter pauses."""
        return min(self._longest_pause(worker, begin) for worker in (0, 1))

    def _longest_pause(self, worker: int, begin: float) -> float:
        times = [begin, *(event["at"] for event in self.reports_of(worker, begin)), self.events[-1]["at"]]
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
        self.driver: Watched | None = None

    def steady(self) -> Watched:
        """A driver whose two workers have just reported, each from a node of its own."""
        while len(self.hosts.alive) < 2:
            self.hosts.add()
        driver, begin = self.any(), time.monotonic()
        driver.wait(lambda: all(len(driver.reports_of(worker, begin)) > 2 for worker in (0, 1)))
        return driver

    def any(self) -> Watched:
        """A driver; a worker of it has reported."""
        if self.driver is not None and self.driver.process.poll() is not None:
            self.driver.close()
            self.driver = None
        driver = self.driver = self.driver or Watched(self.hosts, 2, self.folder / "ray.log")
        driver.wait(lambda: driver.since(0, "report"))
        return driver

    def stop(self) -> None:
        """Frees the processors."""
        if self.driver is not None:
            self.driver.close()
            self.driver = None
            wait_for(lambda: not any(node.processes(ACTOR) for node in self.hosts.alive), PATIENCE)


def _kill(process: psutil.Process) -> float:
    process.kill()
    return time.monotonic()


def kill_worker(running: Running) -> Measured:
    """A worker's process."""
    driver = running.steady()
    begin = _kill(running.hosts.alive[0].processes(WORKER)[0])
    note = driver.wait_for_note(begin, "SIGKILL; it is replaced")
    worker = int(note["note"].split("worker ")[1].split(" ")[0])

    # Those that came with the note were made before.
    def again() -> list[Event]:
        return [event for event in driver.reports_of(worker, note["at"]) if event["batch"] > note["batch"]]

    driver.wait(again)
    return {
        "noticed": note["at"] - begin,
        "reports_again": again()[0]["at"] - begin,
        "pause_of_the_other": driver.pause_of_the_other(begin),
    }


def kill_actor(running: Running) -> Measured:
    """A node's actor, with its workers."""
    driver = running.steady()
    node = running.hosts.alive[-1]
    children = node.processes(WORKER)
    begin = _kill(node.processes(ACTOR)[0])
    lost = driver.wait_for_note(begin, "is lost")
    wait_for(lambda: not any(child.is_running() for child in children), PATIENCE, "workers outlive their node's actor")
    placed = driver.wait_for_note(begin, "gets 1 worker")
    driver.wait(lambda: all(driver.reports_of(worker, placed["at"]) for worker in (0, 1)))
    return {
        "noticed": lost["at"] - begin,
        "reports_again": max(driver.reports_of(worker, placed["at"])[0]["at"] for worker in (0, 1)) - begin,
        "pause_of_the_other": driver.pause_of_the_other(begin),
    }


def kill_node(running: Running) -> Measured:
    """A whole node; then another comes."""
    driver = running.steady()
    begin = time.monotonic()
    running.hosts.alive[-1].kill()
    lost = driver.wait_for_note(begin, "is lost")
    node = running.hosts.add()
    placed = driver.wait_for_note(begin, "gets 1 worker")
    driver.wait(lambda: all(driver.reports_of(worker, placed["at"]) for worker in (0, 1)))
    driver.wait(lambda: driver.since(placed["at"], "figures"))
    return {
        "noticed": lost["at"] - begin,
        "new_node_has_a_worker": max(0.0, placed["at"] - node.came),
        "pause_of_the_other": driver.pause_of_the_other(begin),
    }


def cut_cable(running: Running) -> Measured:
    """A node's cable; there has to be a network."""
    network = running.hosts.network
    assert network is not None
    driver = running.steady()
    node = running.hosts.alive[-1]
    begin = time.monotonic()
    network.cut(node.place.address)
    try:
        lost = driver.wait_for_note(begin, "is lost")
        return {"noticed": lost["at"] - begin, "pause_of_the_other": driver.pause_of_the_other(begin)}
    finally:
        node.kill()


def kill_driver(running: Running) -> Measured:
    """The process of the training."""
    driver = running.any()
    begin = _kill(psutil.Process(driver.process.pid))
    hosts = (running.hosts.head, *running.hosts.alive)
    wait_for(lambda: not any(host.processes(ACTOR) or host.processes(WORKER) for host in hosts), PATIENCE, "actors are left")
    return {"nothing_is_left": time.monotonic() - begin}


def kill_head(running: Running, run: Path) -> tuple[Measured, "subprocess.CompletedProcess[str]"]:
    """The cluster's head, under a whole training in the folder `run`; also returns how the training ended."""
    running.stop()
    hosts = running.hosts
    if not hosts.alive:
        hosts.add()
    command = [*hosts.prefix, sys.executable, "-m", "experiments.train", "--cluster", hosts.address, "--workers", "1"]
    command += ["--run-dir", str(run), "--agent", "ff", "--num-envs", "4", "--unroll-length", "20", "--minutes", "10"]
    command += ["--analysis-episodes", "0"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=ROOT, env=hosts.environment, stdout=pipe, stderr=pipe, text=True)
    try:
        wait_for(lambda: (run / "progress.jsonl").exists() or process.poll() is not None, PATIENCE, "no training")
        begin = time.monotonic()
        hosts.head.kill()
        out, err = process.communicate(timeout=PATIENCE)
        ended = time.monotonic()
    finally:
        process.kill()
        process.wait(10)
    measured = {"saved_and_ended": ended - begin}
    return measured, subprocess.CompletedProcess(command, process.returncode, out, err)
