"""Tables and figures as text: aligned columns for a terminal, Markdown, and HTML."""

import html
from collections.abc import Sequence

from experiments.analysis.intervals import Measured
from experiments.analysis.statistics import Estimate

MISSING = "–"
"""Stands for a figure that does not exist, e.g. the position accuracy of an agent without a position decoder."""

Lines = Sequence[Sequence[str]]
"""Rows of cells of text, all of one length; the first row is the header."""


def number(value: float | None, digits: int = 1) -> str:
    """A number with `digits` decimal places; a dash for None."""
    return MISSING if value is None else f"{value:.{digits}f}"


def percent(fraction: float | None, digits: int = 0) -> str:
    """A fraction (0 to 1) in percent; a dash for None."""
    return MISSING if fraction is None else f"{100 * fraction:.{digits}f} %"


def interval(found: Measured, scale: float = 1, digits: int = 1) -> str:
    """`value [low, high]`, each multiplied by `scale`; the value alone where there is no interval."""
    if not isinstance(found, Estimate):
        return f"{scale * found:.{digits}f}"
    return f"{scale * found.value:.{digits}f} [{scale * found.low:.{digits}f}, {scale * found.high:.{digits}f}]"


def text_table(lines: Lines, left: int = 3) -> str:
    """Columns of equal width under a rule; the first `left` columns are aligned to the left, the others to the right."""
    padded = ["  ".join(line) for line in _padded(lines, left)]
    return "\n".join([padded[0].rstrip(), "-" * len(padded[0]), *(line.rstrip() for line in padded[1:])])


def markdown_table(lines: Lines, left: int = 1) -> str:
    """A Markdown table whose source is aligned too; the first `left` columns are aligned to the left, the others to the right."""
    escaped = [[text.replace("|", "\\|") for text in line] for line in lines]
    padded = _padded(escaped, left)
    widths = [len(text) for text in padded[0]]
    rule = ["-" * (width + 2) if column < left else "-" * (width + 1) + ":" for column, width in enumerate(widths)]
    made = [f"| {' | '.join(line)} |" for line in padded]
    return "\n".join([made[0], f"|{'|'.join(rule)}|", *made[1:]])


def html_table(lines: Lines) -> str:
    """An HTML table with escaped texts; of the class `plain` where the header is empty."""
    rows = []
    for number_of_line, line in enumerate(lines):
        tag = "td" if number_of_line else "th"
        rows.append("<tr>" + "".join(f"<{tag}>{html.escape(text)}</{tag}>" for text in line) + "</tr>")
    plain = "" if any(lines[0]) else ' class="plain"'
    return f"<table{plain}>{''.join(rows)}</table>"


def _padded(lines: Lines, left: int) -> list[list[str]]:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return [
        [
            text.ljust(width) if column < left else text.rjust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ]
        for line in lines
    ]
