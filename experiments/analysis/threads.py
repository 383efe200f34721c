"""Jobs side by side in threads, with one torch thread each."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Job = TypeVar("Job")
Result = TypeVar("Result")


def default_threads() -> int:
    """The number of processor cores that this process may use."""
    return max(1, len(os.sched_getaffinity(0)))


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Matrix products on one thread: small ones are slower on several, and jobs run side by side instead."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def map_in_threads(function: Callable[[Job], Result], jobs: Sequence[Job], threads: int | None = None) -> list[Result]:
    """The results of all jobs, in their order.

    Args:
        threads: jobs that run at the same time; None for one per processor core.
    """

    def run(job: Job) -> Result:
        # torch's setting holds for the calling thread only.
        torch.set_num_threads(1)
        return function(job)

    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(min(threads or default_threads(), max(1, len(jobs)))) as pool:
            return list(pool.map(run, jobs))
    finally:
        torch.set_num_threads(before)
