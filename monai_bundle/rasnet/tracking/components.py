"""Connected foreground components of one frame, seen on a coarse grid and painted in full resolution.

Components are found in full resolution, so a kept one never loses a pixel. Everything that asks where a
component lies and what it overlaps works on a grid of every n-th pixel instead, which is what makes tracking
fast enough to run beside the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from rasnet.geometry import Pose, Window, measure_pose

UInt8Array = npt.NDArray[np.uint8]

MOST_PIECES = 64
"""More components than this are noise; the largest are kept."""


@dataclass(frozen=True)
class Grid:
    """Every `stride`-th pixel of a frame, and the picture's border in that grid.

    Attributes:
        height, width: size of the full frame in pixels.
        stride: distance of two cells in pixels.
        window: the picture's border, in cells.
    """

    height: int
    width: int
    stride: int
    window: Window

    def sample(self, image: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """Take a full-size (H, W) image at the cells' centres."""
        first = self.stride // 2
        return image[first :: self.stride, first :: self.stride]

    def cells_of(self, area: float) -> float:
        """How many cells an area in pixels fills."""
        return area / self.stride**2


@dataclass(eq=False)
class Piece:
    """A connected component, or the part of one that belongs to one instrument.

    Attributes:
        label: the component's label.
        area: pixels.
        cells: (h, w) uint8 on the grid, 1 inside.
        pose: place and direction, in cells.
        votes: how many cells each class of the schema has, int64 (classes,).
        pixels: bool, where in the component's bounding box the piece lies; None for the whole component.
    """

    label: int
    area: int
    cells: UInt8Array
    pose: Pose
    votes: npt.NDArray[np.int64]
    pixels: npt.NDArray[np.bool_] | None = None


class Foreground:
    """The connected components of a frame's classes.

    Args:
        classes: (H, W) uint8 class ids, 0 for the background.
        grid: the grid to work on.
        class_count: number of classes in the schema.
    """

    def __init__(self, classes: UInt8Array, grid: Grid, class_count: int) -> None:
        self._grid = grid
        self.class_count = class_count
        self.classes = np.ascontiguousarray(grid.sample(classes)).astype(np.uint8)
        mask = (classes > 0).view(np.uint8)
        self._left, self._top, width, height = cv2.boundingRect(mask)
        box = (slice(self._top, self._top + height), slice(self._left, self._left + width))
        self._labels, self._stats, self._centroids = _components(np.ascontiguousarray(mask[box]))
        first, stride = grid.stride // 2, grid.stride
        row, column = (max(0, -((first - start) // stride)) for start in (self._top, self._left))
        inside = self._labels[
            first + row * stride - self._top :: stride, first + column * stride - self._left :: stride
        ]
        self._cell_labels = np.zeros(self.classes.shape, np.int32)
        self._cell_labels[row : row + inside.shape[0], column : column + inside.shape[1]] = inside

    def pieces(self, smallest: float, largest: float = float("inf")) -> list[Piece]:
        """Whole components of `smallest` to `largest` (exclusive) pixels, the largest first."""
        areas = self._stats[1:, cv2.CC_STAT_AREA]
        labels = np.flatnonzero((areas >= smallest) & (areas < largest)) + 1
        by_size = labels[np.argsort(-areas[labels - 1], kind="stable")]
        return [self._whole(int(label)) for label in by_size[:MOST_PIECES]]

    def cut(self, piece: Piece, costs: Sequence[npt.NDArray[np.float32]]) -> list[Piece]:
        """Cut a component in parts: every pixel goes to the part whose cost, given on the grid, is lowest.

        The costs are interpolated to full resolution, so the cut is smooth rather than stepped. Each part must
        be left some cells.
        """
        x, y, width, height = (int(value) for value in self._stats[piece.label, :4])
        x0, y0, stride = x + self._left, y + self._top, self._grid.stride
        rows = slice(y0 // stride, (y0 + height - 1) // stride + 1)
        columns = slice(x0 // stride, (x0 + width - 1) // stride + 1)
        nearest = np.zeros((height, width), np.uint8)
        lowest: npt.NDArray[np.float32] | None = None
        for index, cost in enumerate(costs):
            full = cv2.resize(_edge_padded(cost, rows, columns), None, fx=stride, fy=stride)
            full = full[y0 - rows.start * stride :, x0 - columns.start * stride :][:height, :width]
            if lowest is not None:
                nearest[full < lowest] = index
            lowest = full if lowest is None else np.minimum(lowest, full)
        inside = self._labels[y : y + height, x : x + width] == piece.label
        cell_nearest = np.argmin(costs, axis=0)
        parts = []
        for index in range(len(costs)):
            pixels = inside & (nearest == index)
            cells = (piece.cells > 0) & (cell_nearest == index)
            parts.append(self._piece(piece.label, int(pixels.sum()), cells.view(np.uint8), pixels))
        return parts

    def paint(self, owned: Sequence[tuple[Piece, int]]) -> UInt8Array:
        """Draw pieces with their layer ids: (H, W) uint8."""
        mask = np.zeros((self._grid.height, self._grid.width), np.uint8)
        if not owned:
            return mask
        ids = np.zeros(len(self._stats), np.uint8)
        for piece, layer in owned:
            if piece.pixels is None:
                ids[piece.label] = layer
        height, width = self._labels.shape
        box = mask[self._top : self._top + height, self._left : self._left + width]
        np.take(ids, self._labels, out=box, mode="clip")
        for piece, layer in owned:
            if piece.pixels is not None:
                x, y, width, height = self._stats[piece.label, :4]
                box[y : y + height, x : x + width][piece.pixels] = layer
        return mask

    def _whole(self, label: int) -> Piece:
        cells = (self._cell_labels == label).view(np.uint8)
        if not cells.any():  # a component that slips between the cells still has a place
            x, y = self._centroids[label]
            row = min(int(y + self._top) // self._grid.stride, cells.shape[0] - 1)
            cells[row, min(int(x + self._left) // self._grid.stride, cells.shape[1] - 1)] = 1
        return self._piece(label, int(self._stats[label, cv2.CC_STAT_AREA]), cells, None)

    def _piece(self, label: int, area: int, cells: UInt8Array, pixels: npt.NDArray[np.bool_] | None) -> Piece:
        votes = np.bincount(self.classes[cells > 0], minlength=self.class_count)[: self.class_count]
        votes[0] = 0
        return Piece(label, area, cells, measure_pose(cells, self._grid.window), votes, pixels)


def _components(mask: UInt8Array) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.float64]]:
    """Labels, statistics and centroids of 8-connected components."""
    if mask.size == 0:
        return np.zeros(mask.shape, np.int32), np.zeros((1, 5), np.int32), np.zeros((1, 2))
    # Grana's algorithm is more than twice as fast here as OpenCV's default, with the same labels.
    _, labels, stats, centroids = cv2.connectedComponentsWithStatsWithAlgorithm(mask, 8, cv2.CV_32S, cv2.CCL_GRANA)
    return labels, stats, centroids


def _edge_padded(cost: npt.NDArray[np.float32], rows: slice, columns: slice) -> npt.NDArray[np.float32]:
    """Crop, repeating the last row and column where the frame's size leaves a rest beyond the last cell."""
    return cost[
        np.ix_(
            np.minimum(np.arange(rows.start, rows.stop), cost.shape[0] - 1),
            np.minimum(np.arange(columns.start, columns.stop), cost.shape[1] - 1),
        )
    ]
