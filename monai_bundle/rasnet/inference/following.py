"""What is done with a case's frames one after another: following their instruments from each to the next."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

from rasnet.case import Case, PredictedFrame
from rasnet.errors import RASNetError
from rasnet.forwarded import Forwarded
from rasnet.remote import Remote
from rasnet.tracking import Drawing, Foreground, Preparation, TrackedLayer, Tracker
from rasnet.until_failure import UntilFailure

LOOK_BACK_S = 1.0
"""Seconds of known masks that tell the tracker where each instrument is and how it moves."""

Foregrounds = Forwarded[UntilFailure[Foreground]]


class Follower:
    """Tracks the frames of a case, in order.

    Frames that the case already holds (of an earlier run, or corrected by a person) are shown to the tracker on
    the way, so that layer ids go on from them.

    Args:
        case: that the frames are of; it is only read.
        note: told of masks that cannot be read.

    Attributes:
        preparation: finds the components of a frame for it, in any thread or process.
    """

    def __init__(self, case: Case, note: Callable[[str], None]) -> None:
        self.case = case
        self._note = note
        missing = set(case.missing())  # among them frames whose mask file is lost: their rows are still there
        self._known = [
            (row.index, row.pts) for row in case.frames() if row.status != "skipped" and row.index not in missing
        ]
        self._tracker = Tracker(case.info.schema, roi=case.info.roi, taken=[layer.id for layer in case.layers()])
        self.preparation = self._tracker.preparation(case.info.height, case.info.width)

    def follow(self, frames: Sequence[PredictedFrame], foregrounds: Foregrounds) -> UntilFailure[Drawing]:
        """Track frames, up to the first that fails; their foregrounds are the tracker's from now on."""
        return UntilFailure(map(self._follow, frames, foregrounds.value))

    @property
    def layers(self) -> list[TrackedLayer]:
        """Every layer so far."""
        return self._tracker.layers

    def _follow(self, frame: PredictedFrame, foreground: Foreground) -> Drawing:
        self._adopt_until(frame.index, frame.pts)
        return self._tracker.follow(frame.pts, foreground)

    def _adopt_until(self, index: int, pts: float) -> None:
        """Show the tracker the frames between the last one and this one that the case holds."""
        count = bisect_left(self._known, (index,))
        passed, self._known = self._known[:count], self._known[count:]
        for known, known_pts in passed:
            if pts - known_pts <= LOOK_BACK_S:
                self._adopt(known, known_pts)

    def _adopt(self, index: int, pts: float) -> None:
        try:
            self._tracker.adopt(pts, self.case.mask(index), self.case.parts(index))
        except RASNetError as error:  # one damaged mask is no reason not to go on
            self._note(str(error))


class RemoteFollower:
    """A `Follower` in a process of its own; used as one, within its block.

    The tracker makes hundreds of short calls a frame, and would wait for Python's lock before many of them.

    Args:
        folder: of the case.
        note: told of masks that cannot be read.

    Raises:
        RASNetError: on entering, when there is no such case.
    """

    def __init__(self, folder: Path, note: Callable[[str], None]) -> None:
        self._note = note
        self._far = Remote(partial(_Noting, folder))

    def follow(self, frames: Sequence[PredictedFrame], foregrounds: Foregrounds) -> UntilFailure[Drawing]:
        """Track frames; see `Follower.follow`."""
        drawings, notes = self._far.call(_Noting.follow_and_note, frames, foregrounds)
        for note in notes:
            self._note(note)
        return drawings

    @property
    def layers(self) -> list[TrackedLayer]:
        """Every layer so far."""
        layers: list[TrackedLayer] = self._far.call(attrgetter("layers"))
        return layers

    def __enter__(self) -> RemoteFollower:
        with ExitStack() as stack:
            stack.enter_context(self._far)
            self.preparation: Preparation = self._far.call(attrgetter("preparation"))
            stack.pop_all()
        return self

    def __exit__(self, *why: Any) -> None:
        self._far.__exit__(*why)


class _Noting(Follower):
    """A follower that keeps its notes for the answer."""

    def __init__(self, folder: Path) -> None:
        self._notes: list[str] = []
        super().__init__(Case.open(folder), self._notes.append)

    def follow_and_note(
        self, frames: Sequence[PredictedFrame], foregrounds: Foregrounds
    ) -> tuple[UntilFailure[Drawing], list[str]]:
        self._notes.clear()
        return self.follow(frames, foregrounds), self._notes

    def close(self) -> None:
        self.case.close()
