"""A process a worker; parameters in shared memory; a parent that watches, so that nobody hangs and nobody is left behind."""

import ctypes
import dataclasses
import multiprocessing
import os
import pickle
import signal
import sys
import time
import traceback
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

import numpy.typing as npt
import torch.multiprocessing  # teaches pickling to send tensors as shared memory

from agents.actor import StoppedError
from agents.learning.parameter_store import ParameterStore
from agents.runtime.errors import WorkerError
from agents.runtime.worker import Report, Worker, WorkerSpec
from agents.state import State
from maze_gen.errors import Note

CHILD_ENVIRONMENT = {
    # glibc keeps what it got: giving the tensors' memory back and getting it again was a third of learning's time.
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "100000000000",
    "MALLOC_TOP_PAD_": "268435456",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}

STOP_SECONDS = 2.0
"""How long a worker may take to finish what it is doing before it is killed."""
STALL_ROUNDS, STALL_SECONDS, START_SECONDS = 20, 30.0, 600.0
"""A worker without a report for so many of its usual rounds, and for so many seconds, stands still; the first report may take
longer."""
MOST_DEATHS, DEATHS_SECONDS = 3, 60.0
"""So many deaths of workers within so many seconds end a training."""

PR_SET_PDEATHSIG = 1


@dataclass
class _Answer:
    """A worker's state, as it was between two rounds: as arrays, since tensors would be sent as memory that ends with it."""

    arrays: dict[str, npt.NDArray[Any]]


class _Member:
    """A worker's process as its parent sees it."""

    def __init__(self, spec: WorkerSpec, process: Any, pipe: Connection) -> None:
        self.spec, self.process, self.pipe = spec, process, pipe
        self.reported: float | None = None
        self.began = time.monotonic()
        self.usual = 0.0
        self.state: State = {}
        self.answered = False

    @property
    def silent(self) -> float:
        """Seconds since its last report, or since its start."""
        return time.monotonic() - (self.began if self.reported is None else self.reported)

    @property
    def stalled(self) -> bool:
        return self.silent > (START_SECONDS if self.reported is None else max(STALL_SECONDS, STALL_ROUNDS * self.usual))

    def take(self, report: Report) -> None:
        self.usual = report.acting_seconds + report.learning_seconds
        self.reported = time.monotonic()

    def receive(self) -> list[Report]:
        """Reports that have arrived.

        Raises:
            Exception: the one that the worker raised.
        """
        reports: list[Report] = []
        try:
            while self.pipe.poll(0):
                message = self.pipe.recv()
                if isinstance(message, BaseException):
                    raise message
                if isinstance(message, _Answer):
                    self.state = {name: torch.from_numpy(array) for name, array in message.arrays.items()}
                    self.answered = True
                else:
                    self.take(message)
                    reports.append(message)
        except (EOFError, OSError, pickle.UnpicklingError):
            self.process.join(1.0)
        return reports

    def __str__(self) -> str:
        last = "before its first report" if self.reported is None else f"{self.silent:.1f} s after its last report"
        return f"{self.process.name} (process {self.process.pid}), {last},"


class ProcessRuntime:
    """Starts a process for each worker, collects their reports, and replaces workers that die or stand still."""

    def __init__(self, specs: Sequence[WorkerSpec], store: ParameterStore) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._store = store
        store.share(self._context)
        self.stop_flag = self._context.Event()
        # How often the workers were asked for their state.
        self._asked = self._context.Value("q", 0)
        self._deaths: deque[float] = deque(maxlen=MOST_DEATHS)
        self._pending: list[Report] = []
        self._stopped = False
        self.members = [self._start(spec) for spec in specs]

    @property
    def processes(self) -> list[Any]:
        return [member.process for member in self.members]

    def _start(self, spec: WorkerSpec) -> _Member:
        # A pipe each: a worker that is killed can't take a shared queue's lock along.
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=_work,
            args=(spec, self._store, theirs, self.stop_flag, self._asked, os.getpid()),
            name=f"worker {spec.index}",
            daemon=True,
        )
        with started_like_workers(), _main_module_without_a_missing_file():
            process.start()
        theirs.close()
        return _Member(spec, process, ours)

    def poll(self, timeout: float) -> list[Report]:
        """Reports that arrive within `timeout` seconds.

        A worker that died, raised or stands still is replaced by one that begins its next episodes, with a note.

        Raises:
            WorkerError: `MOST_DEATHS` times within `DEATHS_SECONDS`.
        """
        reports, self._pending = self._pending, []
        watched = [item for member in self.members for item in (member.pipe, member.process.sentinel)]
        ready = set(wait(watched, 0 if reports else timeout))
        for index, member in enumerate(self.members):
            if member.pipe in ready or member.process.sentinel in ready:
                try:
                    reports += member.receive()
                except WorkerError as error:
                    self._replace(index, str(error))
                    continue
            if member.process.exitcode is not None:
                self._replace(index, f"{member} {_how(member.process.exitcode)}")
            elif member.stalled:
                member.process.kill()
                self._replace(index, f"{member} stood still and was ended")
        return reports

    def _replace(self, index: int, what: str) -> None:
        self._deaths.append(time.monotonic())
        if len(self._deaths) == MOST_DEATHS and self._deaths[-1] - self._deaths[0] < DEATHS_SECONDS:
            first, *others = what.splitlines()
            times = f"the {_ordinal(MOST_DEATHS)} time within {DEATHS_SECONDS:.0f} s that a worker did"
            raise WorkerError("\n".join([f"{first}; {times}", *others]))
        member = self.members[index]
        member.process.join(1.0)
        member.pipe.close()
        self._store.recover_lock()
        warnings.warn(f"{what.splitlines()[0]}; it is replaced", Note, stacklevel=3)
        spec = dataclasses.replace(member.spec, state=None, restarts=member.spec.restarts + 1)
        self.members[index] = self._start(spec)

    def states(self, timeout: float) -> dict[int, State]:
        """Asks all workers for their states, and waits for those that come between two rounds within `timeout` seconds."""
        if not self._stopped:
            for member in self.members:
                member.answered = False
            with self._asked.get_lock():
                self._asked.value += 1
            deadline = time.monotonic() + timeout
            # Not added to `_pending` before the next `poll`, which returns that very list: it would double each time.
            arrived: list[Report] = []
            while not all(member.answered for member in self.members) and (left := deadline - time.monotonic()) > 0:
                arrived += self.poll(min(left, 0.1))
            self._pending = arrived + self._pending
        return {member.spec.index: member.state for member in self.members if member.answered and member.state}

    def stop(self) -> list[Report]:
        """Ends all workers within a few seconds, whatever they are doing; returns reports that weren't polled."""
        self.stop_flag.set()
        reports, self._pending = self._pending, []
        for member in self.members:
            member.answered = False
        deadline = time.monotonic() + STOP_SECONDS
        while any(member.process.is_alive() for member in self.members) and time.monotonic() < deadline:
            for member in self.members:
                with _quietly():
                    reports += member.receive()
            time.sleep(0.02)
        # All of them before the first is waited for: on a busy machine each takes its time to end.
        for member in self.members:
            with _quietly():
                reports += member.receive()
            if member.process.is_alive():
                member.process.kill()
        for member in self.members:
            member.process.join(1.0)
            member.pipe.close()
        self._stopped = True
        return reports


def _work(spec: WorkerSpec, store: ParameterStore, pipe: Connection, stop_flag: Any, asked: Any, parent: int) -> None:
    """A worker's process, from start to end."""
    end_with(parent)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    torch.set_num_threads(1)
    answered = 0
    state: State = {}
    try:
        worker = Worker(spec, store.of_worker(spec.index))
        try:
            while not stop_flag.is_set():
                # Kept for the case that the round is cut short: what it began is not to be lost.
                state = worker.state_dict()
                if asked.value != answered:
                    answered = asked.value
                    pipe.send(_answer(state))
                pipe.send(worker.run_round(stop_flag.is_set))
            state = worker.state_dict()
            worker.close()
        except StoppedError:
            pass
        pipe.send(_answer(state))
    except (BrokenPipeError, ConnectionResetError):
        sys.exit(0)
    except Exception as error:
        details = "".join(traceback.format_exception(error))
        pipe.send(WorkerError(f"worker {spec.index} raised {type(error).__name__}: {error}\n{details}"))
        sys.exit(1)


def _answer(state: State) -> _Answer:
    return _Answer({name: value.numpy() for name, value in state.items()})


def _ordinal(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")


def end_with(parent: int) -> None:
    """Makes the kernel kill this process when its parent ends (Linux)."""
    with _quietly():
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        # It ended before the kernel was asked.
        os._exit(1)


def _how(exitcode: int) -> str:
    if exitcode < 0:
        return f"was ended by signal {signal.Signals(-exitcode).name}"
    return f"ended with exit code {exitcode}"


@contextmanager
def started_like_workers() -> Iterator[None]:
    """Processes started in this block have a worker's environment and never see Ctrl-C; one that comes now reaches us later."""
    before = {name: os.environ.get(name) for name in CHILD_ENVIRONMENT}
    os.environ.update(CHILD_ENVIRONMENT)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _main_module_without_a_missing_file() -> Iterator[None]:
    """A child executes the main module's file again; a program that was read from standard input names one that isn't there."""
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    if file is None or os.path.exists(file):
        yield
        return
    main.__file__ = None
    try:
        yield
    finally:
        main.__file__ = file


@contextmanager
def _quietly() -> Iterator[None]:
    """Errors of workers that are being ended anyway."""
    try:
        yield
    except Exception:
        return
