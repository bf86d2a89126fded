"""Connected foreground components of one frame, seen on a coarse grid and painted in full resolution.

Components are found in full resolution, so a kept one never loses a pixel. Everything that asks where a
component lies and what it overlaps works on a grid of every n-th pixel instead, which is what makes tracking
fast enough to run beside the network.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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

    @cached_property
    def pose(self) -> Pose:
        """Place and direction, in cells."""
        return pose_of(self.cells, self._window)

    @cached_property
    def votes(self) -> npt.NDArray[np.int64]:
        """How many cells each class of the schema has, int64 (classes,)."""
        box = Box.around(self.cells).slices
        shown = self._frame[box] * self.cells[box]
        votes = np.bincount(shown.ravel(), minlength=self._class_count)[: self._class_count]
        votes[0] = 0
        return votes


class Nearer(NamedTuple):
    """Where a part of a component is nearer than all parts before it: bool, from pixel `top`, `left` on."""

    top: int
    left: int
    inside: npt.NDArray[np.bool_]


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
        self._runs = find_runs(classes)
        self._cell_runs = self._runs.sampled(grid.stride)
        self._areas = self._runs.areas()
        self._cuts: dict[int, tuple[Piece, list[tuple[Piece, Nearer]]]] = {}  # by component: first part, others

    def pieces(self, smallest: float, largest: float = float("inf")) -> list[Piece]:
        """Whole components of `smallest` to `largest` (exclusive) pixels, the largest first."""
        labels = np.flatnonzero((self._areas >= smallest) & (self._areas < largest))
        if labels.size == 0:
            return []
        by_size = labels[np.argsort(-self._areas[labels], kind="stable")][:MOST_PIECES]
        ranks = np.zeros(self._runs.count, np.uint8)
        ranks[by_size] = np.arange(1, len(by_size) + 1)
        cell_ranks = self._cell_runs.draw(ranks)
        return [self._whole(int(label), cell_ranks == rank) for rank, label in enumerate(by_size, start=1)]

    def box(self, piece: Piece) -> Box:
        """The cells that a component's pixels lie in, also those whose centres it misses."""
        pixels, stride = self._runs.box(piece.label), self._grid.stride
        height, width = self.classes.shape
        top, left = min(pixels.top // stride, height - 1), min(pixels.left // stride, width - 1)
        return Box(
            top, left, max(-(-pixels.bottom // stride), top + 1), max(-(-pixels.right // stride), left + 1)
        ).grown(0, self.classes.shape)

    def cut(self, piece: Piece, box: Box, costs: Costs) -> list[Piece]:
        """Cut a component in parts: every pixel goes to the part whose cost, given on the grid, is lowest.

        The costs are interpolated to full resolution, so the cut is smooth rather than stepped. Each part must
        be left some cells.

        Args:
            piece: the component.
            box: where on the grid the costs are; it holds the component's own box.
            costs: of each part.
        """
        nearest, gains = nearest_of(costs)
        own = self.box(piece)
        inner = slice(own.top - box.top, own.bottom - box.top), slice(own.left - box.left, own.right - box.left)
        parts = []
        for index in range(len(costs)):
            cells = np.zeros_like(piece.cells)
            np.bitwise_and(piece.cells[box.slices], (nearest == index).view(np.uint8), out=cells[box.slices])
            parts.append(self._piece(piece.label, cells))
        nearer = [self._nearer(gain[inner], own) for gain in gains]
        self._cuts[piece.label] = parts[0], list(zip(parts[1:], nearer, strict=True))
        return parts

    def paint(self, owned: Iterable[tuple[Piece, int]]) -> UInt8Array:
        """Draw pieces with their layer ids: (H, W) uint8."""
        layers = dict(owned)
        ids = np.zeros(self._runs.count, np.uint8)
        for piece, layer in layers.items():
            ids[piece.label] = layer
        for label, (first, _) in self._cuts.items():
            ids[label] = layers.get(first, 0)
        mask = self._runs.draw(ids)
        for label, (_, parts) in self._cuts.items():
            component = self._runs.draw((np.arange(self._runs.count) == label).view(np.uint8)).view(np.bool_)
            for piece, (top, left, inside) in parts:
                box = slice(top, top + inside.shape[0]), slice(left, left + inside.shape[1])
                np.copyto(mask[box], layers.get(piece, 0), where=inside & component[box])
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
