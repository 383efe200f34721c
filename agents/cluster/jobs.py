"""Work that falls into independent jobs, done by all processors of a cluster; a job whose node is lost is done elsewhere."""

import contextlib
import itertools
import shutil
import tempfile
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

import cloudpickle

from agents.cluster.link import Link, LinkLostError, apart, connecting
from agents.cluster.settings import ClusterSettings
from maze_gen.errors import InputError

ATTEMPTS = 3
"""Times that a job whose node is lost is begun again."""

Common, Job, Result = TypeVar("Common"), TypeVar("Job"), TypeVar("Result")


class ClusterJobs:
    """Does jobs on a cluster, while it is entered.

    Args:
        address: as `ClusterSettings` has it.
        processors: of a local cluster.

    Raises:
        InputError: as `agents.cluster.link.Link`.
    """

    def __init__(self, address: str, processors: int) -> None:
        # It stays where something goes wrong: the message names the log in it.
        self._folder = Path(tempfile.mkdtemp(prefix="knossos-jobs-"))
        self._keep = False
        try:
            self._link = Link(ClusterSettings(address, log=self._folder / "ray.log", processors=processors), do_jobs)
        except InputError:
            with contextlib.suppress(OSError):
                self._folder.rmdir()
            raise
        self.processors = self._link.processors

    def __enter__(self) -> "ClusterJobs":
        return self

    def __exit__(self, *_: Any) -> None:
        with contextlib.suppress(OSError):
            self._link.send(None)
        self._link.close()
        if not self._keep:
            shutil.rmtree(self._folder, ignore_errors=True)

    def map(
        self,
        function: Callable[[Common, Job], Result],
        common: Common,
        jobs: Sequence[Job],
        done: Callable[[int], None] = lambda count: None,
    ) -> list[Result]:
        """Results of `function(common, job)` for all jobs, in their order.

        Args:
            common: what all jobs share; sent to each node once. Functions and classes in it may be of any kind.
            done: receives the number of jobs that are done, now and then.

        Raises:
            InputError: a job raised one, or the cluster was lost.
        """
        results: dict[int, Any] = {}
        try:
            self._link.send((cloudpickle.dumps(function), cloudpickle.dumps(common), list(jobs)))
            while len(results) < len(jobs):
                done(len(results))
                for message in self._link.receive(0.5):
                    if isinstance(message, BaseException):
                        raise message
                    index, result = message
                    results[index] = result
        except (LinkLostError, OSError) as error:
            self._keep = True
            raise InputError(f"--cluster {self._link.settings.address}: {error}") from error
        return [results[index] for index in range(len(jobs))]


def do_jobs(settings: ClusterSettings, pipe: Connection, parent: int) -> None:
    """What the child does: takes (function, common, jobs), sends (index, result) or an exception; ends on None."""
    apart(settings.log, parent)

    def work() -> None:
        while (request := pipe.recv()) is not None:
            _map(pipe, *request)

    connecting(settings, pipe, work)


def _map(pipe: Connection, function: bytes, common: bytes, jobs: Sequence[Any]) -> None:
    import ray

    shared = ray.put((function, common))
    task = ray.remote(_do).options(num_cpus=1, max_retries=ATTEMPTS)
    numbers = itertools.count()
    waiting = {task.remote(shared, job): next(numbers) for job in jobs}
    while waiting:
        # A request or the end cuts this short: the parent was interrupted.
        if pipe.poll(0):
            for ticket in waiting:
                ray.cancel(ticket, force=True)
            return
        ready, _ = ray.wait(list(waiting), num_returns=1, timeout=0.5)
        for ticket in ready:
            index = waiting.pop(ticket)
            try:
                pipe.send((index, ray.get(ticket)))
            except ray.exceptions.RayTaskError as error:
                cause = error.cause
                pipe.send(cause if isinstance(cause, InputError) else InputError(f"a node of the cluster: {cause!r}"))
                return
            except ray.exceptions.RayError as error:
                pipe.send(InputError(f"a node of the cluster: {' '.join(str(error).split())}"))
                return


def _do(shared: tuple[bytes, bytes], job: Any) -> Any:
    import torch

    torch.set_num_threads(1)
    function, common = (cloudpickle.loads(part) for part in shared)
    return function(common, job)
