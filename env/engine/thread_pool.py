"""Threads that wait for work, so that a step starts no thread and allocates nothing; see `env.engine.synchronisation`.

A sleeping thread takes some 50 µs to wake, and as long again to get the interpreter's lock: a third of a step of 64 worlds. So a
thread that has finished its share spins for a while, without that lock, before it sleeps.
"""

import functools
import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from env.engine.native import Native, native
from env.engine.packed_arguments import words_maker
from env.engine.synchronisation import CLAIMED, FINISHED, LINE, SLEEPING, THREADS, build

Work = Callable[[int, int, int, int, int], int]
"""(address of the synchronisation array, thread, generations seen, operation to publish first or -1, its argument) → generations
seen. Thread 0 executes its share of the current operation; the others execute their share of every operation and return when
none has come for a while. It must release the interpreter's lock and must not raise."""


NOTHING = -1
"""Instead of an operation: nothing is to be published."""


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
        self._address = 0
        self._publish, self._wait_until_finished = _kernels()
        self._locks: list[threading.Lock] = []
        self._stop: Callable[[], Any] | None = None

    def run(self, operation: int, episode_increment: int = 0) -> None:
        """Executes an operation, and returns when all threads have finished it. One thread at a time may call it."""
        if self._process != _process:
            self._start()
        if self._threads == 1:
            # One call instead of three: a call takes half a microsecond, and a step without pictures three.
            self._work(self._address, 0, 0, operation, episode_increment)
            return
        if self._publish(self._address, operation, episode_increment):
            _wake(self._locks)
        try:
            self._work(self._address, 0, 0, NOTHING, 0)
        finally:
            while not self._wait_until_finished(self._address):
                time.sleep(0)

    def close(self) -> None:
        """Ends the threads."""
        if self._stop is not None:
            self._stop()

    def _start(self) -> None:
        self._process = _process
        self._sync = _synchronisation_array(self._threads)
        self._address = self._sync.ctypes.data
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
        generation = work(sync.ctypes.data, thread, generation, NOTHING, 0)


def _synchronisation_array(threads: int) -> npt.NDArray[np.int64]:
    """Nothing has been published, and all threads but the first sleep."""
    sync = np.zeros(CLAIMED + threads * LINE, dtype=np.int64)
    sync[FINISHED] = sync[SLEEPING] = threads - 1
    sync[THREADS] = threads
    return sync


@functools.cache
def _kernels() -> tuple[Native, Native]:
    """(publish, wait until finished), which take the address of the synchronisation array first."""

    def define_publish() -> Any:
        words, publish = words_maker(), build().publish
        return lambda sync, operation, episode_increment: publish(words(sync), operation, episode_increment)

    def define_wait() -> Any:
        words, wait_until_finished = words_maker(), build().wait_until_finished
        return lambda sync: wait_until_finished(words(sync))

    return native("publish", 3, define_publish), native("wait_until_finished", 1, define_wait)
