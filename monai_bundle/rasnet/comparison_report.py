"""What two cases agree on, as tables and as pictures of the frames on which they agree least."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageDraw

from rasnet.case import Case, Layer
from rasnet.comparison import Comparison, FrameAgreement, LayerAgreement, worst_frames
from rasnet.files import clear_errors, whole_file
from rasnet.masks import Mask
from rasnet.progress import Progress, SilentProgress
from rasnet.report.overlay import draw_overlay
from rasnet.report.style import clock, font

if TYPE_CHECKING:
    from rich.table import Table

_TILE_WIDTH = 640
_GAP, _LINE, _HEADER = 10, 30, 40
_PAPER, _INK = (255, 255, 255), (40, 40, 40)
_MOST_PICTURES = 6


def write_comparison(
    comparison: Comparison, first: Case, second: Case, folder: Path, progress: Progress | None = None
) -> list[Path]:
    """Write ``layers.csv``, ``frames.csv`` and, where the cases differ, ``worst_frames.png``.

    In the picture both cases lie side by side; a layer of the second has the colour of its match in the first.

    Args:
        comparison: what `rasnet.comparison.compare_cases` gave.
        first: the first case; its video must be where it was.
        second: the second case.
        folder: made with its parents.
        progress: told of each picture.

    Returns:
        What was written.

    Raises:
        RASNetError: the video has moved, or the folder cannot be written.
    """
    progress = progress or SilentProgress()
    with clear_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _write_csv(folder / "layers.csv", [_layer_row(layer) for layer in comparison.layers])
        frames = [{"frame": f.index, "time_s": f"{f.pts:.6f}", "dice": f"{f.dice:.6f}"} for f in comparison.frames]
        _write_csv(folder / "frames.csv", frames)
        written = [folder / "layers.csv", folder / "frames.csv"]
        if worst := worst_frames(comparison.frames, _MOST_PICTURES):
            written.append(folder / "worst_frames.png")
            with whole_file(written[-1]) as making:
                _draw(comparison, first, second, worst, progress).save(making)
    return written


def comparison_table(comparison: Comparison) -> Table:
    """Lay the layers out for a terminal."""
    from rich.table import Table
    from rich.text import Text

    table = Table("first", "second", "frames", "Dice", "NSD", "type")
    for layer in comparison.layers:
        row = _layer_row(layer)
        types = {"": "-", "yes": str(row["first_type"]), "no": f"{row['first_type']} / {row['second_type']}"}
        table.add_row(
            Text(str(row["first"]) or "-"),
            Text(str(row["second"]) or "-"),
            str(layer.frames),
            _figure(layer.dice),
            _figure(layer.nsd),
            Text(types[str(row["same_type"])]),
        )
    return table


def _layer_row(layer: LayerAgreement) -> dict[str, object]:
    return {
        "first_id": layer.first.id if layer.first else "",
        "first": layer.first.name if layer.first else "",
        "first_type": (layer.first.type if layer.first else None) or "",
        "second_id": layer.second.id if layer.second else "",
        "second": layer.second.name if layer.second else "",
        "second_type": (layer.second.type if layer.second else None) or "",
        "frames": layer.frames,
        "dice": "" if math.isnan(layer.dice) else f"{layer.dice:.6f}",
        "nsd": "" if math.isnan(layer.nsd) else f"{layer.nsd:.6f}",
        "same_type": {True: "yes", False: "no", None: ""}[layer.same_type],
    }


def _write_csv(path: Path, rows: list[dict[str, object]]) -> None:
    with whole_file(path) as making, making.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys() if rows else ())
        writer.writeheader()
        writer.writerows(rows)


def _draw(
    comparison: Comparison, first: Case, second: Case, worst: list[FrameAgreement], progress: Progress
) -> Image.Image:
    colors = {pair.second.id: pair.first.color for pair in comparison.layers if pair.first and pair.second}
    theirs = [replace(layer, color=colors.get(layer.id, layer.color)) for layer in second.layers()]
    height = round(first.info.height * _TILE_WIDTH / first.info.width)
    size = (2 * _TILE_WIDTH + 3 * _GAP, _HEADER + len(worst) * (height + _LINE + _GAP))
    page = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(page)
    for column, case in enumerate((first, second)):
        place = (_GAP + column * (_TILE_WIDTH + _GAP), _HEADER // 2)
        draw.text(place, case.folder.name, _INK, font(18), anchor="lm")
    progress.start("draw", len(worst))
    with first.open_source() as source:
        for number, frame in enumerate(worst):
            top = _HEADER + number * (height + _LINE + _GAP)
            words = f"frame {frame.index}   {clock(frame.pts)}   Dice {frame.dice:.3f}"
            draw.text((_GAP, top + _LINE // 2), words, _INK, font(15), anchor="lm")
            small = cv2.resize(source[frame.index].rgb, (_TILE_WIDTH, height), interpolation=cv2.INTER_AREA)
            for column, (case, layers) in enumerate(((first, first.layers()), (second, theirs))):
                tile = _tile(small, case.mask(frame.index), layers)
                page.paste(tile, (_GAP + column * (_TILE_WIDTH + _GAP), top + _LINE))
            progress.advance(frame.index)
    return page


def _tile(rgb: Mask, mask: Mask, layers: list[Layer]) -> Image.Image:
    small = cv2.resize(mask, (rgb.shape[1], rgb.shape[0]), interpolation=cv2.INTER_NEAREST)
    return Image.fromarray(draw_overlay(rgb, np.ascontiguousarray(small), layers))


def _figure(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"
