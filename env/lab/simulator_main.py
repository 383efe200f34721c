"""The simulator's own process: plays one episode of DeepMind Lab, as the process that started it says.

It is run as a file of its own, so that it imports nothing but what it needs. One object a process, and one episode an object: a
second `reset` of the same object isn't repeatable, its first observation is stale, and many resets may abort the process.
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

MAX_NOTE = 1 << 17
REQUEST = struct.Struct("<4i")
"""A step: pixels to look to the right, strafe, move, and for how many frames."""
LENGTH = struct.Struct("<I")
"""Before the order, its length in bytes."""
READY, STEPPED = b"r", b"s"
"""What the process answers when the episode has started, and after every step."""

SCORES = (1, 2, 10)
"""What the level gives for an apple, a strawberry and the goal; the rewards of the task are the adapter's matter."""


class Shared:
    """What the simulator's process writes and its parent reads; one block of memory without a name, gone with its last user.

    Attributes:
        rgbd: [size, size, 4] uint8, the last picture and its depth bytes.
        pose: [3, 3] float64, after the last frame what the order's observations name: position in units; pitch, yaw and roll
            in degrees; velocity in units/s.
        given: [3] int32, apples, strawberries and goals whose score came in the last step.
        goal_frame: [1] int32, the frame of the last step, from 0, in which the goal's score came last; -1 for none.
        frames: [1] int32, frames that the last step lasted.
        running: [1] int32, whether the episode goes on.
        note: what the order's property says, ASCII; its length in `note_length`.
    """

    def __init__(self, size: int, descriptor: int | None = None) -> None:
        self.descriptor = os.memfd_create("observations") if descriptor is None else descriptor
        fields: tuple[tuple[str, tuple[int, ...], Any], ...] = (
            ("pose", (3, 3), np.float64),
            ("given", (3,), np.int32),
            ("goal_frame", (1,), np.int32),
            ("frames", (1,), np.int32),
            ("running", (1,), np.int32),
            ("note_length", (1,), np.int32),
            ("note", (MAX_NOTE,), np.uint8),
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
        self.note_length: npt.NDArray[np.int32]
        self.note: npt.NDArray[np.uint8]
        offset = 0
        for name, shape, dtype in fields:
            array = np.ndarray(shape, dtype, self._memory, offset)
            offset += array.nbytes
            setattr(self, name, array)

    def text(self) -> str:
        """The note."""
        return self.note[: self.note_length[0]].tobytes().decode()

    def close(self) -> None:
        """Gives the block back."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class MapCache:
    """Compiled maps in a folder, a file each; DeepMind Lab's own interface for such a cache."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def fetch(self, key: str, pk3_path: str) -> bool:
        """Copies a map to where the simulator wants it; whether there is one."""
        try:
            shutil.copyfile(os.path.join(self._folder, key + ".pk3"), pk3_path)
        except OSError:
            return False
        return True

    def write(self, key: str, pk3_path: str) -> None:
        """Keeps a map, whole or not at all; where the folder can't be written, it will be compiled again."""
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
    """The steps that are asked for, until the other end closes."""
    while len(message := channel.recv(REQUEST.size, socket.MSG_WAITALL)) == REQUEST.size:
        yield REQUEST.unpack(message)


def play(channel: socket.socket, shared: Shared, order: dict[str, Any]) -> None:
    """Plays the episode that an order describes, see `env.lab.simulator.Episode`."""
    # It is installed in few places, so that neither people's tools nor this process before need it.
    deepmind_lab = importlib.import_module("deepmind_lab")
    names = order["observations"]
    lab = deepmind_lab.Lab(
        order["level"],
        ["RGBD_INTERLEAVED", *names],
        config=order["settings"],
        renderer="software",
        level_cache=MapCache(order["cache"]),
        temp_folder=order["folder"],
    )
    lab.reset(seed=order["seed"])

    def observe() -> None:
        seen = lab.observations()
        shared.rgbd[:] = seen["RGBD_INTERLEAVED"]
        for row, name in enumerate(names):
            shared.pose[row] = seen[name]
        if order["property"]:
            note = lab.read_property(order["property"]).encode()[:MAX_NOTE]
            shared.note[: len(note)] = np.frombuffer(note, dtype=np.uint8)
            shared.note_length[0] = len(note)

    observe()
    shared.running[0] = 1
    channel.sendall(READY)
    action = np.zeros(7, dtype=np.intc)
    for look, strafe, move, frames in requests(channel):
        action[0], action[2], action[3] = look, strafe, move
        shared.given[:] = 0
        shared.goal_frame[0] = -1
        shared.frames[0] = 0
        # Frame by frame: the sum of a step's scores wouldn't say what they were for.
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
        # After its end an episode has nothing more to see: the last picture stays.
        if shared.running[0]:
            observe()
        channel.sendall(STEPPED)
    lab.close()


def main() -> None:
    channel = socket.socket(fileno=int(sys.argv[1]))
    (length,) = LENGTH.unpack(channel.recv(LENGTH.size, socket.MSG_WAITALL))
    order = json.loads(channel.recv(length, socket.MSG_WAITALL))
    shared = Shared(order["size"], int(sys.argv[2]))
    try:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            play(channel, shared, order)
    finally:
        # Where the parent was killed, nobody else would.
        shutil.rmtree(order["folder"], ignore_errors=True)


if __name__ == "__main__":
    main()
