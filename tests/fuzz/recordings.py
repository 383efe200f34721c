"""Recordings of DeepMind Lab: arrays changed, files damaged; read and replayed."""

import io
import zipfile
from pathlib import Path
from random import Random

import numpy as np

from env.recording import read_trace
from env.replay import replay
from tests.env.recordings import small_trace
from tests.fuzz import odd

LAYOUTS = (
    "***\n* *\n***",
    "*****\n*   *\n*****",
    "*\n",
    "",
    "*****\n*PGA*\n*****",
    "P G\nA S",
    "*" * 500,
    "\x00",
    "** *\n* *\n***",
)


def run(random: Random, folder: Path) -> None:
    """Writes a recording that is wrong somewhere, and replays it."""
    arrays = small_trace()
    for _ in range(random.choice((0, 1, 1, 2, 4))):
        name = random.choice(sorted(arrays))
        pick = random.random()
        if name in ("layout", "geometry", "level"):
            arrays[name] = np.array(random.choice((*LAYOUTS, "thin", "block")) if pick < 0.8 else random.choice((1, 1.5, True)))
        elif pick < 0.1:
            del arrays[name]
            arrays.setdefault("exact", np.ones(2, dtype=bool))
        else:
            arrays[name] = odd.array(np.asarray(arrays[name]), random)
    buffer = io.BytesIO()
    compression = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.save(member, array)
            archive.writestr(f"{name}.npy", member.getvalue())
    content = bytearray(buffer.getvalue())
    if random.random() < 0.25:
        for _ in range(random.choice((1, 3, 30))):
            content[random.randrange(len(content))] = random.randrange(256)
    if random.random() < 0.05:
        content = content[: random.randrange(len(content))]
    path = folder / "trace.npz"
    path.write_bytes(content)
    replay(read_trace(path))
