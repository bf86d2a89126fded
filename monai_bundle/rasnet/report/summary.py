"""What a case comes to, instrument by instrument."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rasnet.progress import Progress
from rasnet.report.presence import Presence, measure_presence
from rasnet.report.style import clock

if TYPE_CHECKING:
    from rich.table import Table

    from rasnet.case import Case, Layer

ENTRY_GAP_S = 1.0
"""An instrument that is away for up to this long, in seconds, has not left: smoke, or a missed frame."""


@dataclass(frozen=True)
class LayerSummary:
    """One instrument over the whole video.

    Attributes:
        layer: id, name, colour, type.
        seconds: time on screen.
        entries: how often it came into view; absences up to `ENTRY_GAP_S` do not count.
        first_s: presentation time of the first frame that shows it, seconds; None where none does.
        last_s: the same of the last.
        mean_area_px: mean pixels over the frames that show it; 0 where none does.
    """

    layer: Layer
    seconds: float
    entries: int
    first_s: float | None
    last_s: float | None
    mean_area_px: float


def summarize_layers(case: Case, *, progress: Progress | None = None) -> list[LayerSummary]:
    """Sum up each layer of a case over its segmented frames; frames that a person skipped do not count."""
    presence = measure_presence(case, progress=progress)
    return [_summarize(presence, position) for position in range(len(presence.layers))]


def summary_table(summaries: list[LayerSummary]) -> Table:
    """Lay summaries out for a terminal."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for title in ("instrument", "type"):
        table.add_column(title)
    for title in ("on screen", "entries", "first seen", "last seen", "mean area"):
        table.add_column(title, justify="right")
    for summary in summaries:
        red, green, blue = summary.layer.color
        table.add_row(
            Text("■ ", style=f"rgb({red},{green},{blue})").append(summary.layer.name, style="default"),
            summary.layer.type or "not known",
            f"{summary.seconds:.1f} s",
            str(summary.entries),
            "never" if summary.first_s is None else clock(summary.first_s),
            "never" if summary.last_s is None else clock(summary.last_s),
            f"{summary.mean_area_px:.0f} px",
        )
    return table


def _summarize(presence: Presence, position: int) -> LayerSummary:
    areas = presence.areas[:, position]
    seen = areas > 0
    times = presence.times[seen]
    return LayerSummary(
        layer=presence.layers[position],
        seconds=float(presence.durations[seen].sum()),
        entries=len(presence.spans(position, gap_s=ENTRY_GAP_S)),
        first_s=float(times[0]) if seen.any() else None,
        last_s=float(times[-1]) if seen.any() else None,
        mean_area_px=float(areas[seen].mean()) if seen.any() else 0.0,
    )
