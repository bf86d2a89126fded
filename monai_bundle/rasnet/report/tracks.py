"""Where every instrument is in every frame, as a table for spreadsheets and statistics."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from rasnet.files import clear_errors, whole_file
from rasnet.progress import Progress, SilentProgress
from rasnet.report.frames import marked_frames, measure_frame

if TYPE_CHECKING:
    from rasnet.case import Case, FrameRow, Layer
    from rasnet.measurements import LayerMeasurement

COLUMNS = (
    "frame", "time_s", "layer", "name", "type", "area_px",
    "centroid_x", "centroid_y", "axis_x", "axis_y", "tip_x", "tip_y",
)  # fmt: skip


def write_tracks(case: Case, output: str | Path, *, progress: Progress | None = None) -> int:
    """Write one row for every frame and every layer in it, as CSV.

    Columns: ``frame`` (index in the source), ``time_s`` (presentation time, seconds), ``layer`` (id),
    ``name``, ``type`` (empty where not known), ``area_px`` (pixels), ``centroid_x``, ``centroid_y`` (pixels
    from the frame's left upper corner, x to the right, y down), ``axis_x``, ``axis_y`` (unit vector along the
    instrument), ``tip_x``, ``tip_y`` (pixels; empty where not known). Frames that a person skipped are left
    out.

    Args:
        case: the case.
        output: the CSV file, replaced once the new one is whole; ``"-"`` writes to stdout.
        progress: who watches.

    Returns:
        How many rows were written.
    """
    progress = progress or SilentProgress()
    frames = marked_frames(case)
    layers = {layer.id: layer for layer in case.layers()}
    progress.start("measure", len(frames))
    written = 0
    with _open_csv(output) as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(COLUMNS)
        for row in frames:
            for found in measure_frame(case, row.index, case.mask(row.index)):
                if found.layer in layers:
                    table.writerow(_cells(row, layers[found.layer], found))
                    written += 1
            progress.advance(frame=row.index)
    progress.finish(rows=written)
    return written


def _cells(row: FrameRow, layer: Layer, found: LayerMeasurement) -> list[str | int]:
    tip = [f"{value:.1f}" for value in found.tip] if found.tip is not None else ["", ""]
    return [
        row.index,
        f"{row.pts:.4f}",
        layer.id,
        layer.name,
        layer.type or "",
        found.area,
        *(f"{value:.1f}" for value in found.centroid),
        *(f"{value:.4f}" for value in found.axis),
        *tip,
    ]


@contextmanager
def _open_csv(output: str | Path) -> Iterator[TextIO]:
    if str(output) == "-":
        yield sys.stdout
        return
    target = Path(output)
    with (
        clear_errors(target),
        whole_file(target) as path,
        path.open("w", newline="", encoding="utf-8") as stream,
    ):
        yield stream
