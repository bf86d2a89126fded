"""Text that a recorder or an endoscope burned into the picture: strokes that stand still while the picture moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from rasnet.masks import Mask

_WIDTH = 1280  # pixels; larger frames are scaled down to it
_STROKE = 9  # pixels: strokes are thinner
_CONTRAST = 35  # grey levels between a stroke and what is around it
_STILL = 14  # grey levels that a stroke may change by, for noise and compression
_HEIGHTS = (4, 60)  # pixels of a character
_CHARACTERS = 5  # in a line, before it counts as text
_SEEN = 0.7  # share of the strokes that a frame must show


@dataclass(frozen=True, eq=False)
class BurnedInText:
    """Text in a video.

    Attributes:
        strokes: its pixels, bool (h, w), at the size that `to_grey` gives.
        look: grey value of the picture there, uint8 (h, w).
    """

    strokes: npt.NDArray[np.bool_]
    look: Mask

    def is_in(self, grey: Mask) -> bool:
        """Tell whether a frame, as `to_grey` gives it, shows the text."""
        there = np.abs(grey[self.strokes].astype(np.int16) - self.look[self.strokes])
        return bool((there <= 2 * _STILL).mean() >= _SEEN)


def to_grey(rgb: npt.NDArray[np.uint8]) -> Mask:
    """Give a frame in grey, at most 1280 pixels wide; uint8 (H, W, 3) to uint8 (h, w)."""
    grey: Mask = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    if grey.shape[1] <= _WIDTH:
        return grey
    size = (_WIDTH, round(grey.shape[0] * _WIDTH / grey.shape[1]))
    smaller: Mask = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return smaller


def find_text(frames: Sequence[Mask]) -> BurnedInText | None:
    """Find text that is in the same place in frames far apart.

    Args:
        frames: as `to_grey` gives them, uint8 (h, w); the more of them and the more they differ, the surer.

    Returns:
        The text; None where there is none.
    """
    stack = np.stack(frames)
    look = np.median(stack, axis=0).astype(np.uint8)
    changes = np.abs(stack.astype(np.int16) - look)
    still = (changes <= _STILL).mean(axis=0) >= _SEEN
    strokes = np.zeros(look.shape, np.bool_)
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (_STROKE, _STROKE))
    for kind in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT):  # bright on dark, dark on bright
        thin = cv2.morphologyEx(look, kind, kernel) >= _CONTRAST
        strokes |= _lines(thin & still, look)
    return BurnedInText(strokes, look) if strokes.any() else None


def _lines(thin: npt.NDArray[np.bool_], look: Mask) -> npt.NDArray[np.bool_]:
    """The strokes that are characters of a line, bool (h, w)."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(thin.view(np.uint8), connectivity=8)
    heights, widths, areas = stats[:, cv2.CC_STAT_HEIGHT], stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_AREA]
    good = (heights >= _HEIGHTS[0]) & (heights <= _HEIGHTS[1]) & (widths <= 3 * heights) & (areas >= 6)
    good &= areas < 0.9 * heights * widths + 8
    good[0] = False
    kept = np.flatnonzero(good)
    boxes = stats[kept, :4].astype(np.int64)
    found = np.zeros(count, np.bool_)
    for line in _rows_of(boxes):
        if len(line) >= _CHARACTERS and _is_even(look, labels, kept[line]):
            found[kept[line]] = True
    strokes: npt.NDArray[np.bool_] = found[labels]
    return strokes


def _rows_of(boxes: npt.NDArray[np.int64]) -> list[list[int]]:
    """Group boxes (left, top, width, height) that follow each other on a line and are about equally high."""
    lines: list[list[int]] = []
    for number in np.argsort(boxes[:, 0]).tolist():
        left, top, _, height = boxes[number].tolist()
        for line in lines:
            before = boxes[line[-1]].tolist()
            gap = left - before[0] - before[2]
            tall = max(height, before[3])
            bottoms = abs(top + height - before[1] - before[3])
            if -0.3 * tall <= gap <= 1.2 * tall and bottoms <= 0.25 * tall and tall <= 1.8 * min(height, before[3]):
                line.append(number)
                break
        else:
            lines.append([number])
    return lines


def _is_even(look: Mask, labels: npt.NDArray[np.int32], kept: npt.NDArray[np.int64]) -> bool:
    """Whether characters have one colour, as letters do and highlights do not."""
    levels = [float(np.median(look[labels == number])) for number in kept]
    return float(np.std(levels)) <= 25.0
