"""Where an instrument's mask lies and how it points: moments, axis, entry through the border, far end.

Every instrument comes in through the border of the picture and points away from it. From a mask alone this
gives its direction: the principal axis of the second moments, turned away from the entry.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]

SIDES = ("left", "right", "top", "bottom")


class Point(NamedTuple):
    """A place or a direction in pixels: x to the right, y down; the first pixel's centre is (0, 0)."""

    x: float
    y: float

    def distance(self, other: Point) -> float:
        """Euclidean distance to another point."""
        return math.hypot(self.x - other.x, self.y - other.y)


@dataclass(frozen=True)
class Window:
    """The part of a frame that is picture, half-open: rows `top` to `bottom`, columns `left` to `right`.

    Attributes:
        band: how many pixels from the edge still count as touching the border.
    """

    top: int
    left: int
    bottom: int
    right: int
    band: int = 1

    @property
    def diagonal(self) -> float:
        """Length of the diagonal in pixels."""
        return math.hypot(self.bottom - self.top, self.right - self.left)

    def distances(self, point: Point) -> tuple[float, float, float, float]:
        """How far a point lies from the left, right, top and bottom edge."""
        return (
            point.x - self.left,
            self.right - 1 - point.x,
            point.y - self.top,
            self.bottom - 1 - point.y,
        )


@dataclass(frozen=True)
class Entry:
    """Where an instrument comes into the picture.

    Attributes:
        point: the middle of the mask's pixels on the border, or, for a mask that reaches no border, the end
            of its axis that is nearest to one.
        side: ``"left"``, ``"right"``, ``"top"`` or ``"bottom"``.
        contact: how many pixels of the mask lie on that side; 0 for a mask that reaches no border.
    """

    point: Point
    side: str
    contact: int


@dataclass(frozen=True)
class Pose:
    """Place and direction of one mask.

    Attributes:
        area: pixels.
        centroid: mean of the pixels' centres.
        axis: unit vector along the principal axis, pointing away from the entry.
        elongation: standard deviation along the axis over that across it, at least 1.
        width: full width of a bar with the mask's second moment across the axis, in pixels.
        far_end: middle of the outline's pixels that lie furthest along the axis.
        entry: where the mask comes into the picture.
    """

    area: int
    centroid: Point
    axis: Point
    elongation: float
    width: float
    far_end: Point
    entry: Entry

    @property
    def length(self) -> float:
        """Full length of a bar with the mask's second moment along the axis, in pixels."""
        return self.elongation * self.width


def measure_pose(mask: npt.NDArray[np.uint8], window: Window, origin: tuple[int, int] = (0, 0)) -> Pose:
    """Measure place and direction of a mask.

    Args:
        mask: (H, W) uint8, nonzero where the instrument is; at least one pixel.
        window: the picture's border, in the coordinates of the frame.
        origin: row and column in the frame of the mask's first pixel, when `mask` is a crop.
    """
    top, left = origin
    moments = cv2.moments(mask, binaryImage=True)
    area = moments["m00"]
    centroid = Point(moments["m10"] / area + left, moments["m01"] / area + top)
    axis, along, across = _principal_axis(moments["mu20"] / area, moments["mu11"] / area, moments["mu02"] / area)
    outline = _outline(mask, origin)
    entry = _border_entry(mask, window, origin)
    if entry is None:
        ends = (extreme_along(outline, axis), extreme_along(outline, opposite(axis)))
        point = min(ends, key=lambda end: min(window.distances(end)))
        distances = window.distances(point)
        entry = Entry(point, SIDES[distances.index(min(distances))], 0)
    axis = orient(axis, entry.point, centroid)
    return Pose(
        area=int(area),
        centroid=centroid,
        axis=axis,
        elongation=along / across,
        width=across * math.sqrt(12),
        far_end=extreme_along(outline, axis),
        entry=entry,
    )


def opposite(direction: Point) -> Point:
    """The same direction, reversed."""
    return Point(-direction.x, -direction.y)


def orient(axis: Point, start: Point, end: Point) -> Point:
    """Turn an axis so that it leads from `start` to `end` rather than back."""
    forward = (end.x - start.x) * axis.x + (end.y - start.y) * axis.y
    return axis if forward >= 0 else opposite(axis)


def far_end(mask: npt.NDArray[np.uint8], axis: Point, origin: tuple[int, int] = (0, 0)) -> Point:
    """Middle of the outline's pixels that lie furthest along a direction (within one pixel)."""
    return extreme_along(_outline(mask, origin), axis)


def extreme_along(outline: npt.NDArray[np.float64], axis: Point) -> Point:
    """Middle of those points of an (N, 2) outline that lie furthest along a direction, within one pixel."""
    projection = outline @ np.array(axis)
    # The next row of pixels is no part of it, whichever way its distance of one pixel is rounded.
    x, y = outline[projection > projection.max() - 1 + 1e-6].mean(axis=0)
    return Point(float(x), float(y))


def _outline(mask: npt.NDArray[np.uint8], origin: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Outer boundary pixels, (N, 2) float64 x and y in the frame."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(origin[1], origin[0]))
    return np.concatenate(contours)[:, 0, :].astype(np.float64)


def _principal_axis(xx: float, xy: float, yy: float) -> tuple[Point, float, float]:
    """Axis, and standard deviation along and across it, of central second moments.

    A pixel is a unit square, not a point: its own variance of 1/12 is added, so that a bar one pixel wide
    has width 1.
    """
    angle = 0.5 * math.atan2(2 * xy, xx - yy)
    mean, spread = (xx + yy) / 2 + 1 / 12, math.hypot((xx - yy) / 2, xy)
    return Point(math.cos(angle), math.sin(angle)), math.sqrt(mean + spread), math.sqrt(max(mean - spread, 1 / 12))


def _border_entry(mask: npt.NDArray[np.uint8], window: Window, origin: tuple[int, int]) -> Entry | None:
    """The side with most of the mask's pixels; left before right before top before bottom when equal."""
    top, left = window.top - origin[0], window.left - origin[1]
    bottom, right = window.bottom - origin[0], window.right - origin[1]
    band = window.band
    best: Entry | None = None
    for side, along, edge, line in (
        ("left", 0, window.left, _band(mask, left, left + band, 1)),
        ("right", 0, window.right - 1, _band(mask, right - band, right, 1)),
        ("top", 1, window.top, _band(mask, top, top + band, 0)),
        ("bottom", 1, window.bottom - 1, _band(mask, bottom - band, bottom, 0)),
    ):
        places = np.flatnonzero(line)
        if places.size > (best.contact if best else 0):
            middle = float(places.mean()) + origin[along]
            point = Point(middle, edge) if along else Point(edge, middle)
            best = Entry(point, side, int(places.size))
    return best


def _band(mask: npt.NDArray[np.uint8], first: int, last: int, axis: int) -> npt.NDArray[np.bool_]:
    """Which lines across a border band (rows or columns `first` to `last`) hold a pixel of the mask."""
    first, last = max(first, 0), max(last, 0)
    band = mask[:, first:last] if axis else mask[first:last]
    return np.asarray(band.any(axis=axis))
