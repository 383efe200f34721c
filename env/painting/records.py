"""A painting task as JSON and arrays, for checkpoints: sets that come with the project by name, other pictures whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from env.painting.action import ActionForm
from env.painting.pictures import Pictures, load_pictures
from env.painting.task import PaintingTask
from maze_gen.config_io import from_json, to_json
from maze_gen.errors import InputError

MOST_RECORDED = 1 << 26
"""Bytes of pictures that a checkpoint may hold."""


@dataclass(frozen=True)
class _Rules:
    """A task as files have it."""

    name: str
    goal: Literal["doodle", "redraw", "parse"]
    split: Literal["train", "heldout"]
    steps: int
    action: ActionForm
    brush: str
    hardness: float
    scale: int
    stroke_penalty: float
    length_penalty: float
    pictures: str
    source: str
    side: int
    digest: str


def record_painting(task: PaintingTask) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """The rules as JSON; `images` [P, side, side, C] uint8 and `labels` [P] int32 of pictures that no set brings again.

    Raises:
        InputError: the pictures are more than a checkpoint can hold.
    """
    pictures = task.pictures
    fields = [name for name in _Rules.__dataclass_fields__ if hasattr(task, name) and name not in ("pictures", "side", "action")]
    rules = {name: getattr(task, name) for name in fields}
    rules |= {"action": to_json(task.action), "pictures": pictures.name, "source": pictures.source, "side": task.side}
    rules["digest"] = pictures.digest
    if pictures.source:
        return rules, {}
    if pictures.images.nbytes > MOST_RECORDED:
        size, most = pictures.images.nbytes / 1e6, MOST_RECORDED / 1e6
        raise InputError(
            f"pictures {pictures.name}: {size:.0f} MB, and a checkpoint holds {most:.0f} MB: take fewer or smaller ones"
        )
    return rules, {"images": pictures.images, "labels": pictures.labels}


def read_painting(rules: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]], origin: str) -> PaintingTask:
    """The task that `record_painting` recorded.

    Raises:
        InputError: something is missing, or of another type or value; `origin` says where it came from.
    """
    read = from_json(_Rules, dict(rules), f"{origin}: its task")
    try:
        pictures = _pictures(read, arrays, origin)
        fields = PaintingTask.__dataclass_fields__
        kept: dict[str, Any] = {name: getattr(read, name) for name in _Rules.__dataclass_fields__ if name in fields}
        kept["pictures"] = pictures
        return PaintingTask(**kept)
    except InputError as error:
        raise InputError(f"{origin}: its task: {error}") from error


def _pictures(rules: _Rules, arrays: Mapping[str, npt.NDArray[Any]], origin: str) -> Pictures:
    if rules.source:
        return load_pictures(rules.source, rules.split, rules.side, rules.action.colours > 0)
    if "images" not in arrays or "labels" not in arrays:
        raise InputError("it lacks its pictures")
    pictures = Pictures(rules.pictures, np.ascontiguousarray(arrays["images"]), arrays["labels"].astype(np.int32))
    if pictures.digest != rules.digest:
        raise InputError("its pictures are not those that its digest names: the file was changed or damaged")
    return pictures
