"""What a model of types said of some frames, beside the truth, in the colours of the types."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from type_model_operations import SCHEMA, Operation

from rasnet.case import Layer
from rasnet.files import clear_errors, whole_file
from rasnet.mask_sequences import open_sequences
from rasnet.masks import Mask
from rasnet.report import draw_overlay
from rasnet.report.contact_sheet import spread
from rasnet.report.style import clock, font
from rasnet.video import open_source

UInt8Array = npt.NDArray[np.uint8]
Row = tuple[str, list[UInt8Array]]
"""Words above it, and a tile a side, uint8 (h, w, 3)."""

COLUMNS = ("truth", "frame by frame", "after the vote over layers")

FRAMES = 2
"""Of each operation, evenly from between its first and its last."""

_TILE_WIDTH = 400
_GAP, _LINE, _SPOT = 8, 24, 14
_INK = (40, 40, 40)
_LAYERS = [Layer(label.id, label.name, label.color) for label in SCHEMA.instruments]


def draw_picture(operations: Sequence[Operation], file: Path) -> None:
    """Draw some frames of every operation, a row a frame and a column a side.

    Args:
        operations: whose frames.
        file: picture to write.

    Raises:
        RASNetError: masks are missing, or the picture cannot be written.
    """
    rows = [row for operation in operations for row in _rows(operation)]
    height, width = rows[0][1][0].shape[:2]
    step = _LINE + height + _GAP
    sheet = Image.new("RGB", (len(COLUMNS) * (width + _GAP) + _GAP, 2 * _LINE + len(rows) * step), "white")
    draw = ImageDraw.Draw(sheet)
    _draw_legend(draw)
    for column, title in enumerate(COLUMNS):
        left = _GAP + column * (width + _GAP)
        draw.text((left, 1.5 * _LINE), title, _INK, font(15), anchor="lm")
        for line, (words, tiles) in enumerate(rows):
            top = 2 * _LINE + line * step
            if column == 0:
                draw.text((left, top + _LINE / 2), words, _INK, font(12), anchor="lm")
            sheet.paste(Image.fromarray(tiles[column]), (left, top + _LINE))
    with clear_errors(file), whole_file(file) as making:
        sheet.save(making)


def _rows(operation: Operation) -> Iterator[Row]:
    with ExitStack() as stack:
        source = stack.enter_context(open_source(operation.video))
        sequences = [
            stack.enter_context(closing(open_sequences(folder, SCHEMA, typed=False)[operation.name]))
            for folder in (operation.truth, operation.frame_wise, operation.found)
        ]
        for index in spread(range(operation.frames), FRAMES + 2)[1:-1]:
            frame = source[index]
            tiles = [_tile(frame.rgb, sequence.frames[index]()) for sequence in sequences]
            yield f"{operation.name}, {clock(frame.pts)}", tiles


def _tile(rgb: UInt8Array, types: Mask) -> UInt8Array:
    """Draw a frame at the tile's size, so that names are as large in every picture."""
    size = (_TILE_WIDTH, round(_TILE_WIDTH * rgb.shape[0] / rgb.shape[1]))
    larger = cv2.resize(rgb, size, interpolation=cv2.INTER_CUBIC)
    return draw_overlay(larger, cv2.resize(types, size, interpolation=cv2.INTER_NEAREST), _LAYERS)


def _draw_legend(draw: ImageDraw.ImageDraw) -> None:
    left = float(_GAP)
    for label in SCHEMA.instruments:
        middle = _LINE / 2
        draw.rectangle((left, middle - _SPOT / 2, left + _SPOT, middle + _SPOT / 2), label.color)
        draw.text((left + _SPOT + 5, middle), label.name, _INK, font(12), anchor="lm")
        left += _SPOT + 22 + draw.textlength(label.name, font(12))
