"""The parent's side of a simulator's process: its start, asynchronous requests, timeouts and end.

Every episode is a process of its own (`env.lab.simulator_main`): only so is a trajectory repeatable, and a simulator that fails
does not affect others.
"""

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import weakref
from dataclasses import asdict, dataclass
from pathlib import Path

from env.lab.simulator_main import LENGTH, READY, REQUEST, STEPPED, Shared
from env.user_cache import user_cache_folder
from maze_gen.console import say
from maze_gen.errors import InputError

MODULE = "deepmind_lab"
PROGRAM = Path(__file__).with_name("simulator_main.py")
START_SECONDS = 300.0
"""Longest wait for an episode to start, which may compile a map first."""
STEP_SECONDS = 30.0
"""Longest wait for a step. A failed simulator sometimes hangs instead of dying."""
LOG_BYTES = 4000
LOG_SECONDS = 10.0
"""Between two progress lines where the standard error output is no terminal."""


def require_lab() -> None:
    """Checks that DeepMind Lab is installed.

    Raises:
        InputError: there is no module `deepmind_lab`; the message names the sources.
    """
    if importlib.util.find_spec(MODULE) is None:
        raise InputError(
            f"backend 'lab' needs DeepMind Lab's Python module {MODULE}, which isn't installed here: build it from "
            "https://github.com/google-deepmind/lab (python/pip_package) or install a wheel that somebody built"
        )


def cache_folder() -> Path:
    """The folder of compiled maps and textures: `knossos/lab` in the user's cache folder.

    Raises:
        InputError: the user has no home folder.
    """
    folder = user_cache_folder()
    if folder is None:
        raise InputError(
            "backend 'lab' stores compiled maps in the user's cache folder: set XDG_CACHE_HOME, there is no home folder"
        )
    return folder / "lab"


@dataclass(frozen=True)
class Episode:
    """What a simulator plays.

    Attributes:
        level: a level's name, or the path of a level script.
        observations: names of the observations of position, angles and velocity.
        property: name of the property that lists the items; empty for none.
        settings: DeepMind Lab's settings.
        seed: of the simulator's own random numbers, in [0, 2**31).
        size: height and width of the picture.
        cache: folder of compiled maps.
    """

    level: str
    observations: tuple[str, ...]
    property: str
    settings: dict[str, str]
    seed: int
    size: int
    cache: str


class SimulatorError(Exception):
    """A simulator's process ended or timed out; the message names it, its exit code or signal, and the end of its log."""


class Simulator:
    """One running episode. Only `wait` blocks.

    Attributes:
        episode: what is played.
        shared: the process's last observation; valid between a `wait` and the next `request_step`.
    """

    def __init__(self, episode: Episode) -> None:
        """Starts the process; `wait` returns when the episode has started."""
        self.episode = episode
        self.shared = Shared(episode.size)
        folder = tempfile.mkdtemp(prefix="knossos-lab-")
        log = os.memfd_create("log")
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(PROGRAM), str(theirs.fileno()), str(self.shared.descriptor)],
                pass_fds=(theirs.fileno(), self.shared.descriptor),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                env=_environment(),
                # Ctrl-C reaches the parent only, and killing the group ends the map compiler too.
                start_new_session=True,
            )
        self._log = log
        self._folder = folder
        self._expected = READY
        self._deadline = time.monotonic() + START_SECONDS
        self._answered = False
        self._finish = weakref.finalize(self, _end, self._process, self._channel, self.shared, log, folder)
        request = json.dumps({**asdict(episode), "folder": folder}).encode()
        self._send(LENGTH.pack(len(request)) + request)

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def request_step(self, look: int, strafe: int, move: int, frames: int) -> None:
        """Requests a step; `wait` returns when it is finished.

        Args:
            look: pixels a frame to turn right.
            strafe, move: -1, 0 or 1; to the right, and forward.
            frames: frames of the step.
        """
        self._expected = STEPPED
        self._deadline = time.monotonic() + STEP_SECONDS
        self._answered = False
        self._send(REQUEST.pack(look, strafe, move, frames))

    def wait(self, seconds: float | None = None) -> bool:
        """Waits for the last request.

        Args:
            seconds: timeout; without it the request's own deadline.

        Returns:
            Whether the request is finished.

        Raises:
            SimulatorError: the process ended, or the request's deadline has passed.
        """
        while not self._answered:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise self._death("timed out")
            self._channel.settimeout(left if seconds is None else min(left, max(seconds, 1e-3)))
            try:
                answer = self._channel.recv(1)
            except TimeoutError:
                if seconds is not None:
                    return False
                continue
            except OSError:
                answer = b""
            if answer != self._expected:
                raise self._death("died")
            self._answered = True
        return True

    def close(self) -> None:
        """Ends the process and removes its files; called twice it does nothing."""
        self._finish()

    def _send(self, message: bytes) -> None:
        # `wait` reports a process that died.
        with contextlib.suppress(OSError):
            self._channel.settimeout(STEP_SECONDS)
            self._channel.sendall(message)

    def _death(self, what: str) -> SimulatorError:
        # The channel closes a moment before the process's exit code is available.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=1.0 if what == "died" else 0.0)
        _kill(self._process)
        code = self._process.wait()
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        size = os.fstat(self._log).st_size
        lines = os.pread(self._log, LOG_BYTES, max(0, size - LOG_BYTES)).decode(errors="replace").split("\n")
        last = " / ".join(line.strip() for line in lines[-8:] if line.strip())
        self.close()
        return SimulatorError(f"DeepMind Lab's process {self._process.pid} {what} ({how}); end of its log: {last or 'empty'}")


class CompileProgress:
    """Reports that maps are being compiled, which is slow but happens once for each maze.

    One line on the standard error output: it is updated on a terminal, and repeated every `LOG_SECONDS` elsewhere. Nothing is
    written before the first map.
    """

    def __init__(self, task: str) -> None:
        self._task = task
        self._maps = 0
        self._began = self._next = time.monotonic()

    def add(self, maps: int) -> None:
        """Counts more maps that are being compiled."""
        if maps:
            self._maps += maps
            self.report()

    def report(self) -> None:
        """Writes the progress line where it is due."""
        now = time.monotonic()
        if self._maps and (sys.stderr.isatty() or now >= self._next):
            self._next = now + LOG_SECONDS
            self._write(f"compiling {self._maps} map(s) of {self._task}, once: {now - self._began:.0f} s")

    def end(self) -> None:
        """Writes the last line."""
        if self._maps:
            self._write(f"compiled {self._maps} map(s) of {self._task} in {time.monotonic() - self._began:.1f} s", "\n")

    @staticmethod
    def _write(text: str, end: str = "") -> None:
        tty = sys.stderr.isatty()
        say(f"\rlab: {text}" if tty else f"lab: {text}", end=end if tty else "\n", file=sys.stderr)


def _environment() -> dict[str, str]:
    """The parent's environment with its module path, and one thread for arithmetic and for drawing."""
    own = {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry), "LP_NUM_THREADS": "0"}
    return {**os.environ, **own, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")}


def _kill(process: subprocess.Popen[bytes]) -> None:
    # The whole group: the map compiler may be part of it.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _end(process: subprocess.Popen[bytes], channel: socket.socket, shared: Shared, log: int, folder: str) -> None:
    _kill(process)
    channel.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=5)
    shared.close()
    os.close(log)
    shutil.rmtree(folder, ignore_errors=True)
