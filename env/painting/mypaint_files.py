"""Where libmypaint and its brushes are on this machine, and what of them is called."""

import ctypes
import ctypes.util
import functools
import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from maze_gen.config_io import parse_json
from maze_gen.errors import InputError

HOW_TO_GET_IT = "install it with: apt install libmypaint-1.5-1 mypaint-brushes; or use the brush 'stamp'"
FOLDERS = ("/usr/share/mypaint-data", "/usr/local/share/mypaint-data")
BRUSHES = (
    "classic/pen",
    "classic/charcoal",
    "classic/dry_brush",
    "classic/ink_blot",
    "classic/pencil",
    "classic/slow_ink",
)
"""Brushes that keep to the size that they are given, and stay near the pen; `read_brush` takes any other too."""

MOST = 1e4
"""Of the numbers of a brush."""
_INDEPENDENT = 0.05
"""How much a brush's own opacity may change with the pressure, for pressures that actions have, before it counts as its own."""


@dataclass(frozen=True)
class Library:
    """The functions of libmypaint that are called; addresses are plain integers, so that compiled code can call them too."""

    path: str
    handle: Any
    brush_new: Any
    brush_unref: Any
    from_string: Any
    set_base_value: Any
    reset: Any
    stroke_to: Any
    begin_atomic: Any
    end_atomic: Any
    surface_new: Any
    surface_unref: Any
    request_init: Any
    request_start: Any
    request_end: Any

    def setting(self, name: str) -> int:
        """The number of a brush's setting, which differs between versions."""
        return int(self.handle.mypaint_brush_setting_from_cname(name.encode()))


@functools.cache
def surface_library() -> Library:
    """libmypaint, loaded and initialised.

    Raises:
        InputError: it isn't installed; the message says how to get it.
    """
    names = ["libmypaint-1.5.so.1", ctypes.util.find_library("mypaint-1.5"), ctypes.util.find_library("mypaint")]
    for name in names:
        try:
            handle = ctypes.CDLL(name) if name else None
        except OSError:
            continue
        if handle is not None:
            break
    else:
        raise InputError(f"libmypaint isn't installed here: {HOW_TO_GET_IT}")
    address, number, real = ctypes.c_int64, ctypes.c_int, ctypes.c_float

    def function(name: str, result: Any, *arguments: Any) -> Any:
        # Each a function of its own: setting the types of a shared one would change it for other users of the library.
        prototype = ctypes.CFUNCTYPE(result, *arguments)
        return prototype((name, handle))

    handle.mypaint_init()
    tiled = "mypaint_tiled_surface_tile_request"
    return Library(
        path=str(name),
        handle=handle,
        brush_new=function("mypaint_brush_new", address),
        brush_unref=function("mypaint_brush_unref", None, address),
        from_string=function("mypaint_brush_from_string", number, address, ctypes.c_char_p),
        set_base_value=function("mypaint_brush_set_base_value", None, address, number, real),
        reset=function("mypaint_brush_reset", None, address),
        stroke_to=function("mypaint_brush_stroke_to", number, address, address, real, real, real, real, real, ctypes.c_double),
        begin_atomic=function("mypaint_surface_begin_atomic", None, address),
        end_atomic=function("mypaint_surface_end_atomic", None, address, address),
        surface_new=function("mypaint_fixed_tiled_surface_new", address, number, number),
        surface_unref=function("mypaint_surface_unref", None, address),
        request_init=function("mypaint_tile_request_init", None, ctypes.c_void_p, number, number, number, number),
        request_start=function(f"{tiled}_start", None, address, ctypes.c_void_p),
        request_end=function(f"{tiled}_end", None, address, ctypes.c_void_p),
    )


@dataclass(frozen=True)
class BrushFile:
    """A brush as its file describes it.

    Attributes:
        text: the file, without what the pen's speed does to the radius.
        radius_gain: what full pressure adds to the logarithm of the radius.
        opaque: the brush's opacity where pressure doesn't change it, so that it is scaled as the embedded brush's is; else -1.
        spacing: between two dabs, in radii.
    """

    path: Path
    text: bytes
    radius_gain: float
    opaque: float
    spacing: float


def read_brush(name: str) -> BrushFile:
    """A brush of mypaint-brushes by its name, or of a file.

    Raises:
        InputError: there is none, or it isn't a brush's file of version 3.
    """
    path = Path(name) if name.endswith(".myb") else _named(name)
    try:
        text = path.read_bytes()
    except OSError as error:
        raise InputError(f"brush {path}: cannot be read: {error.strerror}") from error
    try:
        content = parse_json(text.decode(), "it")
        settings = content["settings"]
        _check_numbers(settings)
        gain = _curve(settings["radius_logarithmic"], 1.0)
        own = settings["opaque_multiply"]
        dependence = abs(_curve(own, 1.0) - _curve(own, 0.1))
        steady = dependence <= _INDEPENDENT and not settings["opaque"]["inputs"].get("pressure")
        opaque = float(settings["opaque"]["base_value"]) if steady else -1.0
        dabs = float(settings["dabs_per_actual_radius"]["base_value"]) + float(settings["dabs_per_basic_radius"]["base_value"])
        # A stroke is as wide as it says: how fast the pen moves depends on the size of the canvas.
        for speed in ("speed1", "speed2"):
            settings["radius_logarithmic"]["inputs"].pop(speed, None)
        # And it is where it says: what smooths an unsteady hand lets the brush lag behind.
        for tracking in ("slow_tracking", "slow_tracking_per_dab"):
            settings[tracking] = {"base_value": 0.0, "inputs": {}}
        text = json.dumps(content).encode()
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise InputError(f"brush {path}: not a brush of libmypaint (version 3, JSON)") from error
    return BrushFile(path, text, gain, opaque, 1 / max(dabs, 1.0))


def _named(name: str) -> Path:
    folders = sorted((path for folder in FOLDERS for path in Path(folder).glob("*/brushes")), reverse=True)
    if not folders:
        raise InputError(f"brush 'mypaint:{name}': the brushes aren't installed here: {HOW_TO_GET_IT}")
    for folder in folders:
        path = folder / f"{name}.myb"
        if name and ".." not in Path(name).parts and path.is_file():
            return path
    raise InputError(
        f"brush 'mypaint:{name}': not in {folders[0]}; expected e.g. {', '.join(BRUSHES)}, or the path of a .myb file"
    )


def _curve(setting: Any, pressure: float) -> float:
    """What a pressure adds to a setting: a line through points."""
    points = setting["inputs"].get("pressure") or [[0.0, 0.0], [1.0, 0.0]]
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 <= pressure <= x1 and x1 > x0:
            return float(y0 + (y1 - y0) * (pressure - x0) / (x1 - x0))
    return float(points[-1][1])


def _check_numbers(setting: Any) -> None:
    """Raises ValueError for a number that libmypaint would be busy with for ever."""
    if isinstance(setting, dict | list):
        for part in setting.values() if isinstance(setting, dict) else setting:
            _check_numbers(part)
    elif isinstance(setting, int | float) and not abs(setting) < MOST:
        raise ValueError(setting)
