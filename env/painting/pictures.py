"""Pictures that are painted after: digits, characters, views of mazes, or a folder of one's own; split by content."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from maze_gen.errors import InputError

Split = Literal["train", "heldout"]
Bytes = npt.NDArray[np.uint8]

HELDOUT_SHARE = 8
"""One picture in so many is held out."""
VIEWS = 2000
"""Frames of mazes in `views`."""
MOST_PICTURES = 200_000
_DIGIT_MARGIN = 3 / 32
_DIGIT_CONTRAST = 2.0


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures of one size.

    Attributes:
        name: `digits`, `characters`, `views`, or the folder.
        images: [P, side, side, C] uint8, C being 1 or 3; 255 is white.
        labels: [P] int32, the class of each, -1 where there is none.
        source: what brings them again: the name of a set, or nothing where only the arrays do.
        strokes: of each picture, in order, where they are known (`env.painting.characters.Curve`); else nothing.
    """

    name: str
    images: Bytes = field(repr=False)
    labels: npt.NDArray[np.int32] = field(repr=False)
    source: str = ""
    strokes: tuple[tuple[npt.NDArray[np.float32], ...], ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        """Raises InputError where these are no such arrays."""
        images, labels = self.images, self.labels
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] != images.shape[2] or images.shape[3] not in (1, 3):
            raise InputError(
                f"pictures {self.name!r} are {images.dtype} {list(images.shape)}: expected bytes [P, side, side, 1 or 3]"
            )
        if not 1 <= len(images) <= MOST_PICTURES or labels.shape != (len(images),) or labels.dtype != np.int32:
            raise InputError(
                f"pictures {self.name!r}: {len(images)} of them and {len(labels)} labels: expected as many, 1 or more"
            )
        if self.strokes and len(self.strokes) != len(images):
            raise InputError(
                f"pictures {self.name!r}: {len(images)} of them and strokes of {len(self.strokes)}: expected as many"
            )
        images.setflags(write=False)
        labels.setflags(write=False)

    @property
    def side(self) -> int:
        return self.images.shape[1]

    @property
    def channels(self) -> int:
        return self.images.shape[3]

    @property
    def digest(self) -> str:
        """SHA-256 of the pictures."""
        return hashlib.sha256(np.ascontiguousarray(self.images).tobytes()).hexdigest()

    def __len__(self) -> int:
        return len(self.images)


def load_pictures(name: str, split: Split, side: int, colour: bool) -> Pictures:
    """Pictures of a set, at a size.

    Args:
        name: `digits`, `characters`, `views`, or the path of a folder of pictures, or of SVG files whose paths are strokes.
        split: pictures of equal content are always in the same one.
        side: pixels each way.
        colour: whether they have three channels; `digits` and what is written are grey.

    Raises:
        InputError: no such set or folder, one without pictures of the split, one that isn't installed, or digits in colour.
    """
    if name not in SETS:
        return _folder(Path(name), split, side, colour)
    return _of_set(name, split, side, colour)


@lru_cache(maxsize=16)
def _of_set(name: str, split: Split, side: int, colour: bool) -> Pictures:
    return SETS[name](split, side, colour)


def is_heldout(content: bytes) -> bool:
    """Whether a picture of this content belongs to the split `heldout`."""
    return int.from_bytes(hashlib.sha256(content).digest()[:8], "little") % HELDOUT_SHARE == 0


def _digits(split: Split, side: int, colour: bool) -> Pictures:
    if colour:
        raise InputError("pictures 'digits' are grey: expected colours=0")
    with np.load(Path(__file__).parent / "data" / "digits.npz") as file:
        ink, labels = file["ink"], file["labels"].astype(np.int32)
    chosen = np.array([is_heldout(one.tobytes()) == (split == "heldout") for one in ink])
    ink, labels = ink[chosen].astype(np.float32) / 16, labels[chosen]
    margin = round(side * _DIGIT_MARGIN)
    large = resample(ink[..., None], side - 2 * margin)[..., 0]
    # Four by four pixels of a scan are averaged in each of these: contrast gives the strokes their edges back.
    sharp = np.clip((large - 0.5) * _DIGIT_CONTRAST + 0.5, 0, 1)
    framed = np.pad(sharp, ((0, 0), (margin, margin), (margin, margin)))
    return Pictures("digits", to_bytes(1 - framed)[..., None], labels, source="digits")


def _views(split: Split, side: int, colour: bool) -> Pictures:
    # Imported where it is used: it brings the maze engine.
    from env.painting.views import maze_views

    frames = maze_views(split, VIEWS)
    images = resample(frames.astype(np.float32) / 255, side)
    if not colour:
        images = grey(images)
    return Pictures("views", to_bytes(images), np.full(len(images), -1, np.int32), source="views")


def _characters(split: Split, side: int, colour: bool) -> Pictures:
    from env.painting.characters import kanjivg_characters

    return _written("characters", kanjivg_characters(), split, side, colour)


def _written(
    name: str, found: Iterable[tuple[bytes, tuple[npt.NDArray[np.float32], ...]]], split: Split, side: int, colour: bool
) -> Pictures:
    """Strokes as pictures, written with the embedded brush."""
    # Imported where they are used: they bring the brush.
    from env.painting.characters import RADIUS
    from env.painting.program import Stroke, paint_programs

    if colour:
        raise InputError(f"pictures {name!r} are written in black: expected colours=0")
    chosen = [strokes for content, strokes in found if is_heldout(content) == (split == "heldout")]
    if not chosen:
        raise InputError(f"pictures {name}: none of split {split!r}; one in {HELDOUT_SHARE} is held out, chosen by its content")
    programs = [tuple(Stroke(_points(curve), RADIUS, (1, 1), (0, 0, 0)) for curve in strokes) for strokes in chosen]
    images = paint_programs(programs, side, colour=False)
    source = name if name == "characters" else ""
    return Pictures(name, images, np.full(len(images), -1, np.int32), source, tuple(chosen))


def _points(curve: npt.NDArray[np.float32]) -> tuple[tuple[float, float], ...]:
    return tuple((float(x), float(y)) for x, y in curve)


SETS: MappingProxyType[str, Callable[[Split, int, bool], Pictures]] = MappingProxyType(
    {"digits": _digits, "characters": _characters, "views": _views}
)
"""Sets by name. A new one is a function and a row."""


def _folder(folder: Path, split: Split, side: int, colour: bool) -> Pictures:
    from env.painting.characters import folder_characters
    from env.painting.picture_files import read_folder

    if folder.is_dir() and any(folder.glob("*.svg")):
        return _written(str(folder), folder_characters(folder), split, side, colour)
    found = [image for content, image in read_folder(folder, colour) if is_heldout(content) == (split == "heldout")]
    if not found:
        raise InputError(f"pictures {folder}: none of split {split!r}; one in {HELDOUT_SHARE} is held out, chosen by its content")
    images = np.stack([square(image, side) for image in found])
    return Pictures(str(folder), images, np.full(len(images), -1, np.int32))


def square(image: Bytes, side: int) -> Bytes:
    """The middle of a picture [height, width, C], at side x side pixels."""
    height, width = image.shape[:2]
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    middle = image[top : top + edge, left : left + edge].astype(np.float32) / 255
    return to_bytes(resample(middle[None], side))[0]


def grey(images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """[..., 3] → [..., 1]: luma, as of ITU-R BT.601."""
    return (images @ np.array([0.299, 0.587, 0.114], np.float32))[..., None]


def to_bytes(images: npt.NDArray[np.floating]) -> Bytes:
    """Numbers from 0 to 1 as bytes."""
    return np.clip(np.rint(images * 255), 0, 255).astype(np.uint8)


def resample(images: npt.NDArray[Any], side: int) -> npt.NDArray[np.float32]:
    """[P, n, n, C] → [P, side, side, C]: cubic convolution (Catmull and Rom's kernel), widened where pictures shrink."""
    weights = _weights(images.shape[1], side)
    rows = np.tensordot(weights, images, (1, 1))
    both = np.tensordot(weights, rows, (1, 2))
    return np.ascontiguousarray(both.transpose(2, 1, 0, 3))


def _weights(source: int, target: int) -> npt.NDArray[np.float32]:
    """[target, source]: how much of each old pixel is in each new one."""
    stretch = max(source / target, 1.0)
    centres = (np.arange(target) + 0.5) * source / target - 0.5
    distance = np.abs(centres[:, None] - np.arange(source)) / stretch
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    weights = np.where(distance < 1, near, np.where(distance < 2, far, 0))
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)
