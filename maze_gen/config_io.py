"""Dataclasses to JSON and back, for files that outlive the version that wrote them.

Every field is read by its type. A setting that a file lacks takes the value that reproduces what the file's version did
(`History.added`); one that was renamed is read under its old name; one that nobody knows is named in a note.
"""

import dataclasses
import difflib
import json
import math
import types
import typing
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from maze_gen.errors import InputError, Note

T = TypeVar("T")

MOST_DEPTH = 64
"""Levels of nesting that a description may have."""
MOST_INTEGER = 2**63


@dataclass(frozen=True)
class History:
    """How the fields of a dataclass came to be, so that files of earlier versions can be read.

    Attributes:
        renamed: earlier name → present name.
        added: field → the value that reproduces what versions did which had no such field.
    """

    renamed: Mapping[str, str] = field(default_factory=dict)
    added: Mapping[str, Any] = field(default_factory=dict)


def to_json(value: Any) -> Any:
    """A (nested) dataclass as plain dictionaries, lists, texts and numbers."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: to_json(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    return value


def from_json(kind: type[T], content: Any, origin: str, history: History = History()) -> T:
    """A dataclass of `kind` from what `to_json` and JSON made of it.

    Args:
        origin: where the content came from, e.g. `FILE: settings`.
        history: of the fields of `kind`.

    Raises:
        InputError: a field is missing, or has another type or range; the message names it and `origin`.
    """
    if not isinstance(content, dict):
        raise InputError(f"{origin} is {_short(content)}, expected an object")
    hints = typing.get_type_hints(kind)
    named: dict[str, Any] = {}
    for name, value in content.items():
        named[history.renamed.get(name, name)] = value
    known = {item.name for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for name in sorted(set(named) - known):
        near = difflib.get_close_matches(name, known, 1)
        warnings.warn(
            f"{origin} has {name!r}, which this version doesn't know"
            + (f" (did you mean {near[0]!r}?)" if near else "")
            + "; it is ignored",
            Note,
            stacklevel=2,
        )
    values: dict[str, Any] = {}
    for item in dataclasses.fields(kind):  # type: ignore[arg-type]
        if item.name in named:
            values[item.name] = read_as(hints[item.name], named[item.name], f"{origin}: {item.name}")
        elif item.name in history.added:
            values[item.name] = history.added[item.name]
        else:
            raise InputError(f"{origin} lacks {item.name!r}")
    try:
        return kind(**values)
    except InputError as error:
        raise InputError(f"{origin}: {error}") from error


def read_as(hint: Any, value: Any, origin: str) -> Any:
    """A value of JSON as the type `hint`: bool, int, float, str, Literal, tuple, list, dict, Optional, or a dataclass.

    Raises:
        InputError: it is of another type, or a number is not finite or beyond 2**63.
    """
    kind, arguments = typing.get_origin(hint), typing.get_args(hint)
    if kind is Literal:
        if value not in arguments or isinstance(value, bool) != isinstance(arguments[0], bool):
            raise InputError(f"{origin} is {_short(value)}, expected one of {', '.join(map(str, arguments))}")
        return value
    if kind in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        inner = [argument for argument in arguments if argument is not type(None)]
        return read_as(inner[0], value, origin)
    if kind in (tuple, list):
        if not isinstance(value, list):
            raise InputError(f"{origin} is {_short(value)}, expected a list")
        return kind(read_as(arguments[0], item, f"{origin}[{index}]") for index, item in enumerate(value))
    mapping = kind if isinstance(kind, type) else hint
    if isinstance(mapping, type) and issubclass(mapping, dict | Mapping):
        if not isinstance(value, dict):
            raise InputError(f"{origin} is {_short(value)}, expected an object")
        inner = _value_hint(hint)
        made = {key: read_as(inner, item, f"{origin}.{key}") for key, item in value.items()}
        return mapping(made) if issubclass(mapping, dict) else made
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return from_json(hint, value, origin)
    return _scalar(hint, value, origin)


def _value_hint(hint: Any) -> Any:
    """The type of the values of a mapping, or of a class that derives from one."""
    arguments = typing.get_args(hint)
    if arguments:
        return arguments[1]
    for base in getattr(hint, "__orig_bases__", ()):
        if typing.get_args(base):
            return typing.get_args(base)[1]
    return str


def _scalar(hint: Any, value: Any, origin: str) -> Any:
    if hint is bool and isinstance(value, bool):
        return value
    if hint is int and isinstance(value, int) and not isinstance(value, bool) and abs(value) < MOST_INTEGER:
        return value
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        if abs(value) < MOST_INTEGER or (isinstance(value, float) and math.isfinite(value)):
            return float(value)
    elif hint is str and isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value):
        return value
    words = {bool: "true or false", int: "a whole number below 2**63", float: "a finite number", str: "a text"}
    raise InputError(f"{origin} is {_short(value)}, expected {words.get(hint, hint)}")


def parse_json(text: str, origin: str) -> Any:
    """JSON as Python values, refusing what JSON proper has not (NaN, Infinity) and absurd nesting.

    Raises:
        InputError: not JSON, or nested deeper than `MOST_DEPTH`.
    """

    def refuse(word: str) -> Any:
        raise InputError(f"{origin} holds {word}, which is no number")

    depth = deepest = 0
    quoted = escaped = False
    for letter in text:
        if quoted:
            quoted, escaped = escaped or letter != '"', letter == "\\" and not escaped
        elif letter == '"':
            quoted = True
        elif letter in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif letter in "]}":
            depth -= 1
    if deepest > MOST_DEPTH:
        raise InputError(f"{origin} is nested {deepest} deep, expected at most {MOST_DEPTH}")
    try:
        return json.loads(text, parse_constant=refuse)
    except ValueError as error:
        raise InputError(f"{origin} is not JSON ({error})") from error


def _short(value: Any) -> str:
    text = "an object" if isinstance(value, dict) else repr(value)[:60]
    return text + ("…" if len(repr(value)) > 60 and not isinstance(value, dict) else "")
