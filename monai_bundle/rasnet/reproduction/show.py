"""The tables on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table as RichTable

from rasnet.reproduction.tables import Table


def show_tables(tables: Sequence[Table], console: Console | None = None) -> None:
    """Print tables one below the other."""
    console = console or Console()
    for table in tables:
        shown = RichTable(box=None, pad_edge=False, title=f"\n{table.title}", title_justify="left")
        for place, heading in enumerate(table.headings):
            shown.add_column(heading, justify="left" if place == 0 else "right")
        for row in table.rows:
            shown.add_row(*row)
        console.print(shown)
        if table.notes:
            console.print(table.notes, markup=False, highlight=False)
