"""A child process that talks to a cluster by Ray, as its parent sees it, and how it begins.

It is a child because Ray, where the cluster's head dies, ends the process that is connected to it without running any more
Python: whoever trains or evaluates lives on.
"""

import dataclasses
import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from agents.cluster.address import check_installed, resolve
from agents.cluster.authentication import prepare
from agents.cluster.messages import Connected, Refused
from agents.cluster.settings import ClusterSettings
from agents.runtime.processes import end_with, started_like_workers
from maze_gen.errors import InputError, Note

CONNECT_SECONDS = 120.0
CLOSE_SECONDS = 15.0
"""How long Ray may take to end."""


class LinkLostError(Exception):
    """The child is gone, and Ray's connection with it; the message says where to look."""


class Link:
    """Starts the child and waits until it is connected.

    Args:
        target: what it runs: a function of (settings, pipe, parent's process id, *arguments) that calls `apart` first, then sends
            `Connected` or `Refused`.
        arguments: of the target, sent as to a worker of this machine.

    Raises:
        InputError: Ray isn't installed, or the cluster can't be used.
    """

    def __init__(self, settings: ClusterSettings, target: Callable[..., None], arguments: Sequence[Any] = ()) -> None:
        check_installed(settings.address)
        self.settings = dataclasses.replace(settings, address=resolve(settings.address))
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        given = (self.settings, theirs, os.getpid(), *arguments)
        self.process = context.Process(target=target, args=given, name="cluster", daemon=True)
        with started_like_workers():
            self.process.start()
        theirs.close()
        self.processors = self._connect()

    def receive(self, timeout: float) -> list[Any]:
        """All messages that are there, after at most `timeout` seconds without any.

        Raises:
            LinkLostError: there are none, and never will be.
        """
        wait([self.pipe, self.process.sentinel], timeout)
        messages: list[Any] = []
        try:
            while self.pipe.poll(0):
                messages.append(self.pipe.recv())
            gone = not messages and not self.process.is_alive() and not self.pipe.poll(0)
        except (EOFError, OSError):
            gone = not messages
        if gone:
            where, log = self.settings.address, self.settings.log
            raise LinkLostError(f"the Ray cluster at {where} was lost (what Ray says is in {log})")
        return messages

    def send(self, message: Any) -> None:
        """Sends the child a message.

        Raises:
            OSError: it is gone.
        """
        self.pipe.send(message)

    def close(self, wait_seconds: float = CLOSE_SECONDS) -> None:
        """Waits for the child to end, and ends it where it doesn't."""
        self.process.join(wait_seconds)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()

    def _connect(self) -> int:
        """Waits until the cluster answers; returns its free processors."""
        where, log = self.settings.address, self.settings.log
        try:
            messages = self.receive(CONNECT_SECONDS)
        except LinkLostError:
            messages = [Refused(f"--cluster {where}: Ray ended before it was connected (what it says is in {log})")]
        message = messages[0] if messages else None
        if isinstance(message, Connected):
            for note in message.notes:
                warnings.warn(note, Note, stacklevel=5)
            return message.processors
        self.close(CLOSE_SECONDS if message else 0)
        silent = f"--cluster {where}: no answer within {CONNECT_SECONDS:.0f} s (what Ray says is in {log})"
        raise InputError(message.reason if isinstance(message, Refused) else silent)


def apart(log: Path, parent: int) -> None:
    """Ends this process with its parent, keeps signals of the terminal from it, and sends all that it prints into a file."""
    end_with(parent)
    os.setsid()
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab", buffering=0) as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


def connecting(settings: ClusterSettings, pipe: Connection, work: Callable[[], None]) -> None:
    """Connects, reports that or the error to the parent, and does `work` on the cluster."""
    try:
        notes = prepare(settings.address)
        # Not before it is known where Ray's output goes, and which authentication it wants.
        from agents.cluster.ray_cluster import connected, free_places

        with connected(settings.address, settings.processors):
            free = free_places(gpus=settings.streams > 0)
            if not free:
                raise InputError(f"--cluster {settings.address}: no {settings.unit} of the cluster is free")
            pipe.send(Connected(free, notes))
            work()
    except InputError as error:
        pipe.send(Refused(" ".join(str(error).split())))
    except (BrokenPipeError, EOFError):
        return
