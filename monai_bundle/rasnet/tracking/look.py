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

UInt8Array = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float64]

BEYOND = 160
"""How far a shaft goes on beyond the border, in cells: a touching instrument may come further in."""

SEARCH_CELLS = 4
SEARCH_DEGREES = (0.0, -2.0, 2.0, -4.0, 4.0)
"""How far from its expected place, and how turned against it, a touching instrument is looked for."""

SAMPLES = 400
"""Cells of a look that are compared with a frame."""

STILL_COST = 0.005
"""What moving a look by one cell or one degree must at least gain, as a share of its cells."""

OTHER_CLASS_WORTH = 0.25
"""How much of its worth a cell keeps where a look expects another class."""

CLEARANCE = 0.035
"""How far from every other instrument a look is brought up to date, as a share of the frame's diagonal."""

FLEX = 0.02
"""How far jaws may open and wrists bend away from the look that was first taken, as a share of the diagonal."""


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
        self._diagonal = math.hypot(*classes.shape)
        self._pivot = np.array(pose.centroid)
        self._canvas = cv2.copyMakeBorder(classes, BEYOND, BEYOND, BEYOND, BEYOND, cv2.BORDER_CONSTANT, value=0)
        if pose.entry.contact:
            _continue_shaft(self._canvas, classes, pose)
        self._bendable = _distance(self._canvas) <= FLEX * self._diagonal
        self._sample()

    def at(self, place: Placement) -> UInt8Array:
        """The look, moved: (h, w) uint8 classes on the grid."""
        height, width = self._canvas.shape
        size = (width - 2 * BEYOND, height - 2 * BEYOND)
        return np.asarray(cv2.warpAffine(self._canvas, self._to_grid(place), size, flags=cv2.INTER_NEAREST))

    def settle(self, place: Placement, worth: npt.NDArray[np.float32], classes: UInt8Array | None = None) -> Placement:
        """The placement near `place` that puts the look on the cells of most worth; the nearest when equal.

        Args:
            place: where to search around.
            worth: (h, w) float32, what it is worth that a cell of the look lies there; below 0 where none should.
            classes: (h, w) uint8, the frame's classes, where a look's classes are to lie on the same ones.
        """
        reach, margin = SEARCH_CELLS, 2 * SEARCH_CELLS
        steps = np.arange(-reach, reach + 1)
        around = np.pad(worth, margin)
        classes_around = None if classes is None else np.pad(classes, margin).ravel()
        height, width = around.shape
        shifts = (steps[:, None] * width + steps).ravel()
        cost = STILL_COST * np.hypot(steps[:, None], steps).ravel()
        best, found = -math.inf, place
        for angle in SEARCH_DEGREES:
            matrix = self._to_grid(place.moved(0, 0, angle))
            x, y = np.rint(matrix[:, :2] @ self._points + matrix[:, 2:]).astype(np.int64) + margin
            inside = (x >= reach) & (x < width - reach) & (y >= reach) & (y < height - reach)
            cells = (y * width + x)[inside] + shifts[:, None]
            gains = around.ravel()[cells]
            if classes_around is not None:
                other = classes_around[cells] != self._point_classes[inside]
                gains[other & (gains > 0)] *= OTHER_CLASS_WORTH
            scores = gains.sum(axis=1) / len(x) - cost - STILL_COST * abs(angle)
            index = int(np.argmax(scores))
            if scores[index] > best:
                row, column = divmod(index, len(steps))
                best, found = scores[index], place.moved(float(steps[column]), float(steps[row]), angle)
        return found

    def renew(self, place: Placement, cells: UInt8Array, classes: UInt8Array) -> None:
        """Follow the instrument's own motion, such as opening jaws, where no other instrument is near.

        Args:
            place: where the look lies in the frame.
            cells: (h, w) uint8, 1 where the frame was given to the instrument.
            classes: (h, w) uint8, the classes of the whole frame.
        """
        others = ((classes > 0) & (cells == 0)).view(np.uint8)
        clear = (_distance(others) > CLEARANCE * self._diagonal).view(np.uint8)
        matrix, size = self._to_grid(place), self._canvas.shape[::-1]
        flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        known = cv2.warpAffine(clear, matrix, size, flags=flags) > 0
        seen = cv2.warpAffine(classes * cells, matrix, size, flags=flags)
        np.copyto(self._canvas, seen, where=known & self._bendable)
        self._sample()

    def _sample(self) -> None:
        rows, columns = np.nonzero(self._canvas)
        step = max(1, len(rows) // SAMPLES)
        self._points = np.stack([columns[::step], rows[::step]]).astype(np.float64)
        self._point_classes = self._canvas[rows[::step], columns[::step]]

    def _to_grid(self, place: Placement) -> FloatArray:
        """Affine matrix (2, 3) from the canvas to the grid."""
        cos, sin = math.cos(math.radians(place.angle)), math.sin(math.radians(place.angle))
        turn = np.array([[cos, -sin], [sin, cos]])
        shift = self._pivot + np.array([place.dx, place.dy]) - turn @ (self._pivot + BEYOND)
        return np.column_stack([turn, shift])


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
