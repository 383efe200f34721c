"""The simulator's own process: plays one episode of DeepMind Lab by requests of its parent.

It runs as a script, so that it imports only what it needs. A process has one `Lab` object that plays one episode: a second
`reset` of the same object is not repeatable, its first observation is stale, and many resets may abort the process.
"""

import contextlib
import importlib
import json
import mmap
import os
import shutil
import socket
import struct
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_PROPERTY_BYTES = 1 << 17
REQUEST = struct.Struct("<4i")
"""A step: pixels to look to the right, strafe, move, and the number of frames."""
LENGTH = struct.Struct("<I")
"""The length in bytes of the episode's description, which follows."""
READY, STEPPED = b"r", b"s"
"""The process's replies: the episode has started; a step is finished."""

SCORES = (1, 2, 10)
"""The level's scores of an apple, a strawberry and the goal; the adapter replaces them by the task's rewards."""


class Shared:
    """Shared memory that the simulator's process writes and its parent reads; anonymous, and freed with its last user.

    Attributes:
        rgbd: [size, size, 4] uint8, the last picture and its depth bytes.
        pose: [3, 3] float64, the episode's three observations after the last frame: position in units; pitch, yaw and roll in
            degrees; velocity in units/s.
        given: [3] int32, apples, strawberries and goals scored in the last step.
        goal_frame: [1] int32, the frame of the last step, from 0, in which the goal was scored last; -1 for none.
        frames: [1] int32, frames of the last step.
        running: [1] int32, whether the episode continues.
        property: [MAX_PROPERTY_BYTES] uint8, the value of the episode's property, ASCII; its length is `property_length`.
    """

    def __init__(self, size: int, descriptor: int | None = None) -> None:
        self.descriptor = os.memfd_create("observations") if descriptor is None else descriptor
        fields: tuple[tuple[str, tuple[int, ...], Any], ...] = (
            ("pose", (3, 3), np.float64),
            ("given", (3,), np.int32),
            ("goal_frame", (1,), np.int32),
            ("frames", (1,), np.int32),
            ("running", (1,), np.int32),
            ("property_length", (1,), np.int32),
            ("property", (MAX_PROPERTY_BYTES,), np.uint8),
            ("rgbd", (size, size, 4), np.uint8),
        )
        total = sum(int(np.prod(shape)) * np.dtype(dtype).itemsize for _, shape, dtype in fields)
        if descriptor is None:
            os.ftruncate(self.descriptor, total)
        self._memory = mmap.mmap(self.descriptor, total)
        self.rgbd: npt.NDArray[np.uint8]
        self.pose: npt.NDArray[np.float64]
        self.given: npt.NDArray[np.int32]
        self.goal_frame: npt.NDArray[np.int32]
        self.frames: npt.NDArray[np.int32]
        self.running: npt.NDArray[np.int32]
        self.property_length: npt.NDArray[np.int32]
        self.property: npt.NDArray[np.uint8]
        offset = 0
        for name, shape, dtype in fields:
            array = np.ndarray(shape, dtype, self._memory, offset)
            offset += array.nbytes
            setattr(self, name, array)

    def property_text(self) -> str:
        """The value of the episode's property."""
        return self.property[: self.property_length[0]].tobytes().decode()

    def close(self) -> None:
        """Closes the memory's descriptor."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class MapCache:
    """Compiled maps in a folder, one file each; DeepMind Lab calls it as its level cache."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def fetch(self, key: str, pk3_path: str) -> bool:
        """Copies a map to `pk3_path`; returns whether the cache holds it."""
        try:
            shutil.copyfile(os.path.join(self._folder, key + ".pk3"), pk3_path)
        except OSError:
            return False
        return True

    def write(self, key: str, pk3_path: str) -> None:
        """Stores a map, whole or not at all; where the folder cannot be written, the map is compiled again next time."""
        with contextlib.suppress(OSError):
            os.makedirs(self._folder, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as copy, open(pk3_path, "rb") as source:
                try:
                    shutil.copyfileobj(source, copy)
                    copy.flush()
                    os.fsync(copy.fileno())
                    os.replace(copy.name, os.path.join(self._folder, key + ".pk3"))
                except OSError:
                    os.unlink(copy.name)


def requests(channel: socket.socket) -> Iterator[tuple[int, int, int, int]]:
    """The requested steps, until the parent closes the channel."""
    while len(message := channel.recv(REQUEST.size, socket.MSG_WAITALL)) == REQUEST.size:
        yield REQUEST.unpack(message)


def play(channel: socket.socket, shared: Shared, episode: dict[str, Any]) -> None:
    """Plays an episode, see `env.lab.simulator.Episode`."""
    # Few machines have it: a plain import would be an error to static checkers.
    deepmind_lab = importlib.import_module("deepmind_lab")
    names = episode["observations"]
    lab = deepmind_lab.Lab(
        episode["level"],
        ["RGBD_INTERLEAVED", *names],
        config=episode["settings"],
        renderer="software",
        level_cache=MapCache(episode["cache"]),
        temp_folder=episode["folder"],
    )
    lab.reset(seed=episode["seed"])

    def observe() -> None:
        seen = lab.observations()
        shared.rgbd[:] = seen["RGBD_INTERLEAVED"]
        for row, name in enumerate(names):
            shared.pose[row] = seen[name]
        if episode["property"]:
            value = lab.read_property(episode["property"]).encode()[:MAX_PROPERTY_BYTES]
            shared.property[: len(value)] = np.frombuffer(value, dtype=np.uint8)
            shared.property_length[0] = len(value)

    observe()
    shared.running[0] = 1
    channel.sendall(READY)
    action = np.zeros(7, dtype=np.intc)
    for look, strafe, move, frames in requests(channel):
        action[0], action[2], action[3] = look, strafe, move
        shared.given[:] = 0
        shared.goal_frame[0] = -1
        shared.frames[0] = 0
        # Frame by frame: the sum of a step's scores does not identify the items.
        for _ in range(frames):
            score = lab.step(action, num_steps=1)
            if score in SCORES:
                shared.given[SCORES.index(score)] += 1
                if score == SCORES[-1]:
                    shared.goal_frame[0] = shared.frames[0]
            shared.frames[0] += 1
            if not lab.is_running():
                shared.running[0] = 0
                break
        # An episode that has ended has no further observation: the last picture stays.
        if shared.running[0]:
            observe()
        channel.sendall(STEPPED)
    lab.close()


def main() -> None:
    channel = socket.socket(fileno=int(sys.argv[1]))
    (length,) = LENGTH.unpack(channel.recv(LENGTH.size, socket.MSG_WAITALL))
    episode = json.loads(channel.recv(length, socket.MSG_WAITALL))
    shared = Shared(episode["size"], int(sys.argv[2]))
    try:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            play(channel, shared, episode)
    finally:
        # The parent removes it too, unless it was killed.
        shutil.rmtree(episode["folder"], ignore_errors=True)


if __name__ == "__main__":
    main()
