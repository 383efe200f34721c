"""The error for invalid input, and how commands print it."""

import functools
import sys
import warnings
from collections.abc import Callable
from typing import Any

from maze_gen.console import mute, say


class InputError(ValueError):
    """Input from outside is wrong; the message names the value, what was expected and where it came from."""


class Note(UserWarning):
    """Something a person should know that ends nothing; commands show it as one line."""


def one_line_errors(command: Callable[[], int | None]) -> Callable[[], int]:
    """Wraps a command so that an `InputError` is one line on stderr and exit code 2, and a `Note` one line.

    So is a full disk, a place that can't be read or written, and memory that isn't there; Ctrl-C ends with exit code 130. A
    closed stdout ends a command that has nothing to do but to print, quietly and with exit code 0.
    """

    @functools.wraps(command)
    def run() -> int:
        shown = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
            if issubclass(category, Note):
                say(f"note: {message}", file=sys.stderr)
            else:
                shown(message, category, *rest, **more)

        warnings.showwarning = show
        try:
            return command() or 0
        except InputError as error:
            say(f"error: {' '.join(str(error).split())}", file=sys.stderr)
            return 2
        except BrokenPipeError:
            mute(sys.stdout)
            return 0
        except OSError as error:
            place = f" {error.filename}" if error.filename else ""
            say(f"error: cannot read or write{place}: {error.strerror or error}", file=sys.stderr)
            return 2
        except MemoryError:
            say("error: not enough memory", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            return 130
        finally:
            warnings.showwarning = shown

    return run
