"""The help of a command says what is true of its options."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import pytest
import tyro

from maze_gen.cli import parse_options
from maze_gen.errors import InputError
from maze_gen.help_page import lines_of, option_field, page, program, unknown_option


@dataclass(frozen=True)
class Inner:
    """Inner ones.

    Attributes:
        rows, cols: of a maze.
        pace: how fast, which is
            said in two lines.
    """

    rows: int = 5
    cols: int = 10
    pace: float = option_field(7e-4, group="Speed")
    quick: bool = False


@dataclass(frozen=True)
class Options:
    """Does something.

    It does it well.

    Attributes:
        agent: whom.
        mode: how.
        out: where to.
        inner: the rest.
        files: what.
    """

    agent: str | None = option_field(None, shown="nav", choices=("ff", "nav"), group="Who")
    mode: Literal["slow", "fast"] = "slow"
    out: Path | None = None
    inner: tyro.conf.OmitArgPrefixes[Inner] = field(default_factory=Inner)
    weights: Mapping[str, float] = option_field(factory=lambda: {"a": 0.1, "b": 2.0}, group="Losses")
    files: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()


def test_each_option_with_its_text_choices_and_real_default() -> None:
    found = {line.name: (line.value, line.text, line.default, line.group) for line in lines_of(Options)}
    assert found == {
        "--agent": ("{ff, nav}", "whom.", "nav", "Who"),
        "--mode": ("{slow, fast}", "how.", "slow", "Who"),
        "--out": ("PATH", "where to.", "", "Who"),
        "--rows": ("N", "of a maze.", "5", "Who"),
        "--cols": ("N", "of a maze.", "10", "Who"),
        "--pace": ("NUMBER", "how fast, which is said in two lines.", "0.0007", "Speed"),
        "--quick": ("switch", "", "off", "Speed"),
        "--weights": ("NAME=NUMBER", "", "a=0.1, b=2", "Losses"),
        "FILES": ("PATH ...", "what.", "", "Losses"),
    }


def test_defaults_are_those_of_the_run() -> None:
    found = {line.name: line.default for line in lines_of(Options, Options(mode="fast", inner=Inner(rows=9)))}
    assert (found["--mode"], found["--rows"], found["--cols"]) == ("fast", "9", "10")


def test_the_page() -> None:
    text = page(Options)
    assert text.startswith(
        f"usage: {program()} [files ...] [OPTIONS]\n\nDoes something.\n\nIt does it well.\n\nWho:\n  --agent {{ff, nav}}\n"
    )
    assert "--quick, --no-quick" in text
    assert "None" not in text
    assert max(map(len, text.splitlines())) <= 110


def test_help_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        parse_options(Options, ["--rows", "3", "--help"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith("usage: ")


@pytest.mark.parametrize(
    ("given", "near"),
    [("--colls", "--cols"), ("--no-quik", "--no-quick"), ("--inner.rows", "--no-"), ("--mod=slow", "--mode"), ("--zzzzzz", None)],
)
def test_a_wrong_name_is_named_with_the_nearest(given: str, near: str | None) -> None:
    said = unknown_option(["--rows", "3", given, "1"], Options)
    assert said is not None
    assert given.partition("=")[0] in said
    if near is None:
        assert "did you mean" not in said
    elif near != "--no-":
        assert f"did you mean {near}?" in said
    with pytest.raises(InputError, match="unknown option"):
        parse_options(Options, [given])


def test_known_names_pass() -> None:
    assert unknown_option(["a", "--rows=3", "--no-quick", "--out", "x", "--", "--else"], Options) is None
    assert unknown_option(["--row_s"], Options) is not None
    assert parse_options(Options, ["--agent", "ff", "--no-quick"]).agent == "ff"
