"""Command lines from typed dataclasses, with errors of one line."""

import contextlib
import io
import sys
from collections.abc import Sequence
from typing import TypeVar

import tyro

from maze_gen.console import say
from maze_gen.errors import InputError
from maze_gen.help_page import page, unknown_option

Options = TypeVar("Options")

_FRAME = "╭╮╰╯│─ "


REGISTRY = tyro.constructors.ConstructorRegistry()
"""How types of our own are read from a command line; whoever defines an option of such a type adds its rule."""


def parse_options(options: type[Options], arguments: list[str] | None = None, default: Options | None = None) -> Options:
    """The command line, or `arguments`, as `options`; what it doesn't name is as in `default`.

    Raises:
        InputError: an unknown option, a missing one, or a value of the wrong kind; the message is one line, and suggests the
            nearest name.
        SystemExit: `--help` was asked for; it ends well, too, where its reader has seen enough (`--help | head`).
    """
    complaint = io.StringIO()
    given = sys.argv[1:] if arguments is None else arguments
    try:
        if {"-h", "--help"} & set(given):
            say(page(options, default))
            raise SystemExit(0)
        if unknown := unknown_option(given, options):
            raise InputError(f"{unknown} (see --help)")
        with contextlib.redirect_stderr(complaint):
            if default is None:
                return tyro.cli(options, args=arguments, registry=REGISTRY)
            return tyro.cli(options, args=arguments, default=default, registry=REGISTRY)
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
    message = " ".join(filter(None, lines)) or "the command line can't be read"
    raise InputError(f"{message[:1].lower()}{message[1:]} (see --help)")


def option_values(arguments: Sequence[str], name: str) -> tuple[list[str], list[str]]:
    """(the values of an option wherever it stands in a command line, the command line without them)."""
    values: list[str] = []
    others: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        option, equals, value = argument.partition("=")
        if option != name:
            others.append(argument)
        elif equals:
            values.append(value)
        else:
            values.append(rest.pop(0) if rest else "")
    return values, others
