"""Measurements: named numbers, and the machine on which they were taken."""

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any


@dataclass(frozen=True)
class Measurement:
    """One number.

    Attributes:
        name: of the quantity, the same in every run.
        value: the best repetition: other work on the machine can only make a number worse.
        unit: of the value, e.g. agent_steps/s.
        settings: on which the number depends, beside the machine.
    """

    name: str
    value: float
    unit: str
    settings: dict[str, Any] = field(default_factory=dict)


def rate(work: Callable[[], int], seconds: float, repetitions: int = 5) -> tuple[float, float]:
    """Amount of work per second.

    Args:
        work: does a piece of work and returns its amount.
        seconds: duration of all repetitions together.

    Returns:
        (rate of the best repetition, rate of the median repetition).
    """
    rates = []
    for _ in range(repetitions):
        done, start = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds / repetitions or not done:
            done += work()
        elapsed = time.perf_counter() - start
        rates.append(done / elapsed)
    rates.sort()
    return rates[-1], rates[len(rates) // 2]


def machine() -> dict[str, Any]:
    """The machine and the library versions on which numbers depend; `gpu` is the name of the GPU that torch finds, or None."""
    import torch

    return {
        "processor": _processor(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: _version(name) for name in ("numpy", "numba", "numba-cuda", "torch")},
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
