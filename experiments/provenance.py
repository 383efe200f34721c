"""When, by which version and by which command something was made."""

import datetime
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Provenance:
    """Where a file comes from.

    Attributes:
        date: in UTC, e.g. `2026-11-27 20:15 UTC`.
        version: of this project, with the commit where it runs from a clone.
        command: the command line.
    """

    date: str
    version: str
    command: str


def provenance() -> Provenance:
    """That of what the running command makes now."""
    from knossos import __version__

    commit = _commit()
    now = datetime.datetime.now(datetime.UTC)
    arguments = sys.orig_argv[1:] if Path(sys.argv[0]).suffix == ".py" else sys.argv
    return Provenance(
        f"{now:%Y-%m-%d %H:%M} UTC",
        f"Knossos {__version__}" + (f", commit {commit}" if commit else ""),
        shlex.join(["python", *arguments] if arguments is not sys.argv else arguments),
    )


def _commit() -> str:
    """The commit of the clone that this file lies in, with `+` where files differ from it; empty outside of one."""
    folder = Path(__file__).parents[1]
    if not (folder / ".git").exists():
        return ""
    try:
        found = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--dirty=+", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip()
