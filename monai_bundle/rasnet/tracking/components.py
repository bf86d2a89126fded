"""Connected foreground components of one frame, seen on a coarse grid and painted in full resolution.

Components are found in full resolution, so a kept one never loses a pixel. Everything that asks where a
component lies and what it overlaps works on a grid of every n-th pixel instead, which is what makes tracking
fast enough to run beside the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from rasnet.geometry import Pose, Window
from rasnet.tracking.boxes import Box, pose_of
from rasnet.tracking.runs import find_runs

UInt8Array = npt.NDArray[np.uint8]
Costs = Sequence[npt.NDArray[np.float32]]

SPECK_SHARE = 0.05
"""Components below the smallest area join an instrument beside them; below this share of it they are noise."""

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


class Piece:
    """A connected component, or the part of one that belongs to one instrument.

    What is measured of it is measured when it is first asked for.

    Args:
        label: the component's label.
        cells: (h, w) uint8 on the grid, 1 inside; at least one.
        frame: (h, w) uint8, the classes of the whole frame on the grid.
        class_count: number of classes in the schema.
        window: the picture's border, in cells.
    """

    def __init__(self, label: int, cells: UInt8Array, frame: UInt8Array, class_count: int, window: Window) -> None:
        self.label, self.cells = label, cells
        self._frame, self._class_count, self._window = frame, class_count, window

    def measure(self) -> Piece:
        """Measure now what tracking asks of every piece, so that it need not wait for it."""
        _ = self.size, self.pose, self.votes
        return self

    @cached_property
    def size(self) -> int:
        """How many cells it has."""
        return cv2.countNonZero(self.cells)

    @cached_property
    def away(self) -> npt.NDArray[np.float32]:
        """Distance of every cell of the grid to the piece, (h, w), in cells."""
        return np.asarray(cv2.distanceTransform(1 - self.cells, cv2.DIST_L2, 3))

    @cached_property
    def pose(self) -> Pose:
        """Place and direction, in cells."""
        return pose_of(self.cells, self._window)

    @cached_property
    def votes(self) -> npt.NDArray[np.int64]:
        """How many cells each class of the schema has, int64 (classes,)."""
        box = Box.around(self.cells).slices
        shown = self._frame[box][self.cells[box] > 0]
        votes = np.bincount(shown, minlength=self._class_count)[: self._class_count]
        votes[0] = 0
        return votes


class Nearer(NamedTuple):
    """Where a part of a component is nearer than all parts before it: bool, from pixel `top`, `left` on."""

    top: int
    left: int
    inside: npt.NDArray[np.bool_]


class Cut(NamedTuple):
    """A component cut in parts: by how much each part but the first is nearer than all before it, on the grid."""

    parts: list[Piece]
    gains: Costs
    box: Box


class Foreground:
    """The connected components of a frame's classes: all that tracking needs of a frame by itself.

    Args:
        classes: (H, W) uint8 class ids, 0 for the background; not kept.
        grid: the grid to work on.
        class_count: number of classes in the schema.
        min_area: the smallest instrument in pixels.

    Attributes:
        classes: on the grid, (h, w) uint8.
        components: of `min_area` pixels and more, the largest first.
        specks: smaller ones that may belong to an instrument beside them.
    """

    def __init__(self, classes: UInt8Array, grid: Grid, class_count: int, min_area: float) -> None:
        self._grid = grid
        self.class_count = class_count
        self.min_area = min_area
        self.classes = np.array(grid.sample(classes), np.uint8)
        self._runs = find_runs(classes)
        self._cell_runs = self._runs.sampled(grid.stride)
        self._areas = self._runs.areas()
        self._cuts: dict[int, Cut] = {}  # by component
        self.components = self._pieces(min_area)
        self.specks = self._pieces(max(SPECK_SHARE * min_area, 1), min_area)

    def _pieces(self, smallest: float, largest: float = float("inf")) -> list[Piece]:
        """Whole components of `smallest` to `largest` (exclusive) pixels, the largest first."""
        labels = np.flatnonzero((self._areas >= smallest) & (self._areas < largest))
        if labels.size == 0:
            return []
        by_size = labels[np.argsort(-self._areas[labels], kind="stable")][:MOST_PIECES]
        ranks = np.zeros(self._runs.count, np.uint8)
        ranks[by_size] = np.arange(1, len(by_size) + 1)
        cell_ranks = self._cell_runs.draw(ranks)
        return [self._whole(int(label), cell_ranks == rank).measure() for rank, label in enumerate(by_size, start=1)]

    def box(self, piece: Piece) -> Box:
        """The cells that a component's pixels lie in, also those whose centres it misses."""
        pixels, stride = self._runs.box(piece.label), self._grid.stride
        height, width = self.classes.shape
        top, left = min(pixels.top // stride, height - 1), min(pixels.left // stride, width - 1)
        return Box(
            top, left, max(-(-pixels.bottom // stride), top + 1), max(-(-pixels.right // stride), left + 1)
        ).grown(0, self.classes.shape)

    def cut(self, piece: Piece, box: Box, nearest: UInt8Array, gains: Costs) -> list[Piece]:
        """Cut a component in parts: every pixel goes to the part whose cost, given on the grid, is lowest.

        The costs are interpolated to full resolution when the frame is painted, so the cut is smooth rather than
        stepped. Each part must be left some cells.

        Args:
            piece: the component.
            box: where on the grid the costs are; it holds the component's own box.
            nearest: the part that each cell goes to, see `nearest_of`.
            gains: of the costs.
        """
        parts = []
        for index in range(len(gains) + 1):
            cells = np.zeros_like(piece.cells)
            np.bitwise_and(piece.cells[box.slices], (nearest == index).view(np.uint8), out=cells[box.slices])
            parts.append(self._piece(piece.label, cells))
        own = self.box(piece)
        inner = slice(own.top - box.top, own.bottom - box.top), slice(own.left - box.left, own.right - box.left)
        self._cuts[piece.label] = Cut(parts, [gain[inner] for gain in gains], own)
        return parts

    def paint(self, layers: Mapping[Piece, int]) -> UInt8Array:
        """Draw pieces with their layer ids: (H, W) uint8."""
        ids = np.zeros(self._runs.count, np.uint8)
        for piece, layer in layers.items():
            ids[piece.label] = layer
        for label, cut in self._cuts.items():
            ids[label] = layers.get(cut.parts[0], 0)
        mask = self._runs.draw(ids)
        for label, cut in self._cuts.items():
            only = (np.arange(self._runs.count) == label).view(np.uint8)
            for piece, gain in zip(cut.parts[1:], cut.gains, strict=True):
                top, left, inside = self._nearer(gain, cut.box)
                bottom, columns = top + inside.shape[0], slice(left, left + inside.shape[1])
                component = self._runs.between(top, bottom).draw(only)[:, columns].view(np.bool_)
                np.copyto(mask[top:bottom, columns], layers.get(piece, 0), where=inside & component)
        return mask

    def _nearer(self, gain: npt.NDArray[np.float32], box: Box) -> Nearer:
        """Interpolate to full resolution where a part is nearer: (h, w) float32 on the grid, above 0 there."""
        around = Box.around((gain > 0).view(np.uint8)).grown(1, gain.shape)
        # The frame's last pixels may lie beyond the last cell.
        last = cv2.copyMakeBorder(gain[around.slices], 0, 1, 0, 1, cv2.BORDER_REPLICATE)
        full = cv2.resize(last, None, fx=self._grid.stride, fy=self._grid.stride)
        top, left = (box.top + around.top) * self._grid.stride, (box.left + around.left) * self._grid.stride
        return Nearer(top, left, full[: self._grid.height - top, : self._grid.width - left] > 0)

    def _whole(self, label: int, inside: npt.NDArray[np.bool_]) -> Piece:
        cells = inside.view(np.uint8)
        if not cells.any():  # a component that slips between the cells still has a place
            row, column = self._runs.place(label)
            stride = self._grid.stride
            cells[min(row // stride, cells.shape[0] - 1), min(column // stride, cells.shape[1] - 1)] = 1
        return self._piece(label, cells)

    def _piece(self, label: int, cells: UInt8Array) -> Piece:
        return Piece(label, cells, self.classes, self.class_count, self._grid.window)


def nearest_of(costs: Costs) -> tuple[UInt8Array, Costs]:
    """The index of the lowest cost, the first where equal, and by how much each is below all those before it.

    Args:
        costs: (h, w) float32 each.

    Returns:
        (h, w) uint8, and (h, w) float32 for every cost but the first.
    """
    nearest = np.zeros(costs[0].shape, np.uint8)
    lowest, gains = costs[0], []
    for index, cost in enumerate(costs[1:], start=1):
        gains.append(lowest - cost)
        np.copyto(nearest, index, where=gains[-1] > 0)
        lowest = np.minimum(lowest, cost)
    return nearest, gains
