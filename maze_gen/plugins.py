"""Finds what a module of one of the project's folders offers, by the module's name."""

import importlib
import re
from pathlib import Path
from typing import Any


def plugin(package: str | None, name: str, attribute: str) -> Any:
    """The attribute of a module in an imported package of this project; None where there is no such module or attribute.

    Names come from checkpoints, too: only a file that lies in the package's own folder is imported, never another package.

    Args:
        package: the package's name, e.g. `auxiliary`.
        name: of the module, with `-` for `_`.
        attribute: what the module must have.
    """
    module = name.replace("-", "_")
    if not package or not re.fullmatch(r"[a-z][a-z0-9_]*", module):
        return None
    folder = importlib.import_module(package).__path__
    if not any((Path(place) / f"{module}.py").is_file() for place in folder):
        return None
    return getattr(importlib.import_module(f"{package}.{module}"), attribute, None)
