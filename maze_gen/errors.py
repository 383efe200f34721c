"""The one error for input that a person can mend, and how a command line shows it."""

import functools
import sys
from collections.abc import Callable


class InputError(ValueError):
    """Input from outside is wrong; the message names the value, what was expected and where it came from."""


def one_line_errors(command: Callable[[], int | None]) -> Callable[[], int]:
    """Wraps a command so that an `InputError` is one line on stderr and exit code 2, without a traceback."""

    @functools.wraps(command)
    def run() -> int:
        try:
            return command() or 0
        except InputError as error:
            print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
            return 2

    return run
