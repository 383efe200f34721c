"""README and the pages under docs/: what they link to exists, and every command that they give has the options that it names."""

import re
import runpy
import shlex
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
import tyro

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RUN_ELSEWHERE = {"extending.md"}
"""Pages whose commands need what the page adds; `test_recipes` runs them."""
AGENT = ROOT / "experiments" / "pretrained" / "static-small.safetensors"

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def commands() -> Iterator[tuple[str, list[str]]]:
    """(module, arguments) of every command of ours in the pages' shell blocks."""
    for page in PAGES:
        for language, block in FENCE.findall(page.read_text(encoding="utf-8")):
            if language != "sh" or page.name in RUN_ELSEWHERE:
                continue
            for line in block.splitlines():
                words = shlex.split(line, comments=True)
                if words[:1] and words[0].endswith("python") and words[1] == "-m":
                    yield words[2], words[3:]
    for arguments in re.findall(r'make train ARGS="([^"]+)"', (ROOT / "README.md").read_text(encoding="utf-8")):
        yield "experiments.quickstart", shlex.split(arguments)


COMMANDS = sorted({(module, *arguments) for module, arguments in commands()})


class ParsedError(BaseException):
    """The command line was read; nothing is to be done."""


def anchors(page: Path) -> set[str]:
    """The names by which a page's headings are linked, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        name, _, anchor = link.partition("#")
        if "://" in name:
            continue
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{page.name} links to {link}"
        assert not anchor or anchor in anchors(target), f"{page.name} links to {link}, but no heading has that name"


def test_every_page_is_linked_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES[1:] if f"(docs/{page.name})" not in readme] == []


def test_the_pages_give_commands() -> None:
    assert {command[0] for command in COMMANDS} >= {
        f"experiments.{name}"
        for name in ("train", "evaluate", "decode", "play", "export", "reproduce", "benchmark", "quickstart")
    }


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_has_the_options_that_the_page_names(command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    module, *arguments = command
    # Settings' defaults are those of the checkpoint that is resumed, so there must be one.
    arguments = [str(AGENT) if argument == "runs/NAME" else argument for argument in arguments]
    parse = tyro.cli

    def parse_only(*given: Any, **options: Any) -> NoReturn:
        parse(*given, **options)
        raise ParsedError

    monkeypatch.setattr(tyro, "cli", parse_only)
    monkeypatch.setattr(sys, "argv", [module, *arguments])
    with warnings.catch_warnings():
        # runpy complains of modules that other tests have imported.
        warnings.filterwarnings("ignore", message=".*found in sys.modules", category=RuntimeWarning)
        with pytest.raises((ParsedError, SystemExit)) as end:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
    assert end.type is ParsedError or (arguments == ["--help"] and getattr(end.value, "code", 1) in (0, None))
