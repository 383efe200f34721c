"""A simulator's process as its parent sees it: started, asked, answered without being waited for, and surely ended.

Episodes are separate processes (`env.lab.simulator_main`): the only way to the same trajectory twice, and nothing of one
simulator's troubles reaches another.
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
from maze_gen.errors import InputError

MODULE = "deepmind_lab"
PLAYER = Path(__file__).with_name("simulator_main.py")
START_SECONDS = 300.0
"""Longest wait for an episode to start, which may compile a map first."""
STEP_SECONDS = 30.0
"""Longest wait for a step. A failed simulator sometimes hangs instead of dying."""
LOG_BYTES = 4000


def require_lab() -> None:
    """Refuses where DeepMind Lab isn't installed.

    Raises:
        InputError: there is no module `deepmind_lab`; the message says how it is got.
    """
    if importlib.util.find_spec(MODULE) is None:
        raise InputError(
            f"backend 'lab' needs DeepMind Lab's Python module {MODULE}, which isn't installed here: build it from "
            "https://github.com/google-deepmind/lab (python/pip_package) or install a wheel that somebody built"
        )


def cache_folder() -> Path:
    """Where compiled maps and textures are kept: `knossos/lab` in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "knossos" / "lab"


@dataclass(frozen=True)
class Episode:
    """What a simulator is told to play.

    Attributes:
        level: a level's name, or the path of a level script.
        observations: names of what says position, angles and velocity.
        property: name of what says what lies there; empty for none.
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
    """A simulator's process ended, or answered nothing for too long; the message says which, how, and its last words."""


class Simulator:
    """One running episode. Nothing here waits but `wait`.

    Attributes:
        episode: what is played.
        shared: what the process observed last; to be read between a `wait` and the next `ask`.
    """

    def __init__(self, episode: Episode) -> None:
        """Starts the process; `wait` tells when the episode can be played."""
        self.episode = episode
        self.shared = Shared(episode.size)
        folder = tempfile.mkdtemp(prefix="knossos-lab-")
        log = os.memfd_create("log")
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(PLAYER), str(theirs.fileno()), str(self.shared.descriptor)],
                pass_fds=(theirs.fileno(), self.shared.descriptor),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                env=_environment(),
                # Ctrl-C is for the parent; and a group of its own takes the map compiler along when it is ended.
                start_new_session=True,
            )
        self._log = log
        self._folder = folder
        self._expected = READY
        self._deadline = time.monotonic() + START_SECONDS
        self._answered = False
        self._finish = weakref.finalize(self, _end, self._process, self._channel, self.shared, log, folder)
        order = json.dumps({**asdict(episode), "folder": folder}).encode()
        self._send(LENGTH.pack(len(order)) + order)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def ask(self, look: int, strafe: int, move: int, frames: int) -> None:
        """Lets the episode go on; `wait` says when it has.

        Args:
            look: pixels a frame to turn right.
            strafe, move: -1, 0 or 1; to the right, and forward.
            frames: how many to play.
        """
        self._expected = STEPPED
        self._deadline = time.monotonic() + STEP_SECONDS
        self._answered = False
        self._send(REQUEST.pack(look, strafe, move, frames))

    def wait(self, seconds: float | None = None) -> bool:
        """Waits for what was asked last.

        Args:
            seconds: at most so long; without it as long as an answer can be hoped for.

        Returns:
            Whether it is there.

        Raises:
            SimulatorError: there will be none.
        """
        while not self._answered:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise self._death("answers nothing")
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
        """Ends the process and removes all that is left of it; called twice it does nothing."""
        self._finish()

    def _send(self, message: bytes) -> None:
        # Of a process that died, `wait` tells.
        with contextlib.suppress(OSError):
            self._channel.settimeout(STEP_SECONDS)
            self._channel.sendall(message)

    def _death(self, what: str) -> SimulatorError:
        # A process that died by itself should say so: the channel closes a moment before it is gone.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=1.0 if what == "died" else 0.0)
        _kill(self._process)
        code = self._process.wait()
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        size = os.fstat(self._log).st_size
        words = os.pread(self._log, LOG_BYTES, max(0, size - LOG_BYTES)).decode(errors="replace").split("\n")
        last = " / ".join(line.strip() for line in words[-8:] if line.strip())
        self.close()
        return SimulatorError(f"DeepMind Lab's process {self._process.pid} {what} ({how}); its last words: {last or 'none'}")


def _environment() -> dict[str, str]:
    """The parent's, with its module path, and one thread a process for arithmetic and for drawing."""
    own = {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry), "LP_NUM_THREADS": "0"}
    return {**os.environ, **own, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")}


def _kill(process: subprocess.Popen[bytes]) -> None:
    # The whole group: a map compiler may be among it.
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
