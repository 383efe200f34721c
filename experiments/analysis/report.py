"""One self-contained HTML page with the key items and their captions."""

import base64
import html
from collections.abc import Sequence
from pathlib import Path

from experiments.analysis.items import Film, Item, Number, Picture, Table, png
from experiments.options import write_file
from experiments.tables import html_table

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


def write_report(path: Path, items: Sequence[Item], title: str) -> None:
    """Writes the key items as one HTML file without external links, whole or not at all.

    Raises:
        InputError: the file can't be written.
    """
    write_file(path, page(items, title))


def page(items: Sequence[Item], title: str) -> str:
    """The page's HTML."""
    shown = [item for item in items if item.key]
    parts = [f"<h1>{html.escape(title)}</h1>"]
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
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def _number(number: Number) -> str:
    name, beside, caption = map(html.escape, (number.name, number.beside_text(": ", "; "), number.caption))
    return f'<div class="number"><b>{number.value_text}</b>{name}<br><small>{beside}</small><br><small>{caption}</small></div>'


def _card(item: Item) -> str:
    kind = "card narrow" if isinstance(item, Picture) and item.pixels.shape[1] <= NARROW else "card"
    return f'<div class="{kind}">{_content(item)}</div>'


def _content(item: Item) -> str:
    head = f"<h3>{html.escape(item.name[:1].upper() + item.name[1:])}</h3><p>{html.escape(item.caption)}</p>"
    match item:
        case Picture():
            return f'{head}<img alt="{html.escape(item.name)}" src="{_data("image/png", png(item.pixels))}">'
        case Film():
            source = _data("video/webm", item.webm)
            return f'{head}<video controls loop autoplay muted playsinline src="{source}"></video>'
        case Table():
            return head + html_table([item.header, *item.rows])
    return ""


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
