"""A process a worker; parameters in shared memory; a parent that watches, so that nobody hangs and nobody is left behind."""

import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from typing import Any

import torch.multiprocessing  # teaches pickling to send tensors as shared memory

from agents.learning.parameter_store import ParameterStore
from agents.rollout import StoppedError
from agents.runtime.errors import WorkerError
from agents.runtime.worker import Report, Worker, WorkerSpec

CHILD_ENVIRONMENT = {
    # glibc keeps what it got: giving the tensors' memory back and getting it again was a third of learning's time.
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "100000000000",
    "MALLOC_TOP_PAD_": "268435456",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}

STOP_SECONDS = 2.0
"""How long a worker may take to finish what it is doing before it is ended."""

PR_SET_PDEATHSIG = 1


class ProcessRuntime:
    """Starts a process for each worker and collects their reports."""

    def __init__(self, specs: Sequence[WorkerSpec], store: ParameterStore) -> None:
        context = multiprocessing.get_context("spawn")
        store.share(context)
        self.stop_flag = context.Event()
        self.processes: list[Any] = []
        self.pipes: list[Connection] = []
        with started_like_workers():
            for spec in specs:
                # A pipe each: a worker that is killed can't take a shared queue's lock along.
                ours, theirs = context.Pipe(duplex=False)
                process = context.Process(
                    target=_work,
                    args=(spec, store, theirs, self.stop_flag, os.getpid()),
                    name=f"worker {spec.index}",
                    daemon=True,
                )
                process.start()
                theirs.close()
                self.processes.append(process)
                self.pipes.append(ours)

    def poll(self, timeout: float) -> list[Report]:
        """Reports that arrive within `timeout` seconds.

        Raises:
            WorkerError: a worker died or raised.
        """
        ready = set(wait([*self.pipes, *(process.sentinel for process in self.processes)], timeout))
        reports = []
        for process, pipe in zip(self.processes, self.pipes, strict=True):
            if pipe in ready or process.sentinel in ready:
                reports += self._receive(process, pipe)
        return reports

    def _receive(self, process: Any, pipe: Connection) -> list[Report]:
        reports = []
        try:
            while pipe.poll(0):
                message = pipe.recv()
                if isinstance(message, BaseException):
                    raise message
                reports.append(message)
        except (EOFError, OSError, pickle.UnpicklingError):
            process.join(1.0)
        if process.exitcode is not None and not self.stop_flag.is_set():
            raise WorkerError(f"{process.name} (process {process.pid}) {_how(process.exitcode)}")
        return reports

    def stop(self) -> list[Report]:
        """Ends all workers within a few seconds, whatever state they are in; returns reports that weren't polled."""
        self.stop_flag.set()
        reports: list[Report] = []
        deadline = time.monotonic() + STOP_SECONDS
        while any(process.is_alive() for process in self.processes) and time.monotonic() < deadline:
            for process, pipe in zip(self.processes, self.pipes, strict=True):
                with _quietly():
                    reports += self._receive(process, pipe)
            time.sleep(0.02)
        # All of them before the first is waited for: on a busy machine each takes its time to end.
        for process, pipe in zip(self.processes, self.pipes, strict=True):
            with _quietly():
                reports += self._receive(process, pipe)
            if process.is_alive():
                process.kill()
        for process, pipe in zip(self.processes, self.pipes, strict=True):
            process.join(1.0)
            pipe.close()
        return reports


def _work(spec: WorkerSpec, store: ParameterStore, pipe: Connection, stop_flag: Any, parent: int) -> None:
    """A worker's process, from start to end."""
    _end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    try:
        worker = Worker(spec, store)
        while not stop_flag.is_set():
            pipe.send(worker.run_round(stop_flag.is_set))
        worker.close()
    except StoppedError:
        pass
    except (BrokenPipeError, ConnectionResetError):
        sys.exit(0)
    except Exception as error:
        details = "".join(traceback.format_exception(error))
        pipe.send(WorkerError(f"worker {spec.index} raised {type(error).__name__}: {error}\n{details}"))
        sys.exit(1)


def _end_with(parent: int) -> None:
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
def _quietly() -> Iterator[None]:
    """Errors of workers that are being ended anyway."""
    try:
        yield
    except Exception:
        return
