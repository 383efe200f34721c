"""How this process and a cluster know each other. Ray reads its environment when it is imported, so all this comes before."""

import os
import secrets
from pathlib import Path

import grpc

from agents.cluster.settings import LOCAL
from maze_gen.errors import InputError

CHECK_ALIVE = "/ray.rpc.NodeInfoGcsService/CheckAlive"
ANSWER_SECONDS = 5.0
TOKEN_PLACES = "RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token"
INSECURE = (
    "the cluster at {address} has no token authentication: whoever reaches its ports can run commands on all of its nodes "
    "(CVE-2023-48022); start it with RAY_AUTH_MODE=token, in a network of its own"
)


def prepare(address: str) -> list[str]:
    """Chooses Ray's authentication mode in this process's environment: a new token of its own for a local cluster, and what the
    cluster wants for any other. Returns notes for a person.

    Args:
        address: `local`, or HOST:PORT of the head.

    Raises:
        InputError: the cluster wants a token that this machine doesn't have, or it is no cluster.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if address == LOCAL:
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        # Ray's own is 15, with which workers stand nearly still beside anything else that computes.
        os.environ.setdefault("RAY_worker_niceness", "0")
        return []
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
        # An empty request is an empty message.
        ask = channel.unary_unary(CHECK_ALIVE, request_serializer=bytes, response_deserializer=bytes)
        try:
            ask(b"", timeout=ANSWER_SECONDS, metadata=(("authorization", f"Bearer {token}"),))
        except grpc.RpcError as error:
            code = error.code() if isinstance(error, grpc.Call) else None
            if code == grpc.StatusCode.UNAUTHENTICATED:
                return False
            raise InputError(
                f"--cluster {address}: what listens there doesn't answer as the head of a Ray cluster does ({code})"
            ) from error
    return True
