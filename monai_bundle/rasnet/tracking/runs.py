"""A mask as horizontal runs of pixels: a small thing to hand around, and to find connected components with.

A mask of a few instruments has some thousand runs where it has millions of pixels, so that labelling the runs and
drawing them again is several times faster than labelling pixels, with the same components.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from rasnet.errors import RASNetError
from rasnet.tracking.boxes import Box

if TYPE_CHECKING:
    from rasnet.video import RegionOfInterest

IntArray = npt.NDArray[np.int32]
UInt8Array = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ClassRuns:
    """A mask of classes, by the pixels that show another one than the pixel before; it draws the very same mask.

    Attributes:
        height, width: size of the mask in pixels.
        rows, columns: of these pixels, from top to bottom and left to right. Every row begins anew behind background,
            and ends with background in the column `width`.
        classes: what they show, uint8.
    """

    height: int
    width: int
    rows: IntArray
    columns: IntArray
    classes: UInt8Array

    @classmethod
    def of(cls, mask: UInt8Array) -> ClassRuns:
        """Find the runs of a mask, uint8 (H, W).

        Raises:
            RASNetError: it is something else.
        """
        check_mask(mask)
        height, width = mask.shape
        pitch = width + 1  # a background pixel ends every row
        rows, columns = np.divmod(_changes(np.ascontiguousarray(mask).reshape(-1)), width)
        inside = columns > 0
        # The ends of a row are told by themselves, whatever the rows beside it show.
        begun, ended = np.flatnonzero(mask[:, 0]) * pitch, np.flatnonzero(mask[:, -1]) * pitch + width
        edges = np.sort(np.concatenate((rows[inside] * pitch + columns[inside], begun, ended)), kind="stable")
        rows, columns = np.divmod(edges.astype(np.int32), np.int32(pitch))
        classes = mask[rows, np.minimum(columns, width - 1)] * (columns < width)
        return cls(height, width, rows, columns, classes)

    def in_frame(self, roi: RegionOfInterest) -> ClassRuns:
        """What `RegionOfInterest.restore` gives: the region's mask in the full frame."""
        return replace(
            self,
            height=roi.frame_height,
            width=roi.frame_width,
            rows=self.rows + np.int32(roi.top),
            columns=self.columns + np.int32(roi.left),
        )

    def sampled(self, stride: int) -> ClassRuns:
        """The runs on a grid of every `stride`-th pixel, from `stride // 2` on."""
        on_grid = self.rows % stride == stride // 2
        rows, columns = self.rows[on_grid] // stride, _cells(self.columns[on_grid], stride)
        return ClassRuns(_count(self.height, stride), _count(self.width, stride), rows, columns, self.classes[on_grid])

    def draw(self) -> UInt8Array:
        """Give the mask, uint8 (height, width)."""
        return _fill(self.rows * self.width + self.columns, self.classes, (self.height, self.width))

    @cached_property
    def foreground(self) -> Runs:
        """The runs of the pixels that are not background."""
        return Runs.of(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it in small numbers, and without the foreground: it is found again faster than it is sent twice."""
        rows, columns = (
            place.astype(np.min_scalar_type(size))
            for place, size in ((self.rows, self.height), (self.columns, self.width))
        )
        return _from_small, (self.height, self.width, rows, columns, self.classes)


@dataclass(frozen=True)
class Runs:
    """Runs of a mask's pixels, each within one row, from top to bottom and left to right.

    Attributes:
        height, width: size of the mask in pixels.
        rows, starts, stops: row, first column, and column behind the last one of each run.
        labels: the 8-connected component of each run, from 0.
        count: number of components.
    """

    height: int
    width: int
    rows: IntArray
    starts: IntArray
    stops: IntArray
    labels: IntArray
    count: int

    @classmethod
    def of(cls, mask: ClassRuns) -> Runs:
        """Find the runs of the pixels that are not background, and which of them hang together."""
        shown = np.concatenate(([False], mask.classes > 0))
        first, behind = np.flatnonzero(shown[1:] & ~shown[:-1]), np.flatnonzero(shown[:-1] & ~shown[1:])
        rows, starts, stops = mask.rows[first], mask.columns[first], mask.columns[behind]
        count, labels = _join(rows * (mask.width + 1), starts, stops, mask.width + 1)
        return cls(mask.height, mask.width, rows, starts, stops, labels, count)

    def areas(self) -> npt.NDArray[np.intp]:
        """Pixels of each component."""
        return np.bincount(self.labels, self.stops - self.starts, self.count).astype(np.intp)

    def draw(self, values: UInt8Array) -> UInt8Array:
        """Give every pixel the value of its component, (count,) uint8; the others are 0: (height, width)."""
        edges = np.empty(2 * len(self.rows), np.int32)
        edges[::2] = edges[1::2] = self.rows * self.width
        edges[::2] += self.starts
        edges[1::2] += self.stops
        colours = np.zeros(2 * len(self.rows), np.uint8)
        colours[::2] = values[self.labels]
        return _fill(edges, colours, (self.height, self.width))

    def sampled(self, stride: int) -> Runs:
        """The runs on a grid of every `stride`-th pixel, from `stride // 2` on; a run may hold no such pixel."""
        on_grid = self.rows % stride == stride // 2
        starts, stops = (_cells(columns[on_grid], stride) for columns in (self.starts, self.stops))
        rows, labels = self.rows[on_grid] // stride, self.labels[on_grid]
        return Runs(_count(self.height, stride), _count(self.width, stride), rows, starts, stops, labels, self.count)

    def between(self, top: int, bottom: int) -> Runs:
        """The runs of some rows."""
        first, last = np.searchsorted(self.rows, (top, bottom))
        rows, starts, stops, labels = (each[first:last] for each in (self.rows, self.starts, self.stops, self.labels))
        return Runs(bottom - top, self.width, rows - np.int32(top), starts, stops, labels, self.count)

    def box(self, label: int) -> Box:
        """The smallest box with all pixels of a component."""
        own = self.labels == label
        rows = self.rows[own]
        return Box(int(rows[0]), int(self.starts[own].min()), int(rows[-1]) + 1, int(self.stops[own].max()))

    def place(self, label: int) -> tuple[int, int]:
        """Row and column of a pixel of a component: in the middle of its longest run."""
        own = np.flatnonzero(self.labels == label)
        longest = own[np.argmax(self.stops[own] - self.starts[own])]
        return int(self.rows[longest]), int(self.starts[longest] + self.stops[longest]) // 2


def _from_small(
    height: int, width: int, rows: npt.NDArray[Any], columns: npt.NDArray[Any], classes: UInt8Array
) -> ClassRuns:
    return ClassRuns(height, width, rows.astype(np.int32), columns.astype(np.int32), classes)


def check_mask(mask: npt.NDArray[np.generic]) -> None:
    """Refuse what is no mask of classes or layers.

    Raises:
        RASNetError: it is not uint8 (H, W), or has no pixels.
    """
    if mask.ndim != 2 or mask.dtype != np.uint8 or mask.size == 0:
        raise RASNetError(f"tracking needs uint8 masks (height, width), not {mask.dtype} {mask.shape}")


def _changes(pixels: UInt8Array) -> npt.NDArray[np.intp]:
    """The places of pixels unlike the one before, uint8 (N,)."""
    whole = (len(pixels) - 1) // 8 * 8
    # Eight pixels are one word, and few words show a change.
    shown, before = pixels[1 : whole + 1].view(np.uint64), pixels[:whole].view(np.uint64)
    some = np.flatnonzero(shown != before)
    word, byte = np.divmod(np.flatnonzero(shown[some].view(np.uint8) != before[some].view(np.uint8)), 8)
    last = np.flatnonzero(pixels[whole + 1 :] != pixels[whole:-1])
    return np.concatenate((8 * some[word] + byte, whole + last)) + 1


def _cells(columns: IntArray, stride: int) -> IntArray:
    """The first cell from each pixel on, of a grid of every `stride`-th one from `stride // 2` on."""
    return (columns - stride // 2 + stride - 1) // stride


def _count(size: int, stride: int) -> int:
    """How many cells that grid has."""
    return len(range(stride // 2, size, stride))


def _fill(edges: IntArray, values: UInt8Array, shape: tuple[int, int]) -> UInt8Array:
    """Give pixels, row by row from each edge to the next, the edge's value, and 0 before the first: uint8 (H, W)."""
    lengths = np.diff(edges, prepend=np.int32(0), append=np.int32(shape[0] * shape[1]))
    return np.repeat(np.concatenate(([np.uint8(0)], values)), lengths).reshape(shape)


def _join(offsets: IntArray, columns: IntArray, ends: IntArray, pitch: int) -> tuple[int, IntArray]:
    """Number of components, and the component of each run: one row down, runs touch, at least by a corner."""
    starts, stops = offsets + columns, offsets + ends
    first = np.searchsorted(stops, starts + np.int32(pitch), side="left")
    beyond = np.searchsorted(starts, stops + np.int32(pitch), side="right")
    touching = np.maximum(beyond - first, 0)
    pointer = np.concatenate([[0], np.cumsum(touching)]).astype(np.int32)
    below = np.arange(pointer[-1], dtype=np.int32) + np.repeat((first - pointer[:-1]).astype(np.int32), touching)
    # SciPy converts every other type of numbers than these.
    graph = csr_matrix((np.ones(len(below)), below, pointer), shape=(len(starts), len(starts)))
    count, labels = connected_components(graph, directed=False)
    return int(count), labels.astype(np.int32, copy=False)
