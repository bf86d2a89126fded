"""Where the names of instruments go: beside the instrument, off its tip, clear of each other, and steady.

Every position on a coarse grid is given a cost, and the cheapest wins. That treats all shapes alike, needs no
list of candidate places, and takes about a millisecond a label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

FloatGrid = npt.NDArray[np.float32]

_GRID = 128  # cells along the shorter side of the frame
_FORBIDDEN = 1e6

# Costs. The unit is one label's area for covering, one frame height for distances.
_COVERS_INSTRUMENT = 4.0
_FAR_FROM_INSTRUMENT = 6.0
_FAR_FROM_CENTROID = 1.0
_NEAR_TIP = 1.5
_AT_EDGE = 1.5
_MOVES = 3.0
_MARGIN = 0.015  # of the frame height: what counts as the frame's edge
_TIP_RADIUS = 0.07  # of the frame height: no label here
_TIP_HALO = 0.25  # of the frame height: better no label here


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels; ``left`` and ``top`` are inside, ``right`` and ``bottom`` outside."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """First column behind the box."""
        return self.left + self.width

    @property
    def bottom(self) -> int:
        """First row below the box."""
        return self.top + self.height

    def overlaps(self, other: Box) -> bool:
        """Tell whether the two share a pixel."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


@dataclass(frozen=True)
class Caption:
    """A label that wants a place.

    Attributes:
        layer: the layer's id in the mask.
        width: pixels.
        height: pixels.
    """

    layer: int
    width: int
    height: int


class LabelLayout:
    """Places labels frame after frame, and moves one only when it pays.

    Without memory a label would jump from side to side of its instrument as the costs change by a hair.
    """

    def __init__(self) -> None:
        self._last: dict[int, Box] = {}

    def place(
        self,
        mask: npt.NDArray[np.uint8],
        captions: Sequence[Caption],
        *,
        tips: Sequence[tuple[float, float]] = (),
        reserved: Sequence[Box] = (),
    ) -> dict[int, Box]:
        """Find a place for every caption.

        Args:
            mask: layer ids, uint8 (H, W).
            captions: what to place, the most important first.
            tips: points (x, y) in pixels to keep free.
            reserved: boxes that are taken.

        Returns:
            Boxes by layer id. Each lies inside the frame, and no two overlap, as far as there is room.
        """
        grid = _Grid(mask, tips)
        taken = list(reserved)
        boxes = {}
        for caption in captions:
            boxes[caption.layer] = grid.best(caption, taken, self._last.get(caption.layer))
            taken.append(boxes[caption.layer])
        self._last = boxes
        return boxes


class _Grid:
    """The costs of one frame, on cells of ``cell`` pixels."""

    def __init__(self, mask: npt.NDArray[np.uint8], tips: Sequence[tuple[float, float]]) -> None:
        self.frame_height, self.frame_width = mask.shape
        self.cell = max(min(mask.shape) // _GRID, 1)
        self.mask = np.ascontiguousarray(mask[:: self.cell, :: self.cell])
        self.covered = cv2.integral((self.mask > 0).astype(np.uint8))
        self.tips = tips
        rows, columns = self.mask.shape
        self.y, self.x = np.ogrid[:rows, :columns]

    def best(self, caption: Caption, taken: Sequence[Box], last: Box | None) -> Box:
        """Find the cheapest place of one caption."""
        # Cells that the caption spans; the last row and column of cells may be cut by the frame's edge.
        height, width = -(-caption.height // self.cell), -(-caption.width // self.cell)
        rows = max((self.frame_height - caption.height) // self.cell + 1, 1)
        columns = max((self.frame_width - caption.width) // self.cell + 1, 1)
        middle_y = (self.y[:rows] + height / 2).astype(np.float32)
        middle_x = (self.x[:, :columns] + width / 2).astype(np.float32)

        cost = _COVERS_INSTRUMENT * self._covering(rows, columns, height, width)
        cost += self._distances(caption.layer, middle_y, middle_x)
        cost += self._tip_costs(middle_y, middle_x, height, width)
        margin = max(round(_MARGIN * self.mask.shape[0]), 1)
        edge = np.ones_like(cost, bool)
        edge[margin:-margin, margin:-margin] = False
        cost[edge] += _AT_EDGE
        if last is not None:
            moved = np.hypot(
                middle_y - (last.top / self.cell + height / 2), middle_x - (last.left / self.cell + width / 2)
            )
            cost += _MOVES * moved / self.mask.shape[0]
        for box in taken:
            top, bottom = box.top // self.cell - height, -(-box.bottom // self.cell)
            left, right = box.left // self.cell - width, -(-box.right // self.cell)
            cost[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] += _FORBIDDEN
        row, column = np.unravel_index(int(cost.argmin()), cost.shape)
        return Box(int(column) * self.cell, int(row) * self.cell, caption.width, caption.height)

    def _covering(self, rows: int, columns: int, height: int, width: int) -> FloatGrid:
        """Share of a caption's area that would lie on instruments, by position."""
        top = np.minimum(np.arange(rows) + height, self.mask.shape[0])
        left = np.minimum(np.arange(columns) + width, self.mask.shape[1])
        total = self.covered
        area = total[np.ix_(top, left)] - total[:rows][:, left] - total[top][:, :columns] + total[:rows, :columns]
        share: FloatGrid = area.astype(np.float32) / (height * width)
        return share

    def _distances(self, layer: int, middle_y: FloatGrid, middle_x: FloatGrid) -> FloatGrid:
        """Cost of lying far from the layer and from its middle, by position."""
        own = self.mask == layer
        if not own.any():  # thinner than a cell: nothing on the grid to lie near
            return np.zeros((middle_y.size, middle_x.size), np.float32)
        outside = cv2.distanceTransform((~own).astype(np.uint8), cv2.DIST_L2, 3)
        ys, xs = np.nonzero(own)
        near = outside[np.ix_(middle_y.ravel().astype(int), middle_x.ravel().astype(int))]
        central = np.hypot(middle_y - ys.mean(), middle_x - xs.mean())
        cost: FloatGrid = (_FAR_FROM_INSTRUMENT * near + _FAR_FROM_CENTROID * central) / self.mask.shape[0]
        return cost

    def _tip_costs(self, middle_y: FloatGrid, middle_x: FloatGrid, height: int, width: int) -> FloatGrid:
        """Cost of lying on or near a tip, by position."""
        cost = np.zeros((middle_y.size, middle_x.size), np.float32)
        frame = self.mask.shape[0]
        for x, y in self.tips:
            # Distance from the tip to the nearest edge of the caption.
            beside = np.maximum(np.abs(middle_x - x / self.cell) - width / 2, 0)
            above = np.maximum(np.abs(middle_y - y / self.cell) - height / 2, 0)
            distance = np.hypot(above, beside) / frame
            cost += _NEAR_TIP * np.exp(-((distance / _TIP_HALO) ** 2))
            cost[distance < _TIP_RADIUS] += _FORBIDDEN / 10  # rather a tip than two labels on each other
        return cost
