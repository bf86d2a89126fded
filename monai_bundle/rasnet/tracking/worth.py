"""What cells are worth to an instrument that is looked for, and the sums over its samples for all shifts at once."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from rasnet.tracking.boxes import Box

UInt8Array = npt.NDArray[np.uint8]
IntArray = npt.NDArray[np.intp]

OTHER_CLASS = 4
"""By how much less a cell is worth where a look expects another class."""

ON_COMPONENT, TAKEN = 1, 2
"""What a cell of the grid is: on the component in question, on the expected shape of another instrument."""

WORTHS = (-40, 40, -40, 4)
WORTH_UNIT = 40
"""What a cell is worth to a look, by the sum of these: one that nobody else explains weighs most, one off the
component speaks against a place. Whole numbers (in fortieths), so that equal places are exactly equal."""

NOTHING = -min(WORTHS)
"""Stands for a worth of 0: OpenCV adds bytes from 0 up, in half of numpy's time."""

OFF_GRID = 255
"""Stands for a cell beyond the grid, which is worth nothing."""

_ROW = np.dtype((np.void, 16))
"""The worths of 16 cells in a row, as one item: numpy copies these several times faster than single numbers."""


class Worths:
    """What the cells in a box are worth to each of some classes.

    Args:
        box: in cells of the grid; may reach beyond it.
        component: (h, w) uint8, 1 on the component in question.
        taken: (h, w) uint8, 1 on the expected shapes of other instruments.
        classes: (h, w) uint8, the frame's classes; where it is None, they all are 0.
        kinds: the classes to which cells are worth something.
    """

    def __init__(
        self, box: Box, component: UInt8Array, taken: UInt8Array, classes: UInt8Array | None, kinds: Sequence[int]
    ) -> None:
        inner = box.grown(0, component.shape)
        cells = inner.slices
        code = ON_COMPONENT * component[cells] + TAKEN * taken[cells]
        if classes is not None:
            code += len(WORTHS) * classes[cells]
        beyond = inner.top - box.top, box.bottom - inner.bottom, inner.left - box.left, box.right - inner.right
        right = beyond[3] + _ROW.itemsize  # a row begins at every cell of the box
        padded = cv2.copyMakeBorder(code, *beyond[:3], right, cv2.BORDER_CONSTANT, value=OFF_GRID)
        self._box = box
        self._planes = np.empty((len(kinds), *padded.shape), np.uint8)
        for plane, kind in zip(self._planes, kinds, strict=True):
            cv2.LUT(padded, _worth_by_code(kind % 64), dst=plane)

    def sums(self, planes: IntArray, columns: IntArray, rows: IntArray, shifts: int) -> npt.NDArray[np.int32]:
        """Sum over samples that are shifted together, down and to the right.

        Args:
            planes: which of the classes each sample has, (samples,).
            columns: where the samples are before any shift, (samples, turns).
            rows: the same.
            shifts: how many shifts there are down, and as many to the right; the first is none.

        Returns:
            By turn, shift down and shift to the right, in the unit of `WORTHS`.
        """
        _, height, width = self._planes.shape  # numpy's own functions take longer to make a view
        last = self._planes.size - (shifts - 1) * width - _ROW.itemsize
        windows = np.ndarray((last + 1, shifts), _ROW, self._planes, strides=(1, width))
        down, right = rows - self._box.top, columns - self._box.left
        chosen = windows[(planes * (height * width))[:, None] + down * width + right]
        by_sample = chosen.view(np.uint8).reshape(len(planes), -1)
        sums = cv2.reduce(by_sample, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S) - NOTHING * len(planes)
        return np.asarray(sums, np.int32).reshape(-1, shifts, _ROW.itemsize)[:, :, :shifts]


@functools.cache
def _worth_by_code(kind: int) -> UInt8Array:
    """Worth to a class of what a cell is, plus 4 times the class it shows (modulo 64); uint8 (256,)."""
    worths = np.full(256, NOTHING, np.uint8)
    for code in range(OFF_GRID):
        shown, cover = divmod(code, len(WORTHS))
        whole = shown == kind or WORTHS[cover] < 0
        worths[code] = NOTHING + (WORTHS[cover] if whole else WORTHS[cover] // OTHER_CLASS)
    return worths
