"""Tells people that maps are being compiled, which takes a while but happens once a maze."""

import sys
import time


class Announcement:
    """A line on the standard error output: while it is a screen, one that changes."""

    def __init__(self, task: str) -> None:
        """Nothing is told before the first map of `task`."""
        self._task = task
        self._maps = 0
        self._began = time.monotonic()

    def add(self, maps: int) -> None:
        """So many more maps are being compiled."""
        if maps:
            self._maps += maps
            self.tell()

    def tell(self) -> None:
        """They still are."""
        if self._maps:
            self._line(f"compiling {self._maps} map(s) of {self._task}, once: {time.monotonic() - self._began:.0f} s")

    def end(self) -> None:
        """They are done."""
        if self._maps:
            self._line(f"compiled {self._maps} map(s) of {self._task} in {time.monotonic() - self._began:.1f} s", "\n")

    @staticmethod
    def _line(text: str, end: str = "") -> None:
        tty = sys.stderr.isatty()
        print(f"\rlab: {text}" if tty else f"lab: {text}", end=end if tty else "\n", file=sys.stderr, flush=True)
