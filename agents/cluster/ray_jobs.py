"""Jobs as tasks of Ray. Only the process that talks to the cluster imports this."""

import itertools
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

import cloudpickle
import ray
import torch
from ray.exceptions import RayError, RayTaskError

from maze_gen.errors import InputError

ATTEMPTS = 3
"""Times that a job whose node is lost is begun again."""


def do_all(pipe: Connection, function: bytes, common: bytes, jobs: Sequence[Any]) -> None:
    """Does `function(common, job)` for all jobs; sends (index, result) as they come, or the error of one, which ends it."""
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
            except RayTaskError as error:
                cause = error.cause
                pipe.send(cause if isinstance(cause, InputError) else InputError(f"a node of the cluster: {cause!r}"))
                return
            except RayError as error:
                pipe.send(InputError(f"a node of the cluster: {' '.join(str(error).split())}"))
                return


def _do(shared: tuple[bytes, bytes], job: Any) -> Any:
    torch.set_num_threads(1)
    function, common = (cloudpickle.loads(part) for part in shared)
    return function(common, job)
