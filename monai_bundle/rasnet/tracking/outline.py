"""The components of one frame in full resolution, and how they are painted once the tracker has seen them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from rasnet.tracking.boxes import Box
from rasnet.tracking.grid import Grid
from rasnet.tracking.runs import Runs

UInt8Array = npt.NDArray[np.uint8]

EVEN, FINENESS = 128, 16
"""Stands for a place as near as another, and for a sixteenth of a cell less."""


class Part(NamedTuple):
    """Where a part of a component is nearer than all parts before it.

    Attributes:
        layer: of the part, 0 if it is not shown.
        box: on the grid, with all cells where it is nearer, and those beside them.
        gain: by how much it is nearer there, in sixteenths of a cell above `EVEN`, uint8 (h, w): a quarter of the
            size of a float, and compared in full resolution four times as fast.
    """

    layer: int
    box: Box
    gain: UInt8Array


class Cut(NamedTuple):
    """A component cut in parts.

    Attributes:
        label: the component.
        layer: of its first part, which is where no other is nearer; 0 if it is not shown.
        parts: the others.
    """

    label: int
    layer: int
    parts: Sequence[Part]


class Drawing(NamedTuple):
    """What is shown of a frame; it may be sent to another process.

    Attributes:
        layers: the layer of each whole component that is shown, by its label.
        cuts: the components that hold several instruments.
    """

    layers: Mapping[int, int]
    cuts: Sequence[Cut]


class _Nearer(NamedTuple):
    """Where a part of a component is nearer than all parts before it: 255 there, from pixel `top`, `left` on."""

    top: int
    left: int
    inside: UInt8Array


class Outline:
    """The components of one frame, pixel by pixel.

    Args:
        runs: the components.
        grid: the grid that cuts are given on.
    """

    def __init__(self, runs: Runs, grid: Grid) -> None:
        self._runs = runs
        self._grid = grid

    def paint(self, drawing: Drawing) -> UInt8Array:
        """Paint layer ids: (H, W) uint8, 0 where no instrument is.

        Costs are interpolated to full resolution, so that a cut is smooth rather than stepped.
        """
        ids = np.zeros(self._runs.count, np.uint8)
        for label, layer in drawing.layers.items():
            ids[label] = layer
        for cut in drawing.cuts:
            ids[cut.label] = cut.layer
        mask = self._runs.draw(ids)
        for cut in drawing.cuts:
            only = (np.arange(self._runs.count) == cut.label) * np.uint8(255)
            for part in cut.parts:
                top, left, inside = self._nearer(part)
                bottom, columns = top + inside.shape[0], slice(left, left + inside.shape[1])
                cv2.bitwise_and(inside, self._runs.between(top, bottom).draw(only)[:, columns], dst=inside)
                cv2.copyTo(np.full_like(inside, part.layer), inside, mask[top:bottom, columns])
        return mask

    def _nearer(self, part: Part) -> _Nearer:
        """Interpolate to full resolution where a part is nearer."""
        # The frame's last pixels may lie beyond the last cell.
        last = cv2.copyMakeBorder(part.gain, 0, 1, 0, 1, cv2.BORDER_REPLICATE)
        full = cv2.resize(last, None, fx=self._grid.stride, fy=self._grid.stride)
        top, left = part.box.top * self._grid.stride, part.box.left * self._grid.stride
        shown = full[: self._grid.height - top, : self._grid.width - left]
        return _Nearer(top, left, np.asarray(cv2.compare(shown, EVEN, cv2.CMP_GT), np.uint8))
