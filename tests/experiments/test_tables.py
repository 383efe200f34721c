"""Tables as text, Markdown and HTML: aligned, escaped, and with dashes for figures that don't exist."""

import html.parser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.analysis.statistics import Estimate
from experiments.tables import MISSING, html_table, interval, markdown_table, number, percent, text_table

LINES = [["agent", "task", "return"], ["nav", "static-small", "98.3"], ["random", "i-maze", "4"]]


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (number(None), MISSING),
        (number(1.26), "1.3"),
        (number(0.0, 2), "0.00"),
        (percent(None), MISSING),
        (percent(0.5), "50 %"),
        (percent(0.1234, 1), "12.3 %"),
        (interval(Estimate(0.5, 0.25, 1.0), 100, 0), "50 [25, 100]"),
        (interval(Estimate(1.0, -0.04, 2.0)), "1.0 [-0.0, 2.0]"),
    ],
)
def test_figures_as_text(found: str, text: str) -> None:
    assert found == text


def test_a_text_table_is_aligned_under_a_rule() -> None:
    head, rule, *rows = text_table(LINES, left=2).split("\n")
    assert head == "agent   task          return"
    assert rule == "-" * len(head)
    assert rows == ["nav     static-small    98.3", "random  i-maze             4"]


def test_a_markdown_table_says_which_columns_are_numbers() -> None:
    head, rule, *rows = markdown_table(LINES, left=2).split("\n")
    assert head == "| agent  | task         | return |"
    assert rule == "|--------|--------------|-------:|"
    assert rows[1] == "| random | i-maze       |      4 |"


cells = st.text(st.characters(codec="ascii", exclude_categories=("Cc",)), max_size=8).map(str.strip)
tables = st.integers(1, 4).flatmap(
    lambda columns: st.lists(st.lists(cells, min_size=columns, max_size=columns), min_size=1, max_size=5)
)


@given(tables, st.integers(0, 4))
def test_markdown_of_any_texts_can_be_read_back(lines: list[list[str]], left: int) -> None:
    """Bars within a cell are escaped: without that the row would have more cells."""
    made = markdown_table(lines, left).split("\n")
    del made[1]
    read = [[text.strip() for text in row.replace("\\|", "\0").strip("|").split("|")] for row in made]
    assert [[text.replace("\0", "|") for text in row] for row in read] == lines


@given(tables, st.integers(0, 4))
def test_every_row_of_a_text_table_is_as_wide_as_the_rule(lines: list[list[str]], left: int) -> None:
    made = text_table(lines, left).split("\n")
    assert len(made) == len(lines) + 1
    assert all(len(row) <= len(made[1]) for row in made)


class Cells(html.parser.HTMLParser):
    """Collects the text of every cell, and tags that are none of a table's."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.others: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag != "table":
            self.others.append(tag)

    def handle_data(self, data: str) -> None:
        self.rows[-1][-1] += data


@given(tables)
def test_html_of_any_texts_can_be_read_back(lines: list[list[str]]) -> None:
    parser = Cells()
    parser.feed(html_table(lines))
    parser.close()
    assert parser.rows == lines
    assert parser.others == []


def test_a_table_without_header_is_plain() -> None:
    assert html_table([["", ""], ["agent", "<b>"]]).startswith('<table class="plain"><tr><th></th>')
    assert "&lt;b&gt;" in html_table([["", ""], ["agent", "<b>"]])
    assert html_table([["a"], ["b"]]).startswith("<table><tr><th>a</th>")
