"""What the tracker remembers of one instrument."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rasnet.geometry import Point, Pose
from rasnet.tracking.look import Look, Placement

UInt8Array = npt.NDArray[np.uint8]

COAST_S = 0.5
"""An unseen instrument is expected to slow down with this time constant, not to fly on for ever."""

SMOOTHING_S = 0.06
CONTACT_SMOOTHING_S = 0.2
"""Time constants of the velocity; the motion of touching instruments is known less well."""

RENEW_S = 0.09
"""A look is brought up to date no more often than this: jaws open slowly, and it costs as much as to find the look."""


@dataclass(frozen=True)
class TrackedLayer:
    """Summary of one layer over the frames so far.

    Attributes:
        id: layer id, 1 to 255.
        type: name of the type that most frames voted for; None when the classes are parts, not types.
        votes: frames that voted for each type, by name; a frame has one vote, however large the instrument.
        first_s: time of the first frame with the layer, in seconds.
        last_s: time of the last.
        frames: number of frames with the layer.
    """

    id: int
    type: str | None
    votes: dict[str, int]
    first_s: float
    last_s: float
    frames: int


class Track:
    """One instrument: shape and motion on the grid, type votes.

    A track without an id is a candidate that has not yet been seen long enough to become a layer.

    Args:
        time_s: time of the first sight.
        classes: (h, w) uint8 on the grid, the class of each of its cells, 0 elsewhere.
        pose: place and direction of these cells.
        class_count: number of classes to vote for.
    """

    def __init__(self, time_s: float, classes: UInt8Array, pose: Pose, class_count: int) -> None:
        self.id: int | None = None
        self.since_s = self.first_s = self.last_s = time_s
        self.frames = 0
        self.votes = np.zeros(class_count, np.int64)
        self.velocity = Point(0.0, 0.0)
        self._pose: Pose | Callable[[], Pose] = pose
        self.rooted = False
        self.shape: UInt8Array | None
        self._look: Look | None
        self._renewed_s: float
        self._place: Placement
        self._see(classes, pose)

    @property
    def pose(self) -> Pose:
        """Place and direction when last seen."""
        if not isinstance(self._pose, Pose):
            self._pose = self._pose()
        return self._pose

    def lost_s(self, time_s: float) -> float:
        """Seconds since the track was last seen."""
        return max(time_s - self.last_s, 0.0)

    def forget_shape(self) -> None:
        """Keep only the summary; the track can no longer be found by its position."""
        self.shape = None

    def expected_place(self, time_s: float) -> Placement:
        """Where the instrument should be by now, relative to where its shape was taken."""
        coasted = COAST_S * (1 - math.exp(-self.lost_s(time_s) / COAST_S))
        return self._place.moved(self.velocity.x * coasted, self.velocity.y * coasted)

    def at(self, place: Placement) -> UInt8Array:
        """The shape, moved: (h, w) uint8 on the grid, 1 inside."""
        assert self.shape is not None, "a track without a shape has no place"
        if self._look is None:
            return shifted(self.shape, round(place.dx), round(place.dy))
        return (self._look.at(place) > 0).view(np.uint8)

    @property
    def look(self) -> Look:
        """The shape with its classes, for as long as the instrument touches another."""
        if self._look is None:
            self._look, self._renewed_s = Look(*self._seen), self.last_s
        return self._look

    def renew_look(self, time_s: float, place: Placement, cells: UInt8Array, classes: UInt8Array) -> None:
        """Bring the look up to date, if it was not lately; see `Look.renew`."""
        if time_s - self._renewed_s >= RENEW_S:
            self.look.renew(place, cells, classes)
            self._renewed_s = time_s

    def overlaps(self, cells: UInt8Array, time_s: float) -> bool:
        """Whether a mask on the grid lies at least partly where the track should be by now."""
        return self.shape is not None and bool((self.at(self.expected_place(time_s)) & cells).any())

    def observe(self, time_s: float, classes: UInt8Array, pose: Pose, votes: npt.NDArray[np.int64]) -> None:
        """Take a new sight of the instrument on its own: (h, w) uint8, its classes, 0 elsewhere."""
        step = time_s - self.last_s
        if step > 0:
            moved = Point(pose.centroid.x - self.pose.centroid.x, pose.centroid.y - self.pose.centroid.y)
            self._steer(moved, step, SMOOTHING_S)
        self._see(classes, pose)
        self._count(time_s, pose, votes)

    def observe_contact(
        self, time_s: float, measure: Callable[[], Pose], votes: npt.NDArray[np.int64], place: Placement
    ) -> None:
        """Take a new sight of an instrument that touches another: its look was found at `place`.

        Its pose is measured only when it is asked for: as long as instruments touch, hardly ever.
        """
        step = time_s - self.last_s
        if step > 0:
            moved = Point(place.dx - self._place.dx, place.dy - self._place.dy)
            self._steer(moved, step, CONTACT_SMOOTHING_S)
        self._place = place
        self._count(time_s, measure, votes)

    def become_layer(self, layer: int, time_s: float) -> None:
        """Show from now on; the frames as a candidate do not count, only their votes."""
        self.id, self.first_s, self.frames = layer, time_s, 1

    def continue_layer(self, earlier: Track) -> None:
        """Take over the id and the history of a track, which this one turned out to be."""
        self.id, self.since_s, self.first_s = earlier.id, earlier.since_s, earlier.first_s
        self.rooted |= earlier.rooted
        self.votes = self.votes + earlier.votes
        self.frames = earlier.frames + min(self.frames, 1)

    @property
    def voted(self) -> int:
        """The class that most frames voted for; the lower id when equal, 0 before any vote."""
        return int(np.argmax(self.votes))

    def _see(self, classes: UInt8Array, pose: Pose) -> None:
        self.shape = (classes > 0).view(np.uint8)
        self._seen, self._look, self._place = (classes, pose), None, Placement()

    def _count(self, time_s: float, pose: Pose | Callable[[], Pose], votes: npt.NDArray[np.int64]) -> None:
        self.last_s, self._pose = time_s, pose
        self.rooted = self.rooted or self.pose.entry.contact > 0
        self.frames += 1
        if votes.any():
            self.votes[np.argmax(votes)] += 1

    def _steer(self, moved: Point, step: float, smoothing: float) -> None:
        weight = 1 - math.exp(-step / smoothing)
        self.velocity = Point(
            self.velocity.x + weight * (moved.x / step - self.velocity.x),
            self.velocity.y + weight * (moved.y / step - self.velocity.y),
        )


def shifted(cells: UInt8Array, dx: int, dy: int) -> UInt8Array:
    """Move a mask by whole cells; what leaves the grid is gone."""
    moved = np.zeros_like(cells)
    height, width = cells.shape
    down, right = min(max(dy, -height), height), min(max(dx, -width), width)
    moved[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)] = cells[
        max(-down, 0) : height - max(down, 0), max(-right, 0) : width - max(right, 0)
    ]
    return moved
