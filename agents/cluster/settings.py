"""Which cluster a training runs on, and how its nodes exchange what they learn."""

import re
from dataclasses import dataclass
from pathlib import Path

from agents.config import check_range
from maze_gen.errors import InputError

LOCAL, AUTO = "local", "auto"
MOST_WORKERS, MOST_GPUS = 4096, 256
MOST_EXCHANGE_SECONDS = 5.0
"""A training that is stopped waits for the exchanges that are under way."""


@dataclass(frozen=True)
class ClusterSettings:
    """Where nodes run, and how often they exchange what they learn.

    Attributes:
        address: `local` (a cluster of this machine alone, for this training), HOST:PORT of a cluster's head, or `auto` (the
            cluster that this machine belongs to).
        exchange_seconds: between two exchanges of a node.
        in_flight: updates in flight up to which a change is added whole (`agents.cluster.exchange.weight_of`).
        patience: seconds that a training without any node waits for one.
        log: the file that takes what Ray prints.
        processors: of a local cluster.
        streams: workers of each GPU of the cluster; 0 for workers that are processes on its processors.
    """

    address: str
    exchange_seconds: float = 1.0
    in_flight: int = 32
    patience: float = 600.0
    log: Path = Path("ray.log")
    processors: int = 1
    streams: int = 0

    def __post_init__(self) -> None:
        """Raises InputError where a value makes no sense."""
        check_address(self.address)
        check_range("--exchange-seconds", self.exchange_seconds, 0.05, MOST_EXCHANGE_SECONDS)
        check_range("--in-flight", self.in_flight, 1, 10**6, whole=True)
        check_range("--cluster-patience", self.patience, 0, 1e7)

    @property
    def unit(self) -> str:
        """What workers need, in a sentence."""
        return "GPU" if self.streams else "processor"

    @property
    def local(self) -> bool:
        return self.address == LOCAL


def check_address(address: str) -> None:
    """Raises InputError where `address` is neither of the names nor a host with a port."""
    if address in (LOCAL, AUTO):
        return
    found = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})", address)
    if not found or not 0 < int(found[2]) < 65536:
        raise InputError(f"--cluster {address}: expected {LOCAL}, {AUTO} or HOST:PORT, as 10.0.0.1:6379")
