"""The options of a training on several machines."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path

from agents.cluster.settings import LOCAL, MOST_GPUS, MOST_WORKERS, ClusterSettings, check_address
from agents.config import check_range
from maze_gen.errors import InputError
from maze_gen.help_page import option_field

LOG = "ray.log"
"""The file in a run's folder that takes what Ray prints."""


@dataclass(frozen=True)
class ClusterOptions:
    """Where workers run, and how their nodes exchange what they learn.

    Attributes:
        cluster: the Ray cluster whose processors are used: local (started on this machine, for this command alone), HOST:PORT of
            a cluster's head, or auto (the cluster that this machine belongs to).
        exchange_seconds: on a cluster, time between two exchanges of a node with the others.
        in_flight: on a cluster, a node's change is added whole where the others made up to so many updates since it heard of
            them, and with less weight where they made more.
        cluster_patience: on a cluster, seconds that a training without any node waits for one before it ends.
    """

    cluster: str | None = option_field(None, shown="no cluster", group="On several machines")
    exchange_seconds: float = 1.0
    in_flight: int = 32
    cluster_patience: float = 600.0

    def check(self, serial: bool) -> None:
        """Raises InputError where the options make no sense, alone or with the others."""
        if self.cluster is None:
            for field in fields(self):
                if getattr(self, field.name) != field.default:
                    option = f"--{field.name.replace('_', '-')}"
                    raise InputError(f"{option} {getattr(self, field.name)} is for --cluster: give one, or leave the option out")
            return
        check_address(self.cluster)
        if serial:
            raise InputError(
                f"--serial and --cluster {self.cluster} exclude each other: workers on nodes have processes or streams"
            )
        self.settings(Path(), 1)

    def workers(self, workers: int | None, device: str) -> int:
        """At most how many workers a training has: as many as the option says, else as many as there are processors; on GPUs, as
        many streams of each as the option says, else one.

        Raises:
            InputError: the option asks for fewer than one.
        """
        if workers is not None:
            check_range("--workers", workers, 1, MOST_WORKERS // MOST_GPUS if device == "cuda" else MOST_WORKERS, whole=True)
        if device == "cuda":
            return MOST_GPUS * self.streams(workers, device)
        if workers is not None:
            return workers
        return len(os.sched_getaffinity(0)) if self.cluster == LOCAL else MOST_WORKERS

    def streams(self, workers: int | None, device: str) -> int:
        """Workers of each GPU: as many as the option says, else one; 0 where workers are processes."""
        return (workers or 1) if device == "cuda" else 0

    def settings(self, folder: Path, workers: int, streams: int = 0) -> ClusterSettings | None:
        """For a training of at most so many workers in `folder`, `streams` of them on each GPU; None without a cluster.

        Raises:
            InputError: a value makes no sense.
        """
        if self.cluster is None:
            return None
        processors = len(os.sched_getaffinity(0)) if streams else workers
        return ClusterSettings(
            self.cluster, self.exchange_seconds, self.in_flight, self.cluster_patience, folder / LOG, processors, streams
        )
