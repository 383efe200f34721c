"""Makes worlds: a task's domain and a backend, behind one interface."""

from collections.abc import Collection
from typing import Any

import numpy as np

from env.batch import BatchEnv, TaskLike
from env.domain import Domain, domain_of, register_domain
from env.memory import check_memory, row_bytes
from env.painting.records import read_painting, record_painting
from env.painting.task import PaintingTask
from env.task import Task
from env.task_io import read_task, record_task
from maze_gen.errors import InputError

MOST_THREADS = 1024
BACKENDS = ("embedded", "lab")
"""Of the maze domain."""


def make_batch(
    task: TaskLike,
    num_envs: int,
    *,
    observe: Collection[str] | None = None,
    backend: str | None = None,
    device: str = "cpu",
    threads: int = 1,
) -> BatchEnv:
    """N worlds of a task.

    Args:
        task: of any domain.
        observe: names of the arrays to make (`task.spec().observations`); what agents perceive by default without it.
        backend: of the task's domain, its first one without it; mazes have `embedded` and `lab`.
        device: `cpu` or `cuda`.
        threads: of a backend that computes on the CPU.

    Raises:
        InputError: an unknown backend, one that isn't installed here, or an array that the worlds can't make.
    """
    if isinstance(num_envs, bool) or not isinstance(num_envs, int | np.integer) or num_envs < 1:
        raise InputError(f"num_envs {num_envs!r}: expected a whole number, at least 1")
    if isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= MOST_THREADS:
        raise InputError(f"threads {threads!r}: expected a whole number from 1 to {MOST_THREADS}")
    domain, spec = domain_of(task), task.spec()
    wanted = spec.perceived if observe is None else frozenset(observe)
    spec.observed(wanted)
    made = [array for name, array in spec.observations.items() if name in wanted]
    if device == "cpu":
        check_memory(f"num_envs {num_envs}", num_envs * row_bytes([*made, *spec.privileged.values()]))
    name = next(iter(domain.backends)) if backend is None else backend
    if name not in domain.backends:
        raise InputError(f"backend {backend!r}: expected one of {', '.join(domain.backends)}")
    return domain.backends[name](task, num_envs, observe=wanted, device=device, threads=threads)


# Imported where they are used: the engine brings a compiler, and DeepMind Lab may not be installed.
def _embedded(task: Any, num_envs: int, *, observe: frozenset[str], device: str, threads: int) -> BatchEnv:
    from env.engine.engine import Engine

    return Engine(task, num_envs, observe=observe, device=device, threads=threads)


def _lab(task: Any, num_envs: int, *, observe: frozenset[str], device: str, threads: int) -> BatchEnv:
    from env.lab.adapter import LabBatch

    if device != "cpu":
        raise InputError(f"device {device!r}: DeepMind Lab runs on the CPU only")
    return LabBatch(task, num_envs, observe=observe)


def _canvases(task: Any, num_envs: int, *, observe: frozenset[str], device: str, threads: int) -> BatchEnv:
    from env.painting.batch import PaintingBatch

    if device != "cpu":
        raise InputError(f"device {device!r}: canvases are painted on the CPU only")
    return PaintingBatch(task, num_envs, observe, threads)


NAVIGATION = Domain("navigation", Task, {"embedded": _embedded, "lab": _lab}, record_task, read_task)
register_domain(NAVIGATION)
PAINTING = Domain("painting", PaintingTask, {"embedded": _canvases}, record_painting, read_painting)
register_domain(PAINTING)
