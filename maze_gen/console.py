"""Printing that never ends the work: a reader such as `head` may have seen enough, and a terminal may be gone."""

import os
import sys
from typing import TextIO


def say(text: str, end: str = "\n", file: TextIO | None = None) -> None:
    """Prints to stdout, or to `file`; what nobody reads any more is dropped, then and from there on.

    Characters that the terminal's encoding lacks are escaped.
    """
    stream = sys.stdout if file is None else file
    try:
        print(text, end=end, file=stream, flush=True)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        say(text.encode(encoding, "backslashreplace").decode(encoding), end, file)
    except (OSError, ValueError):
        # A closed pipe, a terminal that hung up, a full disk behind `> file`, or a closed stream.
        mute(stream)


def mute(stream: TextIO) -> None:
    """Sends everything that is still written to a stream to nowhere; what is buffered would fail again when Python exits."""
    try:
        descriptor = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
    except (OSError, ValueError):
        # No file of the operating system's, as in a test.
        return
