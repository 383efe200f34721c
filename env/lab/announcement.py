"""Tells people that maps are being compiled, which takes a while but happens once a maze."""

import sys
import time

LOG_SECONDS = 10.0


class Announcement:
    """A line on the standard error output: one that changes where that is a screen, else a new one every `LOG_SECONDS`."""

    def __init__(self, task: str) -> None:
        """Nothing is told before the first map of `task`."""
        self._task = task
        self._maps = 0
        self._began = self._next = time.monotonic()

    def add(self, maps: int) -> None:
        """So many more maps are being compiled."""
        if maps:
            self._maps += maps
            self.tell()

    def tell(self) -> None:
        """They still are."""
        now = time.monotonic()
        if self._maps and (sys.stderr.isatty() or now >= self._next):
            self._next = now + LOG_SECONDS
            self._line(f"compiling {self._maps} map(s) of {self._task}, once: {now - self._began:.0f} s")

    def end(self) -> None:
        """They are done."""
        if self._maps:
            self._line(f"compiled {self._maps} map(s) of {self._task} in {time.monotonic() - self._began:.1f} s", "\n")

    @staticmethod
    def _line(text: str, end: str = "") -> None:
        tty = sys.stderr.isatty()
        print(f"\rlab: {text}" if tty else f"lab: {text}", end=end if tty else "\n", file=sys.stderr, flush=True)
