"""Threads that wait for work, so that a step starts no thread and allocates nothing, and their synchronisation in compiled code.

A sleeping thread takes some 50 µs to wake, and as long again to get the interpreter's lock: a third of a step of 64 worlds. So a
thread that has finished its share spins for a while, without that lock, before it sleeps.

The threads synchronise by an int64 array; entries that different threads write lie in different cache lines.
"""

import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from numba.core import types
from numba.extending import intrinsic

from env.engine.compile import cpu_kernel, inner

LINE = 8
"""Entries of a cache line."""
GENERATION, OPERATION, EPISODE_INCREMENT, THREADS = 0, 1, 2, 3
"""Entries of the synchronisation array: operations published so far, the kind of the current one and its argument (see
`env.engine.cpu_kernels`), and the number of threads."""
FINISHED, SLEEPING = LINE, 2 * LINE
"""Workers that have finished the current operation, and workers that sleep or are about to."""
CLAIMED = 3 * LINE
"""Claimed rows of the first thread's share; each further thread's entry is one line later."""
SPIN_LIMIT = 50_000
"""Polls before a waiting thread gives up, about 50 µs."""

Work = Callable[[npt.NDArray[np.int64], int, int], int]
"""(synchronisation array, thread, generations seen) → generations seen. Thread 0 executes its share of the current operation; the
others execute their share of every operation and return when none has come for a while. It must release the interpreter's lock
and must not raise."""


class ThreadPool:
    """Splits an operation among several threads, the caller's own included.

    Threads start with the first operation. They do not survive a fork: in a child process they are started again.

    Args:
        threads: how many, the caller's own included.
        work: what each of them executes.
    """

    def __init__(self, threads: int, work: Work) -> None:
        self._threads = threads
        self._work = work
        self._process = -1
        self._sync = _synchronisation_array(1)
        self._locks: list[threading.Lock] = []
        self._stop: Callable[[], Any] | None = None

    def run(self, operation: int, episode_increment: int = 0) -> None:
        """Executes an operation, and returns when all threads have finished it. One thread at a time may call it."""
        if self._process != _process:
            self._start()
        if publish(self._sync, operation, episode_increment):
            _wake(self._locks)
        try:
            self._work(self._sync, 0, 0)
        finally:
            while not wait_until_finished(self._sync):
                time.sleep(0)

    def close(self) -> None:
        """Ends the threads."""
        if self._stop is not None:
            self._stop()

    def _start(self) -> None:
        self._process = _process
        self._sync = _synchronisation_array(self._threads)
        self._locks = [threading.Lock() for _ in range(self._threads - 1)]
        for lock in self._locks:
            lock.acquire()
        ending = threading.Event()
        workers = [
            threading.Thread(
                target=_execute, args=(self._work, self._sync, 1 + index, lock, ending), name="engine rows", daemon=True
            )
            for index, lock in enumerate(self._locks)
        ]
        for worker in workers:
            worker.start()
        # A pool that is never closed leaves no threads behind when it is collected.
        self._stop = weakref.finalize(self, _stop_all, self._process, workers, self._locks, ending)


_process = os.getpid()
"""Cached, because the system call takes a per cent of a step without pictures."""


def _note_fork() -> None:
    global _process
    _process = os.getpid()


os.register_at_fork(after_in_child=_note_fork)


def _wake(locks: list[threading.Lock]) -> None:
    for lock in locks:
        # Already released by a wake-up that the thread has not consumed yet.
        if lock.locked():
            lock.release()


def _stop_all(process: int, workers: list[threading.Thread], locks: list[threading.Lock], ending: threading.Event) -> None:
    # In a forked child the threads of its parent do not exist.
    if process != _process:
        return
    ending.set()
    _wake(locks)
    for worker in workers:
        worker.join()


def _execute(work: Work, sync: npt.NDArray[np.int64], thread: int, lock: threading.Lock, ending: threading.Event) -> None:
    generation = 0
    while True:
        lock.acquire()
        if ending.is_set():
            return
        generation = work(sync, thread, generation)


def _synchronisation_array(threads: int) -> npt.NDArray[np.int64]:
    """Nothing has been published, and all threads but the first sleep."""
    sync = np.zeros(CLAIMED + threads * LINE, dtype=np.int64)
    sync[FINISHED] = sync[SLEEPING] = threads - 1
    sync[THREADS] = threads
    return sync


@intrinsic
def atomic_add(typing_context: Any, sync: Any, entry: Any, amount: Any) -> Any:
    """Adds to an entry and returns its previous value, atomically."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.atomic_rmw("add", builder.gep(array.data, [arguments[1]]), arguments[2], "seq_cst")

    return types.int64(sync, types.int64, types.int64), generate


@intrinsic
def atomic_load(typing_context: Any, sync: Any, entry: Any) -> Any:
    """The present value of an entry, whichever thread wrote it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.load_atomic(builder.gep(array.data, [arguments[1]]), "seq_cst", 8)

    return types.int64(sync, types.int64), generate


@inner
def wait_for_operation(sync, generation):
    """Spins until an operation after the given generation is published; False where the thread must sleep instead."""
    for _ in range(SPIN_LIMIT):
        if atomic_load(sync, GENERATION) != generation:  # type: ignore[call-arg]
            return True
    atomic_add(sync, SLEEPING, 1)  # type: ignore[call-arg]
    if atomic_load(sync, GENERATION) == generation:  # type: ignore[call-arg]
        return False
    # Published in between: the publisher may have counted this thread as asleep, and releases its lock once more than needed.
    atomic_add(sync, SLEEPING, -1)  # type: ignore[call-arg]
    return True


@cpu_kernel
def publish(sync, operation, episode_increment):
    """Publishes an operation; returns how many threads have to be woken for it."""
    sync[OPERATION] = operation
    sync[EPISODE_INCREMENT] = episode_increment
    for thread in range(sync[THREADS]):
        sync[CLAIMED + thread * LINE] = 0
    sync[FINISHED] = 0
    atomic_add(sync, GENERATION, 1)  # type: ignore[call-arg]
    return atomic_load(sync, SLEEPING)  # type: ignore[call-arg]


@cpu_kernel
def wait_until_finished(sync):
    """Spins until all workers have finished the operation; False where that takes too long to go on spinning."""
    polls = 0
    while atomic_load(sync, FINISHED) != sync[THREADS] - 1:  # type: ignore[call-arg]
        polls += 1
        if polls == SPIN_LIMIT:
            return False
    return True
