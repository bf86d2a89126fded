"""Figures as tables for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rasnet.metrics.figures import INSTRUMENT, MEAN
from rasnet.metrics.results import ALL, Figure, Results

if TYPE_CHECKING:
    from rich.table import Table

_BY_CLASS = {
    "pooled_dice": "Dice",
    "pooled_iou": "IoU",
    "paper_foreground_only_dice": "Dice, fore-\nground only",
    "nsd": "NSD",
    "hd95": "HD95, px",
}
_BY_FRAME = {"challenge_iou": "Challenge IoU", "isi_iou": "ISI IoU", "mc_iou": "mc IoU"}


def class_table(results: Results, title: str) -> Table:
    """Make a table of the whole set: a row a class, their mean, and instrument against background."""
    labels = [*results.labels[1:], MEAN, INSTRUMENT]
    rows = {label: [results.find(metric, label) for metric in _BY_CLASS] for label in dict.fromkeys(labels)}
    shown = [place for place in range(len(_BY_CLASS)) if any(row[place] for row in rows.values())]
    table = _table(title, "class", [list(_BY_CLASS.values())[place] for place in shown])
    for label, row in rows.items():
        if any(row):
            table.add_row(label, *(_interval(row[place]) for place in shown))
    by_frame = [
        f"{words} {_interval(found, ' ')}" for metric, words in _BY_FRAME.items() if (found := results.find(metric))
    ]
    over = sorted({figure.over for figure in results.figures if figure.sequence == ALL and figure.over})
    drawn = f"95 % intervals: bootstrap over {' or '.join(over)}" if over else "one frame: no intervals"
    frames = f"{sum(results.frames.values())} frames; {drawn}"
    table.caption = "\n".join([*by_frame, frames])
    return table


def sequence_table(results: Results) -> Table:
    """Make a table with a row a sequence."""
    columns = {
        "instrument Dice": ("pooled_dice", INSTRUMENT),
        "instrument NSD": ("nsd", INSTRUMENT),
        "mean Dice": ("pooled_dice", MEAN),
        "Challenge IoU": ("challenge_iou", MEAN),
    }
    found = {name: [results.find(metric, label, name) for metric, label in columns.values()] for name in results.frames}
    shown = [place for place in range(len(columns)) if any(row[place] for row in found.values())]
    table = _table("by sequence", "sequence", ["frames", *(list(columns)[place] for place in shown)])
    for name, row in found.items():
        table.add_row(name, str(results.frames[name]), *(_interval(row[place]) for place in shown))
    table.caption = "95 % intervals: bootstrap over frames, too narrow for what another sequence would give"
    return table


def result_tables(results: dict[str, Results]) -> list[Table]:
    """Make all tables of an evaluation."""
    tables = []
    for name, result in results.items():
        tables.append(class_table(result, f"{name}, {ALL} sequences" if len(result.frames) > 1 else name))
        if len(result.frames) > 1:
            tables.append(sequence_table(result))
    return tables


def _table(title: str, first: str, columns: list[str]) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left", caption_justify="left", box=None, header_style="bold")
    table.add_column(first)
    for column in columns:
        table.add_column(column, justify="right", min_width=11)
    return table


def _interval(figure: Figure | None, between: str = "\n") -> str:
    """Write a value and its interval: ``0.934`` and ``0.921-0.947``."""
    if figure is None:
        return ""
    digits = 1 if figure.metric == "hd95" else 3
    value = f"{figure.value:.{digits}f}"
    if figure.low is None or figure.high is None:
        return value
    return f"{value}{between}{figure.low:.{digits}f}-{figure.high:.{digits}f}"
