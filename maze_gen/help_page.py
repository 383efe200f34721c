"""The `--help` of a command whose options are a dataclass: real defaults, choices, groups, and the nearest name of a wrong one.

A field says more about itself by `option_field`: what its default comes to where it is None, choices that aren't known to its
type, and the group that it and the fields after it stand in.
"""

import dataclasses
import difflib
import inspect
import re
import shutil
import sys
import textwrap
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WIDEST = 110
INDENT = 8
METAVARS: Mapping[Any, str] = {int: "N", float: "NUMBER", str: "TEXT", Path: "PATH"}
SWITCH = "switch"


def option_field(
    default: Any = dataclasses.MISSING,
    *,
    factory: Callable[[], Any] | None = None,
    shown: str = "",
    choices: Iterable[str] = (),
    group: str = "",
) -> Any:
    """A dataclass field whose help says more than its type does.

    Args:
        default, factory: as in `dataclasses.field`; one of them.
        shown: what is shown as the default where that is None.
        choices: names that it may be, shown in this order; the command checks them itself.
        group: heading of the fields from this one on, to the next that has one.
    """
    kept = {"shown": shown, "choices": tuple(choices), "group": group}
    if factory is not None:
        return dataclasses.field(default_factory=factory, metadata=kept)
    return dataclasses.field(default=default, metadata=kept)


@dataclass(frozen=True)
class Line:
    """One option as the page shows it; `name` has its dashes, or none where the argument is positional."""

    name: str
    value: str
    text: str
    default: str
    group: str


def program() -> str:
    """How the running command was started, e.g. `python -m experiments.train`."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    return f"python -m {spec.name.removesuffix('.__main__')}" if spec is not None else Path(sys.argv[0]).name


def lines_of(options: type, default: Any = None) -> list[Line]:
    """All options of a dataclass, those of dataclasses in it among them.

    Args:
        options: its type.
        default: a value whose fields are the defaults, instead of the type's own.
    """
    hints, texts = typing.get_type_hints(options, include_extras=True), _texts(options)
    found: list[Line] = []
    group = ""
    for field in dataclasses.fields(options):
        group = field.metadata.get("group") or group
        value = getattr(default, field.name) if default is not None else _default_of(field)
        kind, markers = _bare(hints[field.name])
        if dataclasses.is_dataclass(kind):
            inner = lines_of(typing.cast(type, kind), value if dataclasses.is_dataclass(value) else None)
            found += [dataclasses.replace(line, group=line.group or group) for line in inner]
            continue
        positional = any("positional" in repr(marker).lower() for marker in markers)
        name = field.name.upper() if positional else f"--{field.name.replace('_', '-')}"
        shown = field.metadata.get("shown") or _text_of(value)
        choices = field.metadata.get("choices") or ()
        found.append(Line(name, _braces(choices) if choices else _metavar(kind, value), texts.get(field.name, ""), shown, group))
    return found


def page(options: type, default: Any = None) -> str:
    """The text of `--help`."""
    lines = lines_of(options, default)
    width = min(shutil.get_terminal_size().columns, WIDEST)
    positional = "".join(f" [{line.name.lower()} ...]" for line in lines if not line.name.startswith("-"))
    description = inspect.cleandoc(options.__doc__ or "").partition("\nAttributes:")[0].strip()
    parts = [f"usage: {program()}{positional} [OPTIONS]", *(textwrap.fill(part, width) for part in description.split("\n\n"))]
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(line.group, []).append(line)
    for group, members in groups.items():
        parts.append("\n".join([f"{group or 'Options'}:", *(_entry(line, width) for line in members)]))
    parts.append("-h, --help shows this.")
    return "\n\n".join(parts)


def unknown_option(arguments: Iterable[str], options: type) -> str | None:
    """What to say about the first argument that looks like an option and is none; None where all are known."""
    known = {"--help"}
    for line in lines_of(options):
        known.add(line.name)
        if line.value == SWITCH:
            known.add(f"--no-{line.name.removeprefix('--')}")
    for argument in arguments:
        if argument == "--":
            return None
        name = argument.partition("=")[0].replace("_", "-")
        if not name.startswith("--") or name in known:
            continue
        near = difflib.get_close_matches(name, sorted(known), 1, cutoff=0.5)
        return f"unknown option {argument.partition('=')[0]}{f': did you mean {near[0]}?' if near else ''}"
    return None


def _entry(line: Line, width: int) -> str:
    text = line.text + (f" (default: {line.default})" if line.default else "")
    if line.value == SWITCH:
        head = f"  {line.name}, --no-{line.name.removeprefix('--')}"
    else:
        head = f"  {line.name} {line.value}" if line.name.startswith("-") else f"  {line.name.lower()} {line.value}"
    wrapped = [
        textwrap.fill(part, width, initial_indent=indent, subsequent_indent=" " * INDENT, break_on_hyphens=False)
        for part, indent in ((head, ""), (text, " " * INDENT))
        if part
    ]
    return "\n".join(wrapped)


def _texts(options: type) -> dict[str, str]:
    """The texts of a docstring's Attributes, by name."""
    section = inspect.cleandoc(options.__doc__ or "").partition("\nAttributes:")[2]
    texts: dict[str, str] = {}
    names: list[str] = []
    for line in section.splitlines():
        head = re.match(r"    (\w[\w, ]*): (.*)", line)
        if head:
            names = [name.strip() for name in head[1].split(",")]
            texts |= dict.fromkeys(names, head[2])
        elif line.startswith("        "):
            texts |= {name: f"{texts[name]} {line.strip()}" for name in names}
        elif line.strip():
            break
    return texts


def _bare(hint: Any) -> tuple[Any, list[Any]]:
    """A type without `Annotated` and without None, and the annotations."""
    markers: list[Any] = []
    if typing.get_origin(hint) is typing.Annotated:
        hint, *markers = typing.get_args(hint)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        rest = [part for part in typing.get_args(hint) if part is not types.NoneType]
        hint = rest[0] if len(rest) == 1 else hint
    return hint, markers


def _metavar(kind: Any, value: Any) -> str:
    if kind is bool:
        return SWITCH
    if typing.get_origin(kind) is typing.Literal:
        return _braces(map(str, typing.get_args(kind)))
    if typing.get_origin(kind) is tuple:
        return f"{_metavar(typing.get_args(kind)[0], None)} ..."
    if isinstance(value, Mapping):
        return "NAME=NUMBER"
    return METAVARS.get(kind, getattr(kind, "__name__", "VALUE").upper())


def _braces(names: Iterable[str]) -> str:
    return f"{{{', '.join(names)}}}"


def _default_of(field: "dataclasses.Field[Any]") -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else None


def _text_of(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={number:g}" for name, number in value.items())
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else "" if value is None else str(value)
