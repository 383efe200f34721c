"""Where a cluster is, found out before Ray is started: Ray itself waits for minutes for an address at which nobody answers."""

import importlib.util
import os
import socket
from pathlib import Path

from agents.cluster.settings import AUTO, LOCAL
from maze_gen.errors import InputError

PROBE_SECONDS = 4.0


def check_installed(address: str) -> None:
    """Raises InputError where Ray isn't installed; imports nothing."""
    if importlib.util.find_spec("ray") is None:
        raise InputError(f"--cluster {address}: Ray isn't installed: pip install -e '.[ray]', or pip install 'ray>=2.60,<3'")


def resolve(address: str) -> str:
    """`local`, or the HOST:PORT of the cluster's head, where something listens.

    Raises:
        InputError: this machine belongs to no cluster, or nobody listens there within `PROBE_SECONDS`.
    """
    if address == LOCAL:
        return address
    found = _own_cluster() if address == AUTO else address
    if found is None:
        raise InputError(
            f"--cluster {AUTO}: this machine belongs to no cluster, and RAY_ADDRESS isn't set: "
            "start one with ray start --head, or give HOST:PORT"
        )
    host, _, port = found.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), PROBE_SECONDS).close()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"--cluster {address}: nobody listens at {found} ({reason}): is the head started there (ray start --head), "
            "and does a firewall let its port through?"
        ) from error
    return found


def _own_cluster() -> str | None:
    """The head that `ray start` on this machine joined last, as Ray itself looks for it."""
    given = os.environ.get("RAY_ADDRESS")
    if given:
        return given
    place = Path(os.environ.get("RAY_TMPDIR", "/tmp")) / "ray" / "ray_current_cluster"
    try:
        return place.read_text(encoding="ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None
