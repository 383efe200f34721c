"""The cluster on which a command plays its episodes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agents.cluster.settings import check_address
from maze_gen.errors import InputError

if TYPE_CHECKING:
    from agents.cluster.jobs import ClusterJobs


@contextmanager
def episodes_on(cluster: str | None, device: str, threads: int | None) -> Iterator[ClusterJobs | None]:
    """A connection to the cluster for as long as the block lasts; None where no cluster is named.

    Args:
        cluster: local, auto or HOST:PORT.
        threads: processors of a local cluster; all of this machine where None.

    Raises:
        InputError: the cluster can't be used, or the episodes are to be played on a GPU.
    """
    if cluster is None:
        yield None
        return
    from agents.cluster.jobs import ClusterJobs
    from experiments.analysis.threads import default_threads

    check_address(cluster)
    if device != "cpu":
        raise InputError(f"--device {device} and --cluster {cluster} exclude each other: nodes play on CPUs")
    with ClusterJobs(cluster, threads or default_threads()) as jobs:
        yield jobs
