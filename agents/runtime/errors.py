"""What goes wrong with workers."""

from pathlib import Path


class WorkerError(RuntimeError):
    """A worker ended, or raised; the first line of the message says which and how, the others what is known about it.

    Attributes:
        folder: of the run that ended with it, where there is one.
    """

    folder: Path | None = None
