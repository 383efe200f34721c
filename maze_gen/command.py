"""A typed dataclass as a command line, whose mistakes are one line each."""

import contextlib
import io
from typing import TypeVar

import tyro

from maze_gen.errors import InputError

Options = TypeVar("Options")

_FRAME = "╭╮╰╯│─ "


def parse_options(options: type[Options], program: str, arguments: list[str] | None = None) -> Options:
    """The command line, or `arguments`, as an instance of `options`.

    Raises:
        InputError: an unknown option, a missing one, or a value of the wrong kind; the message is one line.
        SystemExit: `--help` was asked for.
    """
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(options, prog=program, args=arguments)
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
    lines = []
    for line in complaint.getvalue().splitlines():
        if line.startswith(("╭", "╰")):
            continue
        # Below a rule tyro repeats help that is a --help away.
        if "───" in line:
            break
        lines.append(line.strip(_FRAME))
    raise InputError(f"{' '.join(filter(None, lines)) or 'the command line is wrong'} (see {program} --help)")
