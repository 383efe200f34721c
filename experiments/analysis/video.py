"""Films as files, written by OpenCV: VP9 in .mp4, VP8 in .webm, and animated GIF.

Browsers play all three. OpenCV's wheels have no encoder for H.264, and browsers refuse MPEG-4 part 2. OpenCV has VP8 and VP9
encoded at their best quality, whatever that takes; VP8 takes a quarter of VP9's time, but isn't allowed in .mp4.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
import numpy.typing as npt

from maze_gen.errors import InputError
from maze_gen.files import write_whole
from maze_gen.raster import Pixels

SUFFIXES = (".mp4", ".webm", ".gif")

_CODECS = {".mp4": "vp09", ".webm": "VP80"}
_HUNDREDTHS = 100
"""Of a second: the steps in which GIF counts time."""
_NO_DITHER = 3
"""Gives every pixel its own nearest colour. With dithering, OpenCV's default, files are twice as large and grainy."""


class FilmWriter:
    """Writes a film into a file, frame by frame, under a temporary name until it is whole.

    As a context manager it closes the film, and discards it where an exception other than KeyboardInterrupt leaves the block.

    Args:
        path: a name that ends in .mp4, .webm or .gif.
        rate: frames a second.

    Raises:
        InputError: another ending, or a place that can't be written.
    """

    def __init__(self, path: Path, rate: float) -> None:
        if path.suffix not in SUFFIXES:
            raise InputError(f"{path}: expected a name that ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
        self.path, self.rate = path, rate
        self.frames = 0
        self._size: tuple[int, int] | None = None
        self._kept: list[Pixels] = []
        self._video: cv2.VideoWriter | None = None
        try:
            # FFmpeg chooses the container by the ending.
            descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=f".part{path.suffix}")
            os.close(descriptor)
        except OSError as error:
            raise InputError(f"cannot write {path}: {error.strerror or error}") from error
        self._part = Path(part)

    def write(self, frame: Pixels) -> None:
        """Appends a frame, [height, width, 3] uint8, red, green, blue; all frames have the size of the first.

        An odd height or width is made even by repeating the last row or column, for the codecs store colours in
        squares of four pixels.

        Raises:
            InputError: a frame of another size, or the encoder can't be started.
        """
        height, width = frame.shape[:2]
        if self._size is None:
            self._size = (height, width)
        if (height, width) != self._size:
            raise InputError(
                f"{self.path}: frame {self.frames} has {width}x{height} pixels: expected {self._size[1]}x{self._size[0]}"
            )
        self.frames += 1
        if self.path.suffix == ".gif":
            self._kept.append(frame)
            return
        if self._video is None:
            self._video = self._open(width + width % 2, height + height % 2)
        even = cv2.copyMakeBorder(frame, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        self._video.write(cv2.cvtColor(even, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        """Finishes the film and gives it its name. Without a frame there is no file.

        Raises:
            InputError: the film can't be written whole.
        """
        try:
            if self._kept:
                write_whole(self.path, gif(self._kept, self.rate))
            elif self._video is not None:
                self._video.release()
                # OpenCV reports no error of writing, such as a full disk.
                if _frames_in(self._part) != self.frames:
                    raise InputError(f"cannot write {self.path}: the film is incomplete; is the disk full?")
                mask = os.umask(0)
                os.umask(mask)
                self._part.chmod(0o666 & ~mask)
                self._part.replace(self.path)
        except OSError as error:
            raise InputError(f"cannot write {self.path}: {error.strerror or error}") from error
        finally:
            self.discard()

    def discard(self) -> None:
        """Leaves the film as it is, without a file; an older file of that name stays."""
        if self._video is not None:
            self._video.release()
            self._video = None
        self._kept.clear()
        self._part.unlink(missing_ok=True)

    def __enter__(self) -> "FilmWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if kind is None or issubclass(kind, KeyboardInterrupt):
            self.close()
        else:
            self.discard()

    def _open(self, width: int, height: int) -> cv2.VideoWriter:
        codec = cv2.VideoWriter.fourcc(*_CODECS[self.path.suffix])
        with _silent_stderr():
            video = cv2.VideoWriter(str(self._part), cv2.CAP_FFMPEG, codec, self.rate, (width, height))
        if not video.isOpened():
            raise InputError(
                f"cannot write {self.path}: OpenCV can't encode a film of {width}x{height} pixels, {self.rate:g} frames a second"
            )
        return video


def webm(frames: Sequence[Pixels] | npt.NDArray[np.uint8], rate: float) -> bytes:
    """The content of a .webm file.

    Args:
        frames: T pictures of one size, at least one; each is asked for once.
        rate: frames a second.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.webm"
        with FilmWriter(path, rate) as film:
            for index in range(len(frames)):
                film.write(frames[index])
        return path.read_bytes()


def gif(frames: Sequence[Pixels] | npt.NDArray[np.uint8], rate: float, thin: int = 1) -> bytes:
    """The content of an animated GIF file that repeats without end.

    Args:
        frames: T pictures of one size, at least one.
        rate: frames a second. GIF counts hundredths of a second: a frame may last one more or less, the film lasts as long.
        thin: keeps every `thin`-th frame; the film lasts as long.
    """
    chosen = range(0, len(frames), thin)
    ends = np.round(np.arange(1, len(chosen) + 1) * thin / rate * _HUNDREDTHS).astype(np.int32)
    film = cv2.Animation(loopCount=0)
    film.frames = [cv2.cvtColor(frames[index], cv2.COLOR_RGB2BGR) for index in chosen]
    film.durations = (np.diff(ends, prepend=0) * (1000 // _HUNDREDTHS)).tolist()
    _, content = cv2.imencodeanimation(".gif", film, (cv2.IMWRITE_GIF_DITHER, _NO_DITHER))
    return content.tobytes()


def _frames_in(path: Path) -> int:
    """Number of frames in a film, -1 where it can't be read."""
    with _silent_stderr():
        film = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        count = 0
        while film.grab():
            count += 1
    return count if film.isOpened() else -1


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Discards what FFmpeg prints: remarks on tags that are of no consequence, and reasons that an InputError gives better."""
    saved = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nothing)
