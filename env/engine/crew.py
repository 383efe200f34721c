"""Threads that wait for work, so that a step starts none and allocates nothing."""

import threading
from collections.abc import Callable

Work = Callable[[int, int], None]
"""Does rows [first, last)."""


class Crew:
    """Splits the rows of a batch among threads; the caller's own thread does the first share.

    The work must release the interpreter's lock, or nothing is gained.
    """

    def __init__(self, rows: int, threads: int) -> None:
        bounds = [rows * index // threads for index in range(threads + 1)]
        self._own = (bounds[0], bounds[1])
        self._helpers = [_Helper(bounds[index], bounds[index + 1]) for index in range(1, threads)]

    def run(self, work: Work) -> None:
        """Does all rows and returns when all are done; raises what a share raised."""
        for helper in self._helpers:
            helper.start(work)
        try:
            work(*self._own)
        finally:
            failures = [helper.wait() for helper in self._helpers]
        for failure in failures:
            if failure is not None:
                raise failure

    def close(self) -> None:
        """Ends the threads."""
        for helper in self._helpers:
            helper.end()
        self._helpers = []


class _Helper:
    def __init__(self, first: int, last: int) -> None:
        self._rows = (first, last)
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
                self._work(*self._rows)
            except BaseException as failure:  # handed to the thread that waits for it
                self._failure = failure
            self._done.release()
