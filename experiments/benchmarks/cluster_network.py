"""Hosts with a network card and a cable each: Linux network namespaces on one switch. Only root can make them."""

import contextlib
import itertools
import os
import shutil
import subprocess

_NUMBERS = itertools.count()


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


class Network:
    """A switch, to which hosts are plugged in.

    Raises:
        OSError, CalledProcessError: this user or this machine can't make namespaces.
    """

    def __init__(self) -> None:
        self._prefix = f"knossos{os.getpid()}-{next(_NUMBERS)}"
        self._switch = f"{self._prefix}-switch"
        self.hosts: list[str] = []
        ip("netns", "add", self._switch)
        try:
            ip("-n", self._switch, "link", "add", "bridge", "type", "bridge")
            ip("-n", self._switch, "link", "set", "bridge", "up")
        except BaseException:
            self.close()
            raise

    def plug_in(self) -> tuple[list[str], str]:
        """Another host: (what stands before a command that runs on it, its address)."""
        number = len(self.hosts) + 1
        name, port, address = f"{self._prefix}-{number}", f"port{number}", f"10.77.0.{number}"
        ip("netns", "add", name)
        self.hosts.append(name)
        ip("link", "add", "eth0", "netns", name, "type", "veth", "peer", "name", port, "netns", self._switch)
        ip("-n", self._switch, "link", "set", port, "master", "bridge", "up")
        ip("-n", name, "address", "add", f"{address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            ip("-n", name, "link", "set", device, "up")
        return ["ip", "netns", "exec", name], address

    def cut(self, address: str) -> None:
        """Pulls a host's cable out of the switch."""
        ip("-n", self._switch, "link", "set", f"port{address.rpartition('.')[2]}", "down")

    def close(self) -> None:
        for name in [*self.hosts, self._switch]:
            with contextlib.suppress(subprocess.CalledProcessError):
                ip("netns", "delete", name)


def make_network() -> Network | None:
    """A network, where this user can make one."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return None
    try:
        return Network()
    except (OSError, subprocess.CalledProcessError):
        return None
