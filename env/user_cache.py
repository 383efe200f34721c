"""The folder in which this project keeps what it can make again: compiled code, maps and textures."""

import os
from pathlib import Path


def user_cache_folder() -> Path | None:
    """`knossos` in XDG_CACHE_HOME or ~/.cache; None where the user has no home folder. It is not created here."""
    home = os.environ.get("XDG_CACHE_HOME")
    if home:
        return Path(home) / "knossos"
    try:
        return Path.home() / ".cache" / "knossos"
    except RuntimeError:
        return None
