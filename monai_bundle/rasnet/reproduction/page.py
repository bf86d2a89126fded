"""One HTML page with everything in it: tables, pictures, and what they were made of."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

from PIL import Image

from rasnet.files import clear_errors, whole_file
from rasnet.reproduction.tables import Table

# A picture of a larger width to height is moved sideways instead of made illegible.
_WIDEST = 2.5

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .8rem; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; }
table.facts td { text-align: left; vertical-align: top; }
td.paper, th.paper { color: #0060a0; }
.note { color: #555; max-width: 48rem; } .warning { background: #fff3cd; padding: .6rem 1rem; max-width: 48rem; }
img { max-width: 100%; height: auto; }
.wide { overflow-x: auto; } .wide img { max-width: none; height: 26rem; }
"""


def write_page(
    output: Path,
    *,
    facts: Sequence[tuple[str, str]],
    warnings: Sequence[str],
    tables: Sequence[Table],
    pictures: Sequence[tuple[str, Path]],
    explanation: str,
) -> None:
    """Write the page; pictures are put into it, so that it can be sent as one file.

    Args:
        output: the file.
        facts: what was run, as pairs of name and value.
        warnings: what a reader must know first.
        tables: in order.
        pictures: caption and PNG file.
        explanation: of the columns.
    """
    body = [
        "<h1>RASNet: the paper's experiments</h1>",
        *(f"<p class='warning'>{escape(words)}</p>" for words in warnings),
        _table(Table("What was run", ("", ""), tuple(facts)), plain=True),
        f"<p class='note'>{escape(explanation)}</p>",
        *map(_table, tables),
        *(_picture(caption, file) for caption, file in pictures),
    ]
    html = (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>RASNet: the paper's experiments</title>"
        f"<style>{_STYLE}</style></head><body>\n" + "\n".join(body) + "\n</body></html>\n"
    )
    with clear_errors(output), whole_file(output) as making:
        making.write_text(html, encoding="utf-8")


def _table(table: Table, plain: bool = False) -> str:
    def cell(tag: str, column: int, text: str) -> str:
        kind = " class='paper'" if table.headings[column].startswith("paper") else ""
        return f"<{tag}{kind}>{escape(text)}</{tag}>"

    def row(tag: str, texts: Sequence[str]) -> str:
        return "<tr>" + "".join(cell(tag, column, text) for column, text in enumerate(texts)) + "</tr>"

    head = "" if plain else f"<thead>{row('th', table.headings)}</thead>"
    note = f"<p class='note'>{escape(table.notes)}</p>" if table.notes else ""
    rows = "".join(row("td", texts) for texts in table.rows)
    kind = " class='facts'" if plain else ""
    return f"<h2>{escape(table.title)}</h2><table{kind}>{head}<tbody>{rows}</tbody></table>{note}"


def _picture(caption: str, file: Path) -> str:
    data = base64.b64encode(file.read_bytes()).decode()
    with Image.open(file) as image:
        kind = "wide" if image.width > _WIDEST * image.height else "fitting"
    picture = f"<img alt='{escape(caption)}' src='data:image/png;base64,{data}'>"
    return f"<h2>{escape(caption)}</h2><div class='{kind}'>{picture}</div>"
