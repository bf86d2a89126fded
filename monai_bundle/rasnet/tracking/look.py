"""What a touching instrument looks like, from its last sight on its own, and where that look lies in a frame.

Where two instruments meet, a frame's masks do not tell which pixel is whose, and what was decided for one frame
is no evidence for the next. A look is therefore moved rigidly and never drawn anew from the cut that it helped
to make: only what lies clear of all other instruments is brought up to date.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from rasnet.geometry import Pose
from rasnet.labels import IGNORE
from rasnet.tracking.boxes import Box
from rasnet.tracking.worth import WORTH_UNIT, Worths

UInt8Array = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

BEYOND = 160
"""How far a shaft goes on beyond the border, in cells: a touching instrument may come further in."""

SEARCH_CELLS = 4
SEARCH_DEGREES = (0.0, -2.0, 2.0, -4.0, 4.0)
"""How far from its expected place, and how turned against it, a touching instrument is looked for."""

SAMPLES = 400
"""At least as many cells of a look are compared with a frame, fewer than twice as many."""

STILL_COST = 0.005
"""What moving a look by one cell or one degree must at least gain, as a share of its cells."""

_STEPS = np.arange(-SEARCH_CELLS, SEARCH_CELLS + 1)
_STEP_COSTS = STILL_COST * (np.hypot(_STEPS[:, None], _STEPS) + np.abs(SEARCH_DEGREES)[:, None, None])

CLEARANCE = 0.035
"""How far from every other instrument, in rows or columns, a look is brought up to date, as a share of the diagonal."""

FLEX = 0.02
"""How far jaws may open and wrists bend away from the look that was first taken, as a share of the diagonal."""


_Motion = tuple[tuple[float, float, float], tuple[float, float, float]]
"""The rows of an affine matrix."""


class Placement(NamedTuple):
    """A rigid motion: a turn by `angle` degrees about a look's pivot, then a shift in cells."""

    dx: float = 0.0
    dy: float = 0.0
    angle: float = 0.0

    def moved(self, dx: float, dy: float, angle: float = 0.0) -> Placement:
        """This motion with a further one added."""
        return Placement(self.dx + dx, self.dy + dy, self.angle + angle)


class Look:
    """An instrument's classes on the grid, its shaft continued beyond the border that it comes in by.

    Args:
        classes: (h, w) uint8 on the grid, the class of each cell of the instrument, 0 elsewhere.
        pose: place and direction of the same cells.
    """

    def __init__(self, classes: UInt8Array, pose: Pose) -> None:
        self._grid = classes.shape
        self._diagonal = math.hypot(*classes.shape)
        self._pivot = pose.centroid
        canvas = cv2.copyMakeBorder(classes, BEYOND, BEYOND, BEYOND, BEYOND, cv2.BORDER_CONSTANT, value=0)
        if pose.entry.contact:
            _continue_shaft(canvas, classes, pose)
        box = Box.around(canvas).grown(math.ceil(FLEX * self._diagonal), canvas.shape)
        self._canvas = np.ascontiguousarray(canvas[box.slices])
        self._origin = (box.left - BEYOND, box.top - BEYOND)  # of the canvas, in cells of the grid
        self._bendable = _distance(self._canvas) <= FLEX * self._diagonal
        self._moved: tuple[Placement, UInt8Array] | None  # what `at` gave last
        self._turns: tuple[float, npt.NDArray[np.float32]] | None  # what `_turned` gave last
        self._sample()

    def at(self, place: Placement) -> UInt8Array:
        """The look, moved: (h, w) uint8 classes on the grid, to be read only."""
        if self._moved is None or self._moved[0] != place:
            self._moved = place, self._move(place)
        return self._moved[1]

    def _move(self, place: Placement) -> UInt8Array:
        moved = np.zeros(self._grid, np.uint8)
        motion = self._to_grid(place)
        box = self._box(motion)
        if 0 not in box.shape:
            matrix = _to_box(motion, box)
            moved[box.slices] = cv2.warpAffine(self._canvas, matrix, box.shape[::-1], flags=cv2.INTER_NEAREST)
        return moved

    def settle(
        self, place: Placement, component: UInt8Array, taken: UInt8Array, classes: UInt8Array | None = None
    ) -> Placement:
        """The placement near `place` that puts the look on the cells of most worth; the nearest when equal.

        Args:
            place: where to search around.
            component: (h, w) uint8, 1 on the component that the instrument is in.
            taken: (h, w) uint8, 1 on the expected shapes of the others.
            classes: (h, w) uint8, the frame's classes, where a look's classes are to lie on the same ones.
        """
        windows, samples = self._windows(place)
        if not samples.size:
            return place
        (left, top), (right, bottom) = windows.min(axis=(0, 2)).tolist(), windows.max(axis=(0, 2)).tolist()
        box = Box(top, left, bottom + len(_STEPS), right + len(_STEPS))
        if classes is None:
            worths, planes = Worths(box, component, taken, None, [0]), np.zeros_like(samples)
        else:
            worths, planes = Worths(box, component, taken, classes, self._kinds), self._planes[samples]
        sums = worths.sums(planes, windows[:, 0].T, windows[:, 1].T, len(_STEPS))
        gains = sums / (WORTH_UNIT * len(self._planes)) - _STEP_COSTS
        turn, down, right = np.unravel_index(np.argmax(gains), gains.shape)
        return place.moved(float(right) - SEARCH_CELLS, float(down) - SEARCH_CELLS, SEARCH_DEGREES[turn])

    def _windows(self, place: Placement) -> tuple[IntArray, IntArray]:
        """The first column and row where each turn and any shift put samples, (turns, 2, n), and which samples, (n,).

        Samples that never come to lie on the grid, as most of a shaft beyond the border, count for nothing.
        """
        shift = np.array([[place.dx], [place.dy]], np.float32)
        first = np.rint(self._turned(place.angle) + shift) - SEARCH_CELLS
        height, width = self._grid
        before, behind = np.float32(-len(_STEPS)), np.array([[width], [height]], np.float32)
        near = (first > before) & (first < behind)
        samples = np.flatnonzero((near[:, 0] & near[:, 1]).any(axis=0))
        return np.minimum(np.maximum(first.take(samples, axis=2), before), behind).astype(np.intp), samples

    def _turned(self, angle: float) -> npt.NDArray[np.float32]:
        """Where the samples lie before any shift, at every turn that is tried from an angle: (turns, 2, n) cells."""
        if self._turns is None or self._turns[0] != angle:
            motions = np.array([self._to_grid(Placement(0, 0, angle + turn)) for turn in SEARCH_DEGREES])
            self._turns = angle, (motions[:, :, :2] @ self._points + motions[:, :, 2:]).astype(np.float32)
        return self._turns[1]

    def renew(self, place: Placement, cells: UInt8Array, classes: UInt8Array) -> None:
        """Follow the instrument's own motion, such as opening jaws, where no other instrument is near.

        Args:
            place: where the look lies in the frame.
            cells: (h, w) uint8, 1 where the frame was given to the instrument.
            classes: (h, w) uint8, the classes of the whole frame.
        """
        clearance = round(CLEARANCE * self._diagonal)
        motion = self._to_grid(place)
        box = self._box(motion)
        if 0 in box.shape:
            return
        wide = box.grown(clearance, self._grid)  # nothing further away is too near
        frame = classes[wide.slices]
        seen = frame * cells[wide.slices]
        others = frame - seen
        near = cv2.dilate(others, np.ones((2 * clearance + 1, 2 * clearance + 1), np.uint8))
        np.copyto(seen, IGNORE, where=near > 0)
        flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        matrix, size = _to_box(motion, wide), self._canvas.shape[::-1]
        now = cv2.warpAffine(seen, matrix, size, flags=flags, borderValue=IGNORE)
        np.copyto(self._canvas, now, where=(now != IGNORE) & self._bendable)
        self._sample()

    def _sample(self) -> None:
        cells = np.flatnonzero(self._canvas > 0)
        cells = cells[:: max(1, len(cells) // SAMPLES)]
        rows, columns = np.divmod(cells, self._canvas.shape[1])
        self._points = np.array([columns, rows], np.float64)
        self._point_classes = self._canvas.ravel()[cells]
        shown = np.bincount(self._point_classes) > 0
        self._kinds: list[int] = np.flatnonzero(shown).tolist()
        self._planes = (np.cumsum(shown) - 1)[self._point_classes]  # which of the kinds each sample is
        self._moved = self._turns = None

    def _box(self, motion: _Motion) -> Box:
        """Where on the grid the canvas lies."""
        (a, b, x), (c, d, y) = motion
        height, width = self._canvas.shape
        across, down = (
            (0.0, a * width, b * height, a * width + b * height),
            (0.0, c * width, d * height, c * width + d * height),
        )
        return Box(
            math.floor(y + min(down)),
            math.floor(x + min(across)),
            math.ceil(y + max(down)) + 1,
            math.ceil(x + max(across)) + 1,
        ).grown(0, self._grid)

    def _to_grid(self, place: Placement) -> _Motion:
        """The motion from the canvas to the grid."""
        cos, sin = math.cos(math.radians(place.angle)), math.sin(math.radians(place.angle))
        (x, y), (left, top) = self._pivot, self._origin
        right, down = x - left, y - top
        return (
            (cos, -sin, x + place.dx - cos * right + sin * down),
            (sin, cos, y + place.dy - sin * right - cos * down),
        )


def _to_box(motion: _Motion, box: Box) -> FloatArray:
    """The matrix of a motion to the grid, (2, 3), as it leads to what a box cuts out of the grid."""
    (a, b, x), (c, d, y) = motion
    return np.array([[a, b, x - box.left], [c, d, y - box.top]])


def _continue_shaft(canvas: UInt8Array, classes: UInt8Array, pose: Pose) -> None:
    """Sweep the cells on the border outwards, along the instrument's first stretch."""
    entry = pose.entry
    rows, columns = np.nonzero(classes)
    away = np.array([entry.point.x - columns, entry.point.y - rows])
    outward = away[:, np.hypot(*away) <= 3 * entry.contact].mean(axis=1)
    if np.hypot(*outward) < 1:
        outward = -np.array(pose.axis)
    half = (entry.contact - 1) / 2
    across = np.array([0.0, half] if entry.side in ("left", "right") else [half, 0.0])
    start = np.array(entry.point) + BEYOND
    end = start + 2 * BEYOND * outward / np.hypot(*outward)
    corners = np.array([start + across, start - across, end - across, end + across])
    swept = np.zeros_like(canvas)
    cv2.fillConvexPoly(swept, corners.round().astype(np.int32), 1)
    canvas[(swept > 0) & (canvas == 0)] = max(int(classes[int(entry.point.y), int(entry.point.x)]), 1)


def _distance(cells: UInt8Array) -> npt.NDArray[np.float32]:
    """Distance of every cell to the nearest one that is not 0; very large where there is none."""
    if not cells.any():
        return np.full(cells.shape, np.inf, np.float32)
    return np.asarray(cv2.distanceTransform((cells == 0).view(np.uint8), cv2.DIST_L2, 3))
