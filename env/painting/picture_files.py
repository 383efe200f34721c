"""Pictures of files: PNG, JPEG and what else OpenCV reads."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from maze_gen.errors import InputError

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
MOST_PIXELS = 1 << 26


def read_folder(folder: Path, colour: bool) -> Iterator[tuple[bytes, npt.NDArray[np.uint8]]]:
    """The pictures of a folder, by name: what each file contains, and the picture.

    Raises:
        InputError: no such folder, one without pictures, or a file that is none.
    """
    if not folder.is_dir():
        raise InputError(f"pictures {str(folder)!r}: expected 'digits', 'characters', 'views', or a folder of pictures")
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)
    if not files:
        raise InputError(f"pictures {folder}: no file that ends in {', '.join(ENDINGS)}")
    for path in files:
        content = _read(path)
        yield content, decode_picture(content, str(path), colour)


def read_picture(path: Path, colour: bool) -> npt.NDArray[np.uint8]:
    """The picture of a file, [height, width, 3], red first, or [height, width, 1].

    Raises:
        InputError: it can't be read, or isn't a picture.
    """
    return decode_picture(_read(path), str(path), colour)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"picture {path}: cannot be read: {error.strerror}") from error


def decode_picture(content: bytes, origin: str, colour: bool) -> npt.NDArray[np.uint8]:
    """The picture that a file contains.

    Raises:
        InputError: it isn't one, is larger than `MOST_PIXELS`, or OpenCV isn't installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise InputError("pictures of files need OpenCV: pip install 'knossos[train]'") from error
    mode = cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE
    # What is wrong is said below, in one line.
    logging = cv2.utils.logging
    said = logging.getLogLevel()
    logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), mode) if content else None
    except cv2.error:
        image = None
    finally:
        logging.setLogLevel(said)
    if image is None:
        raise InputError(f"picture {origin}: not a picture that can be read")
    if image.shape[0] * image.shape[1] > MOST_PIXELS:
        raise InputError(f"picture {origin}: {image.shape[1]} x {image.shape[0]} pixels, expected {MOST_PIXELS} at most")
    return np.ascontiguousarray(image[..., ::-1] if colour else image[..., None], np.uint8)
