"""Runs a comparison on several processes: every method's rate is tuned on the first seed, and the best one gets all seeds."""

import concurrent.futures
import multiprocessing
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from experiments.classification.data import Pictures
from experiments.classification.methods import RATES, Method
from experiments.classification.training import Job, Result, Settings, read_result, train
from maze_gen.console import say
from maze_gen.errors import InputError


@dataclass(frozen=True)
class Comparison:
    """What is to be trained.

    Attributes:
        methods: what matters most first.
        seeds: how many trainings the best rate of a method gets.
        rates: how many of the grid's rates are tried, evenly spread over it.
        out: the folder.
    """

    methods: tuple[Method, ...]
    settings: Settings
    seeds: int
    out: Path

    def tuning(self, method: Method) -> list[Job]:
        """The first seed at every rate of the grid."""
        return [Job(method, rate, 0) for rate in RATES[method.optimizer]]

    def best(self, method: Method) -> float | None:
        """The rate with the best final accuracy in the first seed; None before all are known."""
        found = [(self.result(job), job.rate) for job in self.tuning(method)]
        if any(result is None for result, _ in found):
            return None
        return max((result.final, -i, rate) for i, (result, rate) in enumerate(found) if result is not None)[2]

    def repeats(self, method: Method) -> list[Job]:
        """The best rate in all seeds; empty before it is known."""
        rate = self.best(method)
        return [] if rate is None else [Job(method, rate, seed) for seed in range(self.seeds)]

    def result(self, job: Job) -> Result | None:
        return read_result(job.folder(self.out), self.settings)

    def next_job(self, busy: set[Job]) -> Job | None:
        """The first training that is neither done nor under way, method by method; None where none can be begun now."""
        for method in self.methods:
            for job in (*self.tuning(method), *self.repeats(method)):
                if job not in busy and self.result(job) is None:
                    return job
        return None


_here: dict[str, Any] = {}


def _begin(pictures: Pictures, settings: Settings, out: Path, stop: Any) -> None:
    """Of a worker process: one thread, and interrupts are the parent's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    _here.update(pictures=pictures, settings=settings, out=out, stop=stop)


def _work(job: Job) -> Result | None:
    return train(job, _here["pictures"], _here["settings"], job.folder(_here["out"]), _here["stop"].is_set)


def run(comparison: Comparison, pictures: Pictures, workers: int, deadline: float, tell: Callable[[str], None]) -> bool:
    """Trains what isn't trained yet; False where the deadline (`time.monotonic`) came first.

    Ctrl-C saves what is under way, and is raised again.

    Raises:
        InputError: a worker's process was killed.
    """
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    arguments = pictures, comparison.settings, comparison.out, stop
    pool = concurrent.futures.ProcessPoolExecutor(workers, context, _begin, arguments)
    busy: dict[Future[Result | None], Job] = {}
    begin = time.monotonic()
    try:
        while True:
            while len(busy) < workers and time.monotonic() < deadline:
                job = comparison.next_job(set(busy.values()))
                if job is None:
                    break
                busy[pool.submit(_work, job)] = job
            if not busy:
                return all(
                    comparison.repeats(m) and all(comparison.result(j) for j in comparison.repeats(m)) for m in comparison.methods
                )
            done, _ = concurrent.futures.wait(busy, timeout=1, return_when=FIRST_COMPLETED)
            for future in done:
                job = busy.pop(future)
                try:
                    result = future.result()
                except BrokenProcessPool as error:
                    raise InputError("a training's process was killed (out of memory?); the same command goes on") from error
                if result is not None:
                    accuracy = "given up" if result.diverged else f"accuracy {result.final:.3f}"
                    say(f"{job.method.title}, rate {job.rate:g}, seed {job.seed}: {accuracy}")
            tell(f"{time.monotonic() - begin:.0f} s: {describe(list(busy.values()))}")
    finally:
        stop.set()
        pool.shutdown(wait=True)


def describe(jobs: Sequence[Job]) -> str:
    """What is under way, for the progress line."""
    return "; ".join(f"{job.method.title} at {job.rate:g}, seed {job.seed}" for job in jobs)
