"""The HTML page and TensorBoard's tags: everything is escaped, everything stands where it belongs."""

import base64
import html.parser
import json
import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments.analysis.items import Curves, Film, Item, Number, Picture, Table
from experiments.analysis.report import NARROW, figures_of, page, write_report
from experiments.analysis.statistics import Estimate, detection_curve
from experiments.analysis.tensorboard import ORDER, _ranks, tag
from experiments.decode import summary_of
from experiments.provenance import Provenance, provenance
from knossos import __version__

NASTY = """<script>alert("1 & 2")</script>'"""
PIXELS = np.zeros((4, 6, 3), dtype=np.uint8)
MADE = Provenance("2026-01-02 03:04 UTC", "Knossos 9", "python -m experiments.decode")


class Page(html.parser.HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def nasty_items() -> list[Item]:
    return [
        Number("1 " + NASTY, NASTY, NASTY, 0.5, {NASTY: 0.25}, key=True),
        Picture("1 " + NASTY, NASTY, NASTY, PIXELS, key=True),
        Table("1 " + NASTY, NASTY, NASTY, [NASTY], [[NASTY]], key=True),
    ]


def test_nothing_in_a_name_or_a_caption_becomes_a_tag() -> None:
    found = Page(page(nasty_items(), NASTY, Provenance(NASTY, NASTY, NASTY)))
    assert "script" not in found.tags
    assert found.text.count(NASTY) == 15
    assert ("alt", NASTY) in found.attributes
    assert not any(name.startswith("on") for name, _ in found.attributes)


def test_pictures_are_within_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    film = Film("1 A", "a film", "caption", np.zeros((2, 4, 4, 3), dtype=np.uint8), 5.0, np.arange(2), key=True)
    monkeypatch.setattr("experiments.analysis.items.webm", lambda *_: b"a film's bytes")
    text = page([Picture("1 A", "a picture", "caption", PIXELS, key=True), film], "A title", MADE)
    links = re.findall(r'src="([^"]*)"', text)
    assert base64.b64decode(links[0].removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")
    assert links[1].startswith("data:video/")
    assert base64.b64decode(links[1].split(",")[1]) == b"a film's bytes"


def test_narrow_pictures_stand_side_by_side() -> None:
    for width, kind in ((NARROW, "card narrow"), (NARROW + 1, "card wide")):
        text = page([Picture("1 A", "a picture", "caption", np.zeros((2, width, 3), dtype=np.uint8), key=True)], "", MADE)
        assert f'<div class="{kind}">' in text


def test_only_key_items_are_shown_section_by_section() -> None:
    items = [
        Number("2 Second", "hidden", "caption", 1.0),
        Number("1 First", "shown", "caption", 1234.5, {"chance": 0.001234}, key=True),
        Number("3 Third", "also", "caption", 0.5, {"chance": 0.1}, key=True, percent=True),
    ]
    text = page(items, "A title", MADE)
    assert re.findall(r"<h2>(.*?)</h2>", text) == ["First", "Third"]
    assert "hidden" not in text
    assert "<b>1,234</b>" in text
    assert "chance: 0.00123" in text
    assert summary_of(items) == "First: shown 1,234 (chance 0.00123)\nThird: also 50.0 % (chance 10.0 %)"


def test_tags_are_sorted_as_the_pages_are_read() -> None:
    names = ["position accuracy", "position accuracy after a spawn", "decoding the cell from each layer", "accuracy of D1 (x)"]
    numbers = [int(tag(Item("1 A", name, "")).split("/")[1][:2]) for name in names]
    assert [ORDER[number - 1] for number in numbers] == [*names[:2], "decoding the", "accuracy of D1"]
    assert tag(Item("1 A", "unheard of", "")) == f"1 A/{len(ORDER) + 1} unheard of"
    assert tag(Item("1 A", "episode return", ""), ", film").endswith("episode return, film")
    assert len(set(ORDER)) == len(ORDER)


def test_ranks_have_the_same_precision_recall_curve() -> None:
    random = np.random.default_rng(0)
    scores, labels = random.random(500).astype(np.float32) ** 8, random.random(500) < 0.4
    scores[:50] = scores[50]
    first, second = detection_curve(scores, labels), detection_curve(_ranks(scores), labels)
    assert first is not None
    assert second is not None
    np.testing.assert_allclose(first.precision, second.precision)
    np.testing.assert_allclose(first.recall, second.recall)
    assert 0 <= _ranks(scores).min() <= _ranks(scores).max() <= 1


def test_curves_are_for_tensorboard_only() -> None:
    curves = Curves("1 A", "a curve", "caption", {"agent": (np.arange(2), np.zeros(2))}, key=True)
    assert "<img" not in page([curves], "A title", MADE)


def test_the_figures_are_json_in_the_page_and_beside_it(tmp_path: Path) -> None:
    items = [
        *nasty_items(),
        Number("1 A", "hidden", "caption", Estimate(0.5, 0.25, 0.75), {"chance": 0.1, "none": math.nan}, percent=True),
        Curves("1 A", "a curve", "caption", {"agent": (np.array([0, 5]), np.array([1.0, math.nan]))}),
        Table("1 A", "a table", "caption", ["x"], [["50 %"]], records=[{"x": 0.5}]),
    ]
    write_report(tmp_path / "report.html", items, NASTY, MADE)
    beside = json.loads((tmp_path / "report.json").read_text(), parse_constant=pytest.fail)
    link = re.search(r'href="data:application/json;base64,([^"]*)"', (tmp_path / "report.html").read_text())
    assert link is not None
    assert json.loads(base64.b64decode(link[1])) == beside == figures_of(items, NASTY, MADE)
    assert (beside["title"], beside["date"], beside["command"]) == (NASTY, MADE.date, MADE.command)
    hidden = beside["figures"][1]
    assert (hidden["value"], hidden["low"], hidden["high"]) == (0.5, 0.25, 0.75)
    assert hidden["beside"] == {
        "chance": {"value": 0.1, "low": None, "high": None},
        "none": {"value": None, "low": None, "high": None},
    }
    assert beside["curves"][0]["lines"] == {"agent": [[0, 1.0]]}
    assert [table["rows"] for table in beside["tables"]] == [[{NASTY: NASTY}], [{"x": 0.5}]]


def test_intervals_stand_beside_their_figures() -> None:
    number = Number("1 A", "a share", "caption", Estimate(0.5, 0.25, 0.75), key=True, percent=True)
    assert "<b>50.0 %</b> <i>25.0 to 75.0 %</i>" in page([number], "", MADE)
    assert summary_of([number]) == "A: a share 50.0 % [25.0 to 75.0 %]"
    assert Number("1 A", "a length", "caption", Estimate(1.25, 1.0, 2.5)).interval_text == "1 to 2.5"


def test_the_page_says_when_and_how_it_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    assert f"{MADE.date} · {MADE.version}" in Page(page([], "A title", MADE)).text
    made = provenance()
    assert re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d UTC", made.date)
    assert made.version.startswith(f"Knossos {__version__}")
    monkeypatch.setattr(sys, "argv", ["/clone/experiments/decode.py", "--checkpoint", "runs/a b"])
    monkeypatch.setattr(sys, "orig_argv", ["/bin/python3", "-m", "experiments.decode", "--checkpoint", "runs/a b"])
    assert provenance().command == "python -m experiments.decode --checkpoint 'runs/a b'"


def test_a_telephone_shows_the_page_at_its_own_width() -> None:
    """Nothing but pictures and tables that scroll by themselves is wider; looked at in a browser at 390 and 1200 pixels."""
    wide = Picture("1 A", "a picture", "caption", np.zeros((2, NARROW + 1, 3), dtype=np.uint8), key=True)
    table = Table("1 A", "a table", "caption", ["x"], [["y"]], key=True)
    found = Page(page([wide, table], "A title", MADE))
    assert ("content", "width=device-width, initial-scale=1") in found.attributes
    assert [value for name, value in found.attributes if value == "scroll"] == ["scroll", "scroll"]
