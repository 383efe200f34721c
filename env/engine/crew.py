"""Threads that wait for work, so that a step starts none and allocates nothing."""

import threading
import time
import weakref
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from env.engine.meeting import all_done, announce, make_meeting

Work = Callable[[npt.NDArray[np.int64], int, int], int]
"""(meeting, thread, pieces seen) → pieces seen. In thread 0 it does a share of the present piece; in the others a share of every
piece, and returns when none has come for a while. It must not hold the interpreter's lock, nor raise."""


class Crew:
    """Lets several threads do one piece of work, the caller's own among them.

    Args:
        threads: how many, the caller's own included.
        work: what each does.
    """

    def __init__(self, threads: int, work: Work) -> None:
        self._work = work
        self._meeting = make_meeting(threads)
        self._beds = [threading.Lock() for _ in range(threads - 1)]
        for bed in self._beds:
            bed.acquire()
        ending = threading.Event()
        bodies = [
            threading.Thread(target=_help, args=(work, self._meeting, 1 + index, bed, ending), name="engine rows", daemon=True)
            for index, bed in enumerate(self._beds)
        ]
        for body in bodies:
            body.start()
        # Whoever forgets to close it leaves no threads behind all the same.
        self._end = weakref.finalize(self, _end_all, bodies, self._beds, ending)

    def run(self, what: int, episodes_on: int = 0) -> None:
        """Does a piece of work, and returns when all of it is done."""
        if announce(self._meeting, what, episodes_on):
            _wake(self._beds)
        try:
            self._work(self._meeting, 0, 0)
        finally:
            while not all_done(self._meeting):
                time.sleep(0)

    def close(self) -> None:
        """Ends the threads."""
        self._end()


def _wake(beds: list[threading.Lock]) -> None:
    for bed in beds:
        # One that is free has been opened already, by a call that its thread hasn't noticed yet.
        if bed.locked():
            bed.release()


def _end_all(bodies: list[threading.Thread], beds: list[threading.Lock], ending: threading.Event) -> None:
    ending.set()
    _wake(beds)
    for body in bodies:
        body.join()


def _help(work: Work, meeting: npt.NDArray[np.int64], thread: int, bed: threading.Lock, ending: threading.Event) -> None:
    seen = 0
    while True:
        bed.acquire()
        if ending.is_set():
            return
        seen = work(meeting, thread, seen)
