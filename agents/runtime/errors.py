"""What goes wrong with workers."""


class WorkerError(RuntimeError):
    """A worker ended, or raised; the first line of the message says which and how, the others what is known about it."""
