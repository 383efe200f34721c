"""Threads that wait for work, so that a step starts none and allocates nothing."""

import threading
import weakref
from collections.abc import Callable

Work = Callable[[int], None]
"""Does a share of the work; each thread calls it once, with its own number."""


class Crew:
    """Lets several threads do one piece of work, the caller's own among them.

    The work must release the interpreter's lock, or nothing is gained, and share itself out among those who call it.
    """

    def __init__(self, threads: int) -> None:
        self._helpers = [_Helper(number) for number in range(1, threads)]
        # Whoever forgets to close it leaves no threads behind all the same.
        self._end = weakref.finalize(self, _end_all, self._helpers)

    def run(self, work: Work) -> None:
        """Calls `work` in every thread and returns when all are done; raises what one of them raised."""
        for helper in self._helpers:
            helper.start(work)
        try:
            work(0)
        finally:
            failures = [helper.wait() for helper in self._helpers]
        for failure in failures:
            if failure is not None:
                raise failure

    def close(self) -> None:
        """Ends the threads."""
        self._end()


def _end_all(helpers: "list[_Helper]") -> None:
    for helper in helpers:
        helper.end()
    helpers.clear()


class _Helper:
    def __init__(self, number: int) -> None:
        self._number = number
        self._work: Work | None = None
        self._failure: BaseException | None = None
        self._begin = threading.Lock()
        self._done = threading.Lock()
        self._begin.acquire()
        self._done.acquire()
        self._thread = threading.Thread(target=self._serve, name="engine rows", daemon=True)
        self._thread.start()

    def start(self, work: Work) -> None:
        self._work = work
        self._begin.release()

    def wait(self) -> BaseException | None:
        self._done.acquire()
        failure, self._failure = self._failure, None
        return failure

    def end(self) -> None:
        self._work = None
        self._begin.release()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            self._begin.acquire()
            if self._work is None:
                return
            try:
                self._work(self._number)
            except BaseException as failure:  # handed to the thread that waits for it
                self._failure = failure
            # What is kept here would keep its engine alive.
            self._work = None
            self._done.release()
