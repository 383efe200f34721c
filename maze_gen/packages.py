"""Finds files of the user's own that hide packages of this project, whose names others use too."""

import importlib.util
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]


def refuse_hidden(*packages: str) -> None:
    """Checks that Python finds this project's packages of these names; nothing of what it finds is run.

    Raises:
        ImportError: another file or folder of that name comes first on Python's path; the message names it.
    """
    for name in packages:
        try:
            spec = importlib.util.find_spec(name)
        except ValueError:  # an imported module that says nothing about its origin
            spec = None
        places = [] if spec is None else [*(spec.submodule_search_locations or ()), spec.origin]
        if any(place is not None and Path(place).resolve() == PROJECT / name for place in places):
            continue
        other = next((place for place in places if place is not None), None) or getattr(sys.modules.get(name), "__file__", None)
        if other is None:
            raise ImportError(
                f"Knossos' package {name!r} should lie in {PROJECT}, but isn't there: install Knossos anew", name=name
            )
        raise ImportError(
            f"{other} hides the package {name!r} of Knossos, which lies in {PROJECT / name}: rename that file or folder, or "
            "start Python from another folder",
            name=name,
            path=str(other),
        )
