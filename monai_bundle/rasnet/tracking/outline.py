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
Costs = Sequence[npt.NDArray[np.float32]]


class Cut(NamedTuple):
    """A component cut in parts.

    Attributes:
        label: the component.
        box: where on the grid the gains are; it holds the component.
        gains: by how much each part but the first is nearer than all before it, float32 (h, w) on the grid.
        layers: of the parts, 0 for one that is not shown.
    """

    label: int
    box: Box
    gains: Costs
    layers: Sequence[int]


class Drawing(NamedTuple):
    """What is shown of a frame; it may be sent to another process.

    Attributes:
        layers: the layer of each whole component that is shown, by its label.
        cuts: the components that hold several instruments.
    """

    layers: Mapping[int, int]
    cuts: Sequence[Cut]


class _Nearer(NamedTuple):
    """Where a part of a component is nearer than all parts before it: bool, from pixel `top`, `left` on."""

    top: int
    left: int
    inside: npt.NDArray[np.bool_]


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
            ids[cut.label] = cut.layers[0]
        mask = self._runs.draw(ids)
        for cut in drawing.cuts:
            only = (np.arange(self._runs.count) == cut.label).view(np.uint8)
            for layer, gain in zip(cut.layers[1:], cut.gains, strict=True):
                top, left, inside = self._nearer(gain, cut.box)
                bottom, columns = top + inside.shape[0], slice(left, left + inside.shape[1])
                component = self._runs.between(top, bottom).draw(only)[:, columns].view(np.bool_)
                np.copyto(mask[top:bottom, columns], layer, where=inside & component)
        return mask

    def _nearer(self, gain: npt.NDArray[np.float32], box: Box) -> _Nearer:
        """Interpolate to full resolution where a part is nearer: (h, w) float32 on the grid, above 0 there."""
        around = Box.around((gain > 0).view(np.uint8)).grown(1, gain.shape)
        # The frame's last pixels may lie beyond the last cell.
        last = cv2.copyMakeBorder(gain[around.slices], 0, 1, 0, 1, cv2.BORDER_REPLICATE)
        full = cv2.resize(last, None, fx=self._grid.stride, fy=self._grid.stride)
        top, left = (box.top + around.top) * self._grid.stride, (box.left + around.left) * self._grid.stride
        return _Nearer(top, left, full[: self._grid.height - top, : self._grid.width - left] > 0)
