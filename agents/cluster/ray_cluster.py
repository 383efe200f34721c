"""Connects to a cluster by Ray, or starts one on this machine. Only the process that talks to the cluster imports this."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import ray
from ray.core.generated import gcs_service_pb2

from agents.cluster.settings import LOCAL
from maze_gen.errors import InputError

ROOT = Path(__file__).parents[2]
PACKAGES = ("maze_gen", "env", "auxiliary", "agents", "experiments")
LEFT_OUT = ["/experiments/pretrained", "__pycache__"]
"""What nodes don't need of the packages, as patterns of a .gitignore."""
CHECK_ALIVE = "/ray.rpc.NodeInfoGcsService/CheckAlive"
ANSWER_SECONDS = 5.0
TOKEN_PLACES = "RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token"
INSECURE = (
    "the cluster at {address} has no token authentication: whoever reaches its ports can run commands on all of its nodes "
    "(CVE-2023-48022); start it with RAY_AUTH_MODE=token, in a network of its own"
)


@contextmanager
def connected(address: str, processors: int) -> Iterator[list[str]]:
    """A connection to a cluster for as long as the block lasts; yields notes for a person.

    A local cluster has a token, a folder for temporary files and a life of its own: nobody else joins it, and it joins nobody.

    Args:
        address: `local`, or HOST:PORT of the head.
        processors: of a local cluster.

    Raises:
        InputError: no cluster answers there, it wants another token, or it is of another version.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if address == LOCAL:
        with _started(processors):
            yield []
        return
    notes = _authenticate(address)
    try:
        ray.init(address=address, runtime_env=_code(), log_to_driver=True)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise InputError(f"--cluster {address}: {_told(error)}") from error
    try:
        yield notes
    finally:
        ray.shutdown()


@contextmanager
def _started(processors: int) -> Iterator[None]:
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    # Nodes of this machine find the packages where this process has them.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    folder = tempfile.mkdtemp(prefix="knossos-ray-")
    try:
        ray.init(
            address="local",
            num_cpus=processors,
            include_dashboard=False,
            log_to_driver=True,
            _temp_dir=folder,
            _node_ip_address="127.0.0.1",
        )
        yield
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def available() -> dict[str, int]:
    """Free processors by the id of their node."""
    free = ray._private.state.available_resources_per_node()
    return {node: int(resources.get("CPU", 0)) for node, resources in free.items()}


def free_processors() -> int:
    """Of all nodes."""
    return sum(available().values())


def _code() -> dict[str, Any]:
    """This version of the packages, for nodes that have another one or none."""
    return {"py_modules": [str(ROOT / package) for package in PACKAGES], "excludes": LEFT_OUT}


def _authenticate(address: str) -> list[str]:
    """Chooses Ray's authentication mode by what the cluster wants; a note where it wants nothing.

    Raises:
        InputError: it wants a token that we don't have, or it is no cluster.
    """
    if _admits(address, secrets.token_hex(32)):
        # A client that sends no token to a cluster that wants none: other modes wait for each other.
        os.environ["RAY_AUTH_MODE"] = "disabled"
        return [INSECURE.format(address=address)]
    token = _token()
    if token is None:
        raise InputError(f"--cluster {address}: it wants a token, and this machine has none in {TOKEN_PLACES}")
    if not _admits(address, token):
        raise InputError(f"--cluster {address}: it refuses this machine's token, from {TOKEN_PLACES}")
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
    return []


def _token() -> str | None:
    """The token that this machine has, in Ray's order."""
    if given := os.environ.get("RAY_AUTH_TOKEN"):
        return given.strip()
    place = os.environ.get("RAY_AUTH_TOKEN_PATH")
    try:
        return (Path(place) if place else Path.home() / ".ray" / "auth_token").read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _admits(address: str, token: str) -> bool:
    """Whether the cluster answers somebody with this token.

    Raises:
        InputError: it doesn't answer as Ray does.
    """
    with grpc.insecure_channel(address) as channel:
        ask = channel.unary_unary(
            CHECK_ALIVE,
            request_serializer=gcs_service_pb2.CheckAliveRequest.SerializeToString,  # type: ignore[attr-defined]
            response_deserializer=gcs_service_pb2.CheckAliveReply.FromString,  # type: ignore[attr-defined]
        )
        try:
            ask(
                gcs_service_pb2.CheckAliveRequest(),  # type: ignore[attr-defined]
                timeout=ANSWER_SECONDS,
                metadata=[("authorization", f"Bearer {token}")],
            )
        except grpc.RpcError as error:
            code = error.code() if isinstance(error, grpc.Call) else None
            if code == grpc.StatusCode.UNAUTHENTICATED:
                return False
            raise InputError(
                f"--cluster {address}: what listens there doesn't answer as the head of a Ray cluster does ({code})"
            ) from error
    return True


def _told(error: Exception) -> str:
    """An error of Ray in one line."""
    return " ".join(str(error).split())
