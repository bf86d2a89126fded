"""One page that shows what a video holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from rasnet.errors import RASNetError
from rasnet.files import clear_errors, whole_file
from rasnet.geometry import Point
from rasnet.progress import Progress, SilentProgress
from rasnet.report.frames import marked_frames, measure_frame
from rasnet.report.overlay import draw_overlay
from rasnet.report.style import clock, font

if TYPE_CHECKING:
    from rasnet.case import Case, FrameRow
    from rasnet.measurements import LayerMeasurement
    from rasnet.video import Frame

T = TypeVar("T")

_TILE_WIDTH = 480
_GAP = 10
_HEADER = 46
_PAPER = (255, 255, 255)
_INK = (40, 40, 40)


def write_contact_sheet(
    case: Case, output: str | Path, *, columns: int = 4, rows: int = 3, progress: Progress | None = None
) -> None:
    """Draw a grid of frames, spread evenly over the case, with their instruments marked.

    Args:
        case: the case; its source video must be where it was.
        output: the picture to write (``.png`` or ``.jpg``).
        columns: frames side by side.
        rows: lines of frames; fewer where the case has fewer frames.
        progress: who watches.

    Raises:
        RASNetError: no frame is segmented yet, or the source has moved.
    """
    progress = progress or SilentProgress()
    chosen = spread(marked_frames(case), columns * rows)
    if not chosen:
        raise RASNetError(f"{case.folder} has no segmented frame to draw yet; run `rasnet segment` first")
    progress.start("contact sheet", len(chosen))
    tiles = []
    with case.open_source() as source:
        for row in chosen:
            tiles.append(_tile(case, row, source[row.index]))
            progress.advance(frame=row.index)
    title = f"{case.info.source.name}   {clock(chosen[0].pts, decimals=0)} to {clock(chosen[-1].pts, decimals=0)}"
    sheet = _lay_out(tiles, min(columns, len(tiles)), title)
    with clear_errors(Path(output)), whole_file(Path(output)) as path:
        sheet.save(path)
    progress.finish()


def spread(frames: Sequence[T], count: int) -> list[T]:
    """Choose up to ``count`` frames, evenly; the first and the last are among them where there is room."""
    chosen = np.linspace(0, len(frames) - 1, min(count, len(frames)))
    return [frames[round(position)] for position in chosen]


def _tile(case: Case, row: FrameRow, frame: Frame) -> npt.NDArray[np.uint8]:
    """Draw a frame at the tile's size, so that its names are as large as on any other tile."""
    mask = case.mask(row.index)
    scale = _TILE_WIDTH / mask.shape[1]
    size = (_TILE_WIDTH, round(mask.shape[0] * scale))
    return draw_overlay(
        cv2.resize(frame.rgb, size, interpolation=cv2.INTER_AREA),
        cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST),
        case.layers(),
        status=row.status,
        time_s=row.pts,
        measurements=[_scaled(found, scale) for found in measure_frame(case, row.index, mask)],
    )


def _scaled(found: LayerMeasurement, scale: float) -> LayerMeasurement:
    if found.tip is None:
        return found
    return replace(found, tip=Point(found.tip.x * scale, found.tip.y * scale))


def _lay_out(tiles: list[npt.NDArray[np.uint8]], columns: int, title: str) -> Image.Image:
    height, width = tiles[0].shape[:2]
    lines = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * (width + _GAP) + _GAP, lines * (height + _GAP) + _HEADER), _PAPER)
    ImageDraw.Draw(sheet).text((_GAP, _HEADER // 2), title, _INK, font(18), anchor="lm")
    for position, tile in enumerate(tiles):
        line, column = divmod(position, columns)
        sheet.paste(Image.fromarray(tile), (_GAP + column * (width + _GAP), _HEADER + line * (height + _GAP)))
    return sheet
