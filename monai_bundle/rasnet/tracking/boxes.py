"""Rectangles around what a step works on, so that it need not pass over the whole grid."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from rasnet.geometry import Pose, Window, measure_pose


class Box(NamedTuple):
    """Rows `top` to `bottom` and columns `left` to `right`, half-open."""

    top: int
    left: int
    bottom: int
    right: int

    @classmethod
    def around(cls, cells: npt.NDArray[np.uint8]) -> Box:
        """The smallest box with all cells that are not 0; empty where there is none."""
        left, top, width, height = cv2.boundingRect(cells)
        return cls(top, left, top + height, left + width)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.bottom - self.top, self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """What cuts the box out of an array."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def joined(self, other: Box) -> Box:
        """The smallest box that holds both."""
        return Box(
            min(self.top, other.top),
            min(self.left, other.left),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
        )

    def moved(self, down: int, right: int) -> Box:
        """The box, moved."""
        return Box(self.top + down, self.left + right, self.bottom + down, self.right + right)

    def within(self, outer: Box) -> Box:
        """The same box in what `outer` cuts out."""
        return self.moved(-outer.top, -outer.left)

    def grown(self, by: int, shape: tuple[int, ...]) -> Box:
        """With a margin, as far as the (h, w) of the grid allows; empty where the box lies outside it."""
        height, width = shape
        top, left = min(max(self.top - by, 0), height), min(max(self.left - by, 0), width)
        return Box(top, left, min(max(self.bottom + by, top), height), min(max(self.right + by, left), width))


def pose_of(cells: npt.NDArray[np.uint8], window: Window) -> Pose:
    """Measure place and direction of (h, w) cells of the grid; at least one is not 0."""
    box = Box.around(cells)
    return measure_pose(cells[box.slices], window, (box.top, box.left))
