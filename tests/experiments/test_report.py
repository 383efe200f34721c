"""The HTML page and TensorBoard's tags: everything is escaped, everything stands where it belongs."""

import base64
import html.parser
import re

import numpy as np
import pytest

from experiments.analysis.items import Curves, Film, Item, Number, Picture, Table
from experiments.analysis.report import NARROW, page
from experiments.analysis.statistics import detection_curve
from experiments.analysis.tensorboard import ORDER, _ranks, tag
from experiments.decode import summary_of

NASTY = """<script>alert("1 & 2")</script>'"""
PIXELS = np.zeros((4, 6, 3), dtype=np.uint8)


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
    found = Page(page(nasty_items(), NASTY))
    assert "script" not in found.tags
    assert found.text.count(NASTY) == 12
    assert ("alt", NASTY) in found.attributes
    assert not any(name.startswith("on") for name, _ in found.attributes)


def test_pictures_are_within_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    film = Film("1 A", "a film", "caption", np.zeros((2, 4, 4, 3), dtype=np.uint8), 5.0, np.arange(2), key=True)
    monkeypatch.setattr("experiments.analysis.items.webm", lambda *_: b"a film's bytes")
    text = page([Picture("1 A", "a picture", "caption", PIXELS, key=True), film], "A title")
    links = re.findall(r'src="([^"]*)"', text)
    assert base64.b64decode(links[0].removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")
    assert links[1].startswith("data:video/")
    assert base64.b64decode(links[1].split(",")[1]) == b"a film's bytes"


def test_narrow_pictures_stand_side_by_side() -> None:
    for width, kind in ((NARROW, "card narrow"), (NARROW + 1, "card")):
        text = page([Picture("1 A", "a picture", "caption", np.zeros((2, width, 3), dtype=np.uint8), key=True)], "")
        assert f'<div class="{kind}">' in text


def test_only_key_items_are_shown_section_by_section() -> None:
    items = [
        Number("2 Second", "hidden", "caption", 1.0),
        Number("1 First", "shown", "caption", 1234.5, {"chance": 0.001234}, key=True),
        Number("3 Third", "also", "caption", 0.5, {"chance": 0.1}, key=True, percent=True),
    ]
    text = page(items, "A title")
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
    assert "<img" not in page([curves], "A title")
