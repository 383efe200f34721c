"""Work that falls into independent jobs, done by all processors of a cluster; a job whose node is lost is done elsewhere."""

import contextlib
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

Common = TypeVar("Common")
Job = TypeVar("Job")
Result = TypeVar("Result")


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
        except InputError as error:
            if str(self._folder) not in str(error):
                shutil.rmtree(self._folder, ignore_errors=True)
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
        from agents.cluster.ray_jobs import do_all

        while (request := pipe.recv()) is not None:
            do_all(pipe, *request)

    connecting(settings, pipe, work)
