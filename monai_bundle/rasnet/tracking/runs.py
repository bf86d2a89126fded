"""A mask as horizontal runs of pixels: its connected components, found and drawn without touching every pixel twice.

A mask of a few instruments has some thousand runs where it has millions of pixels, so that labelling the runs and
drawing them again is several times faster than labelling pixels, with the same components.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from rasnet.tracking.boxes import Box

IntArray = npt.NDArray[np.intp]
UInt8Array = npt.NDArray[np.uint8]


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

    def areas(self) -> IntArray:
        """Pixels of each component."""
        return np.bincount(self.labels, self.stops - self.starts, self.count).astype(np.intp)

    def draw(self, values: UInt8Array) -> UInt8Array:
        """Give every pixel the value of its component, (count,) uint8; the others are 0: (height, width)."""
        colours = np.zeros(2 * len(self.rows) + 1, np.uint8)
        colours[1::2] = values[self.labels]
        edges = np.empty(2 * len(self.rows) + 2, np.intp)
        edges[0], edges[-1] = 0, self.height * self.width
        edges[1:-1:2] = self.rows * self.width + self.starts
        edges[2:-1:2] = self.rows * self.width + self.stops
        return np.repeat(colours, np.diff(edges)).reshape(self.height, self.width)

    def sampled(self, stride: int) -> Runs:
        """The runs on a grid of every `stride`-th pixel, from `stride // 2` on; a run may hold no such pixel."""
        first = stride // 2
        height, width = (len(range(first, size, stride)) for size in (self.height, self.width))
        on_grid = self.rows % stride == first
        starts, stops = ((columns[on_grid] - first + stride - 1) // stride for columns in (self.starts, self.stops))
        return Runs(height, width, self.rows[on_grid] // stride, starts, stops, self.labels[on_grid], self.count)

    def between(self, top: int, bottom: int) -> Runs:
        """The runs of some rows."""
        first, last = np.searchsorted(self.rows, (top, bottom))
        rows, starts, stops, labels = (each[first:last] for each in (self.rows, self.starts, self.stops, self.labels))
        return Runs(bottom - top, self.width, rows - top, starts, stops, labels, self.count)

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


def find_runs(mask: npt.NDArray[np.generic]) -> Runs:
    """Find the runs of the pixels of a mask, (H, W), that are not 0, and which of them hang together."""
    height, width = mask.shape
    pitch = width + 1  # a background pixel ends every row
    flat = np.zeros(height * pitch + 1, np.bool_)
    np.not_equal(mask, 0, out=flat[1:].reshape(height, pitch)[:, :width])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    starts, stops = edges[::2], edges[1::2]
    rows = starts // pitch
    count, labels = _join(starts, stops, pitch)
    return Runs(height, width, rows, starts - rows * pitch, stops - rows * pitch, labels, count)


def _join(starts: IntArray, stops: IntArray, pitch: int) -> tuple[int, IntArray]:
    """Number of components, and the component of each run: one row down, runs touch, at least by a corner."""
    first = np.searchsorted(stops, starts + pitch, side="left")
    beyond = np.searchsorted(starts, stops + pitch, side="right")
    touching = np.maximum(beyond - first, 0)
    pointer = np.concatenate([[0], np.cumsum(touching)]).astype(np.int32)
    below = np.arange(pointer[-1], dtype=np.int32) + np.repeat((first - pointer[:-1]).astype(np.int32), touching)
    # SciPy converts every other type of numbers than these.
    graph = csr_matrix((np.ones(len(below)), below, pointer), shape=(len(starts), len(starts)))
    count, labels = connected_components(graph, directed=False)
    return int(count), labels.astype(np.intp)
