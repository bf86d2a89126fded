"""Connected foreground components of one frame, seen on a coarse grid.

Components are found in full resolution, so a kept one never loses a pixel (see `Outline`). Everything that asks where a
component lies and what it overlaps works on a grid of every n-th pixel instead, which is what makes tracking fast
enough to run beside the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from rasnet.geometry import Pose, Window
from rasnet.tracking.boxes import Box, pose_of
from rasnet.tracking.grid import Grid
from rasnet.tracking.outline import EVEN, FINENESS, Cut, Drawing, Part, UInt8Array
from rasnet.tracking.runs import Runs

Costs = Sequence[npt.NDArray[np.float32]]

SPECK_SHARE = 0.05
"""Components below the smallest area join an instrument beside them; below this share of it they are noise."""

MOST_PIECES = 64
"""More components than this are noise; the largest are kept."""


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


class _CutComponent(NamedTuple):
    """A component cut in parts, and where each part but the first is nearer than all before it."""

    parts: list[Piece]
    nearer: list[tuple[Box, UInt8Array]]


class Foreground:
    """The connected components of a frame's classes, seen on the grid: all that tracking needs of a frame by itself.

    Args:
        classes: the frame's classes on the grid, (h, w) uint8, 0 for the background.
        runs: the components of the full frame.
        grid: the grid to work on.
        class_count: number of classes in the schema.
        min_area: the smallest instrument in pixels.

    Attributes:
        classes: on the grid, (h, w) uint8.
        components: of `min_area` pixels and more, the largest first.
        specks: smaller ones that may belong to an instrument beside them.
    """

    def __init__(self, classes: UInt8Array, runs: Runs, grid: Grid, class_count: int, min_area: float) -> None:
        self._grid = grid
        self.class_count = class_count
        self.min_area = min_area
        self.classes = classes
        self._boxes: dict[int, Box] = {}  # by component
        self._cuts: dict[int, _CutComponent] = {}
        areas, cell_runs = runs.areas(), runs.sampled(grid.stride)
        smallest = max(SPECK_SHARE * min_area, 1)
        self.components = self._pieces(runs, cell_runs, areas >= min_area, areas)
        self.specks = self._pieces(runs, cell_runs, (areas >= smallest) & (areas < min_area), areas)

    def _pieces(
        self, runs: Runs, cell_runs: Runs, wanted: npt.NDArray[np.bool_], areas: npt.NDArray[np.intp]
    ) -> list[Piece]:
        """Whole components, the largest first."""
        labels = np.flatnonzero(wanted)
        if labels.size == 0:
            return []
        by_size = labels[np.argsort(-areas[labels], kind="stable")][:MOST_PIECES]
        ranks = np.zeros(runs.count, np.uint8)
        ranks[by_size] = np.arange(1, len(by_size) + 1)
        cell_ranks = cell_runs.draw(ranks)
        return [self._whole(runs, int(label), cell_ranks == rank) for rank, label in enumerate(by_size, start=1)]

    def measure(self) -> Foreground:
        """Measure now what tracking may ask of a piece, so that it need not wait for it."""
        for piece in (*self.components, *self.specks):
            _ = piece.size, piece.pose, piece.votes
        return self

    def box(self, piece: Piece) -> Box:
        """The cells that a component's pixels lie in, also those whose centres it misses."""
        return self._boxes[piece.label]

    def cut(self, piece: Piece, box: Box, nearest: UInt8Array, gains: Costs) -> list[Piece]:
        """Cut a component in parts: every pixel goes to the part whose cost, given on the grid, is lowest.

        Each part must be left some cells.

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
        inner = own.within(box).slices
        nearer = [_where_positive(gain[inner], own) for gain in gains]
        self._cuts[piece.label] = _CutComponent(parts, nearer)
        return parts

    def drawing(self, layers: Mapping[Piece, int]) -> Drawing:
        """Tell how the frame is to be painted, where pieces have these layer ids."""
        cuts = []
        for label, cut in self._cuts.items():
            first, *others = (layers.get(piece, 0) for piece in cut.parts)
            parts = [Part(layer, *nearer) for layer, nearer in zip(others, cut.nearer, strict=True)]
            cuts.append(Cut(label, first, parts))
        whole = {piece.label: layer for piece, layer in layers.items() if piece.label not in self._cuts}
        return Drawing(whole, cuts)

    def _whole(self, runs: Runs, label: int, inside: npt.NDArray[np.bool_]) -> Piece:
        cells, stride = inside.view(np.uint8), self._grid.stride
        if not cells.any():  # a component that slips between the cells still has a place
            row, column = runs.place(label)
            cells[min(row // stride, cells.shape[0] - 1), min(column // stride, cells.shape[1] - 1)] = 1
        self._boxes[label] = _on_grid(runs.box(label), stride, cells.shape)
        return self._piece(label, cells)

    def _piece(self, label: int, cells: UInt8Array) -> Piece:
        return Piece(label, cells, self.classes, self.class_count, self._grid.window)


def _on_grid(pixels: Box, stride: int, shape: tuple[int, ...]) -> Box:
    """The cells that a box of pixels lies in, at least one, on a grid of a shape (h, w)."""
    height, width = shape
    top, left = min(pixels.top // stride, height - 1), min(pixels.left // stride, width - 1)
    bottom, right = max(-(-pixels.bottom // stride), top + 1), max(-(-pixels.right // stride), left + 1)
    return Box(top, left, bottom, right).grown(0, shape)


def _where_positive(gain: npt.NDArray[np.float32], box: Box) -> tuple[Box, UInt8Array]:
    """What of a (h, w) gain, which is in a box, is above 0, with a cell around it, as a `Part` has it."""
    around = Box.around((gain > 0).view(np.uint8)).grown(1, gain.shape)
    shown = gain[around.slices]
    whole = cv2.addWeighted(shown, FINENESS, shown, 0, EVEN, dtype=cv2.CV_8U)
    return around.moved(box.top, box.left), np.asarray(whole, np.uint8)


def nearest_of(costs: Costs) -> tuple[UInt8Array, Costs]:
    """The index of the lowest cost, the first where equal, and by how much each is below all those before it.

    Args:
        costs: (h, w) float32 each.

    Returns:
        (h, w) uint8, and (h, w) float32 for every cost but the first.
    """
    nearest = np.zeros(costs[0].shape, np.uint8)
    lowest = accumulate(costs[:-1], np.minimum)  # of all costs before each
    gains = [before - cost for before, cost in zip(lowest, costs[1:], strict=True)]
    for index, gain in enumerate(gains, start=1):
        np.copyto(nearest, index, where=gain > 0)
    return nearest, gains
