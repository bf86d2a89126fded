"""Figure 3 of the paper: pictures, their truth, and what each network makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy import ndimage

from rasnet.datasets.endovis2017 import TYPES
from rasnet.files import clear_errors, whole_file
from rasnet.masks import Mask
from rasnet.report.style import font

Picture = npt.NDArray[np.uint8]

ROWS = 4
_WIDTH, _GAP, _HEADER, _LEGEND = 320, 6, 34, 40
_OPACITY = 0.62
_PAPER, _INK = (255, 255, 255), (40, 40, 40)


def choose_frames(truth: Mapping[str, Mask], rows: int = ROWS) -> list[tuple[str, int]]:
    """Choose frames that together show as many types as can be, each from another sequence where there are enough.

    Args:
        truth: class ids, uint8 (N, h, w), by sequence.
        rows: how many.

    Returns:
        Name of the sequence and index of the frame.
    """
    chosen: list[tuple[str, int]] = []
    areas = {
        (name, index): np.bincount(mask.ravel(), minlength=len(TYPES))[1 : len(TYPES)]
        for name, masks in truth.items()
        for index, mask in enumerate(masks)
    }
    while len(chosen) < min(rows, len(areas)):
        used = {name for name, _ in chosen}
        seen = np.sum([areas[key] for key in chosen], axis=0) > 0
        left = {key for key in areas.keys() - set(chosen) if key[0] not in used} or areas.keys() - set(chosen)
        chosen.append(max(left, key=partial(_worth, areas, seen)))
    return chosen


def _worth(
    areas: Mapping[tuple[str, int], npt.NDArray[np.int64]], seen: npt.NDArray[np.bool_], key: tuple[str, int]
) -> tuple[int, int, int, tuple[str, int]]:
    """Order frames: by the types that were not seen yet, by all types, by their area."""
    there = areas[key] > 0
    return int((there & ~seen).sum()), int(there.sum()), int(areas[key].sum()), key


def write_figure3(
    pictures: Mapping[str, Picture],
    truth: Mapping[str, Mask],
    predictions: Mapping[str, Mapping[str, Mask]],
    output: Path,
) -> None:
    """Draw a grid: a row a frame; picture, truth and each network's prediction side by side; the types' colours below.

    Args:
        pictures: uint8 (N, 3, h, w), by sequence.
        truth: class ids, uint8 (N, h, w), by sequence.
        predictions: the same for each network, by the name that its column gets.
        output: the picture to write.
    """
    frames = choose_frames(truth)
    height, width = next(iter(truth.values())).shape[1:]
    tile = (_WIDTH, round(_WIDTH * height / width))
    headings = ["picture", "truth", *predictions]
    columns = len(headings)
    size = (
        columns * (tile[0] + _GAP) + _GAP,
        _HEADER + len(frames) * (tile[1] + _GAP) + _LEGEND,
    )
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    for column, heading in enumerate(headings):
        middle = _GAP + column * (tile[0] + _GAP) + tile[0] // 2
        draw.text((middle, _HEADER // 2), heading, _INK, font(16), anchor="mm")
    for row, (name, index) in enumerate(frames):
        picture = _enlarged(pictures[name][index].transpose(1, 2, 0), tile, Image.Resampling.BICUBIC)
        masks = [truth[name][index], *(found[name][index] for found in predictions.values())]
        painted = [_painted(picture, _enlarged(mask, tile, Image.Resampling.NEAREST)) for mask in masks]
        for column, pixels in enumerate([picture, *painted]):
            left, top = _GAP + column * (tile[0] + _GAP), _HEADER + row * (tile[1] + _GAP)
            sheet.paste(Image.fromarray(pixels), (left, top))
        draw.text(
            (2 * _GAP, _HEADER + row * (tile[1] + _GAP) + _GAP),
            name,
            _PAPER,
            font(13),
            stroke_width=2,
            stroke_fill=_INK,
        )
    _draw_legend(draw, size)
    with clear_errors(output), whole_file(output) as making:
        sheet.save(making)


def _painted(picture: Picture, mask: Mask) -> Picture:
    """Lay the types' colours over a picture made grey, so that no tissue is taken for a type; fuller at the rims."""
    grey = np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2)
    colors = TYPES.palette[mask].astype(np.float64)
    inside = ndimage.minimum_filter(mask, 3) == ndimage.maximum_filter(mask, 3)
    opacity = np.where(mask > 0, np.where(inside, _OPACITY, 1.0), 0.0)[..., None]
    return np.asarray(grey * (1 - opacity) + colors * opacity, np.uint8)


def _enlarged(pixels: npt.NDArray[np.uint8], size: tuple[int, int], how: Image.Resampling) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize(size, how))


def _draw_legend(draw: ImageDraw.ImageDraw, size: tuple[int, int]) -> None:
    face = font(13)
    widths = [24 + draw.textlength(label.name, face) + 18 for label in TYPES.instruments]
    left, middle = max((size[0] - sum(widths)) / 2, _GAP), size[1] - _LEGEND / 2
    for label, width in zip(TYPES.instruments, widths, strict=True):
        draw.rectangle((left, middle - 7, left + 14, middle + 7), label.color)
        draw.text((left + 20, middle), label.name, _INK, face, anchor="lm")
        left += width
