"""A Ray cluster of hosts on this machine, each of which can be killed, or its cable cut; Ray isn't imported here."""

import contextlib
import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from experiments.benchmarks.cluster_network import make_network

ROOT = Path(__file__).parents[2]
PATIENCE = 180.0
"""How long anything may take; the machine may be busy, and what took how long is for measurements to tell."""
PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


def _end_with_parent() -> None:
    """The kernel asks this process to end when the thread that started it does: who is killed leaves no cluster behind."""
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def wait_for(condition: Callable[[], object], seconds: float, what: str | Callable[[], str] = "it never happened") -> None:
    """Waits until `condition` holds.

    Raises:
        TimeoutError: it doesn't within so many seconds; `what` is the message, or makes it.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(what if isinstance(what, str) else what())
        time.sleep(0.02)


def kill_all(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=10)


@dataclass(frozen=True)
class Place:
    """Where a host is: what stands before its commands, and its address."""

    prefix: list[str]
    address: str


class Host:
    """What `ray start --block` starts, which ends with it.

    Attributes:
        came: when it said that it was up, by the monotonic clock; it had been registered a moment before.
    """

    came = 0.0

    def __init__(self, place: Place, arguments: list[str], environment: dict[str, str], log: Path) -> None:
        self.place, self.log = place, log
        ray = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", f"--node-ip-address={place.address}"]
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [*place.prefix, *ray, *arguments],
                env=environment,
                stdout=file,
                stderr=file,
                stdin=subprocess.DEVNULL,
                cwd=ROOT,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )

    @property
    def up(self) -> bool:
        return "Ray runtime started" in self.log.read_text(errors="replace")

    def processes(self, name: str = "") -> list[psutil.Process]:
        """All of it, or those whose command line contains `name`."""
        found = []
        with contextlib.suppress(psutil.NoSuchProcess):
            own = psutil.Process(self.process.pid)
            for process in [*own.children(recursive=True), own]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    if name in " ".join(process.cmdline()):
                        found.append(process)
        return found

    def kill(self) -> None:
        """At once, with all that runs on it."""
        kill_all(self.processes())
        self.process.wait(10)


class Hosts:
    """A head without processors, and nodes of one processor each; with a cable each where this user can make network namespaces.

    Attributes:
        network: None where the hosts are processes of this machine alone.
    """

    def __init__(self) -> None:
        # Short: names of sockets are made of it.
        self.folder = Path(tempfile.mkdtemp(prefix="hosts-"))
        self.network = make_network()
        place = self._place()
        self.address = f"{place.address}:{free_port()}"
        self.prefix = place.prefix
        self.environment = {
            **os.environ,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(16),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_prestart_worker_first_driver": "0",
            "RAY_worker_niceness": "0",
            # How long what is left of a cluster waits for its head; 60 without it.
            "RAY_gcs_rpc_server_reconnect_timeout_s": "10",
            "PYTHONPATH": str(ROOT),
        }
        self.nodes: list[Host] = []
        port = self.address.rpartition(":")[2]
        where = ["--head", f"--port={port}", "--include-dashboard=false", "--no-monitor", f"--temp-dir={self.folder}"]
        self.head = self._start(place, [*where, "--num-cpus=0"], "head")

    @property
    def alive(self) -> list[Host]:
        """Nodes that weren't killed."""
        return [node for node in self.nodes if node.process.poll() is None]

    def add(self) -> Host:
        """Starts a node of one processor."""
        self.nodes.append(self._start(self._place(), [f"--address={self.address}", "--num-cpus=1"], f"node{len(self.nodes)}"))
        return self.nodes[-1]

    def _place(self) -> Place:
        return Place(*self.network.plug_in()) if self.network else Place([], "127.0.0.1")

    def _start(self, place: Place, arguments: list[str], name: str) -> Host:
        """Where the machine is so busy that Ray gives up after 30 s, once more."""
        arguments = [*arguments, f"--object-store-memory={100 << 20}", "--include-log-monitor=false"]
        for attempt in range(3):
            host = Host(place, arguments, self.environment, self.folder / f"{name}-{attempt}.log")
            wait_for(lambda host=host: host.up or host.process.poll() is not None, PATIENCE, f"{host.log} says why")
            if host.up:
                host.came = time.monotonic()
                return host
            host.kill()
        raise TimeoutError(f"{name} did not start: {self.folder}")

    def close(self) -> None:
        for host in [*self.nodes, self.head]:
            if host.process.poll() is None:
                host.process.send_signal(signal.SIGTERM)
        for host in [*self.nodes, self.head]:
            kill_all(host.processes())
            host.process.wait(10)
        if self.network:
            self.network.close()
        shutil.rmtree(self.folder, ignore_errors=True)
