"""Films as files: mp4, and animated GIF for TensorBoard, a frame at a time."""

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path

import imageio.v2 as imageio
import numpy as np
import numpy.typing as npt
from PIL import Image

from experiments.analysis.items import Film, Pixels
from maze_gen.errors import InputError


def write_film(path: Path, film: Film, quality: int = 7) -> None:
    """The film as an mp4 file, written whole or not at all.

    Args:
        quality: 0 to 10, as imageio counts.

    Raises:
        InputError: the place can't be written.
    """
    part = path.with_name(f".{path.stem}.part.mp4")
    try:
        with imageio.get_writer(part, fps=film.rate, macro_block_size=2, codec="libx264", quality=quality) as writer:  # type: ignore[arg-type]
            for index in range(len(film.frames)):
                writer.append_data(film.frames[index])  # type: ignore[attr-defined]
        part.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def mp4(film: Film, quality: int = 5) -> bytes:
    """The film as the content of an mp4 file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        write_film(path, film, quality)
        return path.read_bytes()


def gif(frames: Sequence[Pixels] | npt.NDArray[np.uint8], rate: float, thin: int = 1) -> bytes:
    """Frames as an animated GIF that repeats, in one palette of 128 colours.

    Args:
        frames: T pictures of one size.
        rate: frames a second.
        thin: keeps every this-manieth frame; the film lasts as long.
    """
    chosen = range(0, len(frames), thin)
    palette = Image.fromarray(frames[chosen[len(chosen) // 2]]).quantize(128)
    images = (Image.fromarray(frames[index]).quantize(palette=palette, dither=Image.Dither.NONE) for index in chosen)
    buffer = io.BytesIO()
    next(images).save(buffer, "GIF", save_all=True, append_images=images, duration=round(1000 * thin / rate), loop=0)
    return buffer.getvalue()
