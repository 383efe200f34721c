"""One self-contained HTML page with the key items and their captions, and the figures of all items as JSON."""

import base64
import html
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from experiments.analysis.items import Curves, Film, Item, Number, Picture, Table, png
from experiments.options import write_file
from experiments.provenance import Provenance
from experiments.tables import html_table

NARROW = 800
"""Pictures up to this width, in pixels, may stand side by side."""
_STYLE = """
body { font: 17px/1.5 system-ui, sans-serif; color: #22252d; max-width: 1140px; margin: 2.5em auto; padding: 0 1.2em; }
h1 { font-size: 1.7em; margin-bottom: .2em; } h2 { margin-top: 2.2em; border-bottom: 2px solid #e6e8ee; padding-bottom: .2em; }
h3 { margin: 1.8em 0 .2em; font-size: 1.05em; } p { margin: .3em 0 .8em; color: #4a4f5c; max-width: 52em; }
h1, h3, td, .made { overflow-wrap: anywhere; } .made { font-size: .85em; } .made code { font-size: .95em; }
img, video { max-width: 100%; height: auto; border: 1px solid #e6e8ee; box-sizing: border-box; } a { color: #2563c9; }
.numbers { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(17em, 100%), 1fr)); gap: 1em; }
.number { border: 1px solid #e6e8ee; border-radius: 8px; padding: .7em 1em; overflow-wrap: anywhere; }
.number b { font-size: 1.7em; color: #2563c9; } .number i { font-style: normal; color: #4a4f5c; white-space: nowrap; }
.number small { color: #4a4f5c; display: block; } .number span { display: block; }
.shown { display: flex; flex-wrap: wrap; gap: 0 2em; } .card { flex: 1 1 100%; min-width: 0; }
.card.narrow { flex: 0 1 31em; max-width: 31em; }
.card.narrow img { width: 100%; } .plain td { text-align: left; } .scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .92em; } td, th { padding: .25em .9em; border-bottom: 1px solid #e6e8ee; }
th, td { text-align: right; }
th:first-child, td:first-child { text-align: left; }
.plain td:first-child, table:not(.plain) td + td { white-space: nowrap; }
@media (max-width: 700px) {
  body { font-size: 16px; margin: 1em auto; padding: 0 .8em; } h2 { margin-top: 1.6em; } td, th { padding: .25em .5em; }
  .card.wide img { max-width: none; width: 760px; } .scroll td:first-child { min-width: 9em; }
}
"""
"""On a telephone wide pictures and tables scroll sideways, each by itself, and the page doesn't."""


def write_report(path: Path, items: Sequence[Item], title: str, made: Provenance) -> None:
    """Writes the key items as one HTML file without external links, and the figures beside it; each whole or not at all.

    Raises:
        InputError: a file can't be written.
    """
    figures = json.dumps(figures_of(items, title, made), indent=1, allow_nan=False)
    write_file(path.with_suffix(".json"), figures + "\n")
    write_file(path, page(items, title, made))


def figures_of(items: Sequence[Item], title: str, made: Provenance) -> dict[str, object]:
    """All figures, curves and tables as JSON: fractions from 0 to 1; `low` and `high` bound 95 % intervals over episodes."""
    return {
        "title": title,
        **asdict(made),
        "figures": [item.as_json() for item in items if isinstance(item, Number)],
        "curves": [item.as_json() for item in items if isinstance(item, Curves)],
        "tables": [item.as_json() for item in items if isinstance(item, Table) and item.name != "figures at a glance"],
    }


def page(items: Sequence[Item], title: str, made: Provenance) -> str:
    """The page's HTML."""
    shown = [item for item in items if item.key]
    parts = [f"<h1>{html.escape(title)}</h1>", _made(items, title, made)]
    for section in dict.fromkeys(item.section for item in shown):
        inside = [item for item in shown if item.section == section]
        parts.append(f"<h2>{html.escape(section.lstrip('0123456789 '))}</h2>")
        numbers = [item for item in inside if isinstance(item, Number)]
        if numbers:
            parts.append('<div class="numbers">' + "".join(_number(number) for number in numbers) + "</div>")
        cards = "".join(_card(item) for item in inside if not isinstance(item, Number))
        parts.append(f'<div class="shown">{cards}</div>')
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def _made(items: Sequence[Item], title: str, made: Provenance) -> str:
    """When, by what and how the page was made, and its figures as a file within it."""
    figures = json.dumps(figures_of(items, title, made), allow_nan=False).encode()
    link = f'<a download="figures.json" href="{_data("application/json", figures)}">All figures as JSON</a>'
    date, version, command = map(html.escape, (made.date, made.version, made.command))
    return f'<p class="made">{date} · {version} · <code>{command}</code> · {link}</p>'


def _number(number: Number) -> str:
    name, beside, caption = map(html.escape, (number.name, number.beside_text(": ", "; "), number.caption))
    interval = f" <i>{html.escape(number.interval_text)}</i>" if number.interval_text else ""
    references = f"<small>{beside}</small>" if beside else ""
    return (
        f'<div class="number"><b>{number.value_text}</b>{interval}<span>{name}</span>{references}<small>{caption}</small></div>'
    )


def _card(item: Item) -> str:
    kind = "card"
    if isinstance(item, Picture):
        kind = "card narrow" if item.pixels.shape[1] <= NARROW else "card wide"
    return f'<div class="{kind}">{_content(item)}</div>'


def _content(item: Item) -> str:
    head = f"<h3>{html.escape(item.name[:1].upper() + item.name[1:])}</h3><p>{html.escape(item.caption)}</p>"
    match item:
        case Picture():
            height, width = item.pixels.shape[:2]
            source = _data("image/png", png(item.pixels))
            picture = f'<img alt="{html.escape(item.name)}" width="{width}" height="{height}" src="{source}">'
            return f'{head}<div class="scroll">{picture}</div>'
        case Film():
            source = _data("video/webm", item.webm)
            return f'{head}<video controls loop autoplay muted playsinline src="{source}"></video>'
        case Table():
            return f'{head}<div class="scroll">{html_table([item.header, *item.rows])}</div>'
    return ""


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
