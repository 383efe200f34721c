"""What a program and all that it started use of the machine."""

import contextlib
from collections.abc import Callable, Iterable

import psutil


def own_family() -> list[psutil.Process]:
    """This process and all below it."""
    own = psutil.Process()
    return [own, *own.children(recursive=True)]


def summed(processes: Iterable[psutil.Process], quantity: Callable[[psutil.Process], float]) -> float:
    """A quantity of processes together, without those that end meanwhile."""
    found = 0.0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            found += quantity(process)
    return found


def processor_seconds(process: psutil.Process) -> float:
    """Seconds that a process has computed."""
    times = process.cpu_times()
    return times.user + times.system
