"""One self-contained page with the figures that matter and the words to read them."""

import base64
import html
from collections.abc import Sequence
from pathlib import Path

from experiments.analysis.items import Exhibit, Film, Number, Picture, Table, png
from experiments.analysis.video import mp4
from experiments.options import write_file

NARROW = 800
"""Pictures up to this width, in pixels, may stand side by side."""

_STYLE = """
body { font: 17px/1.5 system-ui, sans-serif; color: #22252d; max-width: 1140px; margin: 2.5em auto; padding: 0 1.2em; }
h1 { font-size: 1.7em; margin-bottom: .2em; } h2 { margin-top: 2.2em; border-bottom: 2px solid #e6e8ee; padding-bottom: .2em; }
h3 { margin: 1.8em 0 .2em; font-size: 1.05em; } p { margin: .3em 0 .8em; color: #4a4f5c; max-width: 52em; }
img, video { max-width: 100%; border: 1px solid #e6e8ee; } .numbers { display: flex; flex-wrap: wrap; gap: 1em; }
.number { border: 1px solid #e6e8ee; border-radius: 8px; padding: .7em 1em; flex: 1 1 15em; }
.number b { display: block; font-size: 1.7em; color: #2563c9; } .number small { color: #4a4f5c; }
.shown { display: flex; flex-wrap: wrap; gap: 0 2em; } .card { flex: 1 1 100%; } .card.narrow { flex: 0 1 31em; max-width: 31em; }
.card.narrow img { width: 100%; } .plain td { text-align: left; }
table { border-collapse: collapse; font-size: .92em; } td, th { padding: .25em .9em; border-bottom: 1px solid #e6e8ee; }
th, td { text-align: right; } th:first-child, td:first-child { text-align: left; }
"""


def write_report(path: Path, exhibits: Sequence[Exhibit], title: str = "What the agent knows", lead: str = "") -> None:
    """The key exhibits as one HTML file that needs nothing else, written whole or not at all.

    Raises:
        InputError: the place can't be written.
    """
    write_file(path, page(exhibits, title, lead))


def page(exhibits: Sequence[Exhibit], title: str, lead: str) -> str:
    """The page's HTML."""
    shown = [exhibit for exhibit in exhibits if exhibit.key]
    parts = [f"<h1>{html.escape(title)}</h1>", f"<p>{html.escape(lead)}</p>" if lead else ""]
    for section in dict.fromkeys(exhibit.section for exhibit in shown):
        inside = [exhibit for exhibit in shown if exhibit.section == section]
        parts.append(f"<h2>{html.escape(section.lstrip('0123456789 '))}</h2>")
        numbers = [exhibit for exhibit in inside if isinstance(exhibit, Number)]
        if numbers:
            parts.append('<div class="numbers">' + "".join(_number(number) for number in numbers) + "</div>")
        cards = "".join(_card(exhibit) for exhibit in inside if not isinstance(exhibit, Number))
        parts.append(f'<div class="shown">{cards}</div>')
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def _number(number: Number) -> str:
    beside = "; ".join(f"{who}: {number.shown(value)}" for who, value in number.beside.items())
    return (
        f'<div class="number"><b>{number.shown(number.value)}</b>{html.escape(number.name)}'
        f"<br><small>{html.escape(beside)}</small><br><small>{html.escape(number.words)}</small></div>"
    )


def _card(exhibit: Exhibit) -> str:
    narrow = isinstance(exhibit, Picture) and exhibit.pixels.shape[1] <= NARROW
    return f'<div class="card{" narrow" if narrow else ""}">{_exhibit(exhibit)}</div>'


def _exhibit(exhibit: Exhibit) -> str:
    head = f"<h3>{html.escape(exhibit.name[:1].upper() + exhibit.name[1:])}</h3><p>{html.escape(exhibit.words)}</p>"
    match exhibit:
        case Picture():
            return f'{head}<img alt="{html.escape(exhibit.name)}" src="{_data("image/png", png(exhibit.pixels))}">'
        case Film():
            source = _data("video/mp4", mp4(exhibit))
            return f'{head}<video controls loop autoplay muted playsinline src="{source}"></video>'
        case Table():
            lines = [("th", exhibit.header), *(("td", row) for row in exhibit.rows)]
            rows = ("".join(f"<{cell}>{html.escape(text)}</{cell}>" for text in texts) for cell, texts in lines)
            kind = "" if any(exhibit.header) else ' class="plain"'
            return head + f"<table{kind}>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>"
    return ""


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
