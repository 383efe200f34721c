"""Event files of TensorBoard, written record by record: each is in the file whole, or not at all.

`torch.utils.tensorboard.SummaryWriter` writes in a thread of its own, which a full disk ends for good, with a traceback.
"""

import errno
import itertools
import os
import socket
import struct
import time
from pathlib import Path
from typing import IO, Any

from tensorboard.compat.proto import event_pb2
from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[attr-defined]  (made at run time)
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

_events: Any = event_pb2
"""Its members are made at run time."""
_numbers = itertools.count()


def append_whole(file: IO[bytes], content: bytes) -> None:
    """Appends to an unbuffered file, which stays as it was where not all of it can be written.

    Raises:
        OSError: the disk is full.
    """
    end = file.seek(0, os.SEEK_END)
    try:
        if file.write(content) < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), file.name)
    except OSError:
        file.truncate(end)
        raise


class EventFile:
    """A file of a TensorBoard run, opened with its first record, and anew where someone removed it.

    Args:
        folder: of the run.
        purge_step: of a session that goes on with the files of others: points from this step on, of earlier files, are hidden.
            The first session says 0: TensorBoard takes the first mark of a session for no restart.

    Raises:
        OSError: the folder can't be made, or the file can't be written.
    """

    def __init__(self, folder: Path, purge_step: int | None = None) -> None:
        self.folder = folder
        self._purge_step = purge_step
        self._file: IO[bytes] | None = None
        self._open()

    def add(self, summary: Summary, step: int = 0) -> None:
        """Appends a summary.

        Raises:
            OSError: it can't be written; the file is as it was, and the next call tries again.
        """
        append_whole(self._open(), _record(_events.Event(summary=summary, wall_time=time.time(), step=step)))

    def close(self) -> None:
        """Called twice it does nothing."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> IO[bytes]:
        if self._file is not None and os.fstat(self._file.fileno()).st_nlink:
            return self._file
        self.close()
        self.folder.mkdir(parents=True, exist_ok=True)
        now, log = time.time(), _events.SessionLog
        # TensorBoard reads the files of a folder in the order of their names.
        name = f"events.out.tfevents.{int(now):010d}.{socket.gethostname()}.{os.getpid()}.{next(_numbers)}"
        file = (self.folder / name).open("xb", buffering=0)
        first = [_events.Event(wall_time=now, file_version="brain.Event:2")]
        if self._purge_step is not None:
            start = log(status=log.START)
            first.append(_events.Event(wall_time=now, step=self._purge_step, session_log=start))
        try:
            append_whole(file, b"".join(map(_record, first)))
        except OSError:
            file.close()
            raise
        self._file = file
        return file


def _record(event: Any) -> bytes:
    """Length, its checksum, the event, its checksum."""
    content = event.SerializeToString()
    length = struct.pack("<Q", len(content))
    return length + struct.pack("<I", masked_crc32c(length)) + content + struct.pack("<I", masked_crc32c(content))
