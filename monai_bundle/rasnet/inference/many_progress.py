"""One display for several videos: the frames of those that are under way."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from rasnet.progress import Progress, SilentProgress

if TYPE_CHECKING:
    from rasnet.inference.archive import Job


class ManyProgress:
    """Shows videos that are segmented at the same time as one task after the other.

    How many frames a video has is known when its turn comes, so each that begins begins a task: what it and those
    beside it have left.

    Args:
        display: what is shown.
        videos: how many there are.
    """

    def __init__(self, display: Progress, videos: int) -> None:
        self._display = display
        self._videos = videos
        self._lock = threading.Lock()
        self._begun: set[Job] = set()
        self._left: dict[Job, int] = {}

    @property
    def begun(self) -> int:
        """How many videos have begun."""
        return len(self._begun)

    def note(self, message: str) -> None:
        """Pass on what the user should read."""
        with self._lock:
            self._display.note(message)

    def video(self, job: Job) -> VideoProgress:
        """What one video tells its progress to."""
        return VideoProgress(self, job)

    def begin(self, job: Job, frames: int) -> None:
        """A video has begun, or begun again elsewhere."""
        with self._lock:
            self._begun.add(job)
            self._left[job] = frames
            names = ", ".join(each.video.name for each in self._left)
            self._display.start(f"{names} ({len(self._begun)} of {self._videos})", sum(self._left.values()))

    def advance(self, job: Job, frame: int | None, count: int) -> None:
        """Frames of a video are done."""
        with self._lock:
            self._left[job] = self._left.get(job, 0) - count
            self._display.advance(frame=frame, count=count)

    def end(self, job: Job) -> None:
        """A video is over, for good or bad."""
        with self._lock:
            self._left.pop(job, None)


class VideoProgress(SilentProgress):
    """Takes one video's progress into that of all.

    Args:
        shown: all.
        job: the one.

    Attributes:
        done: frames so far.
        damaged: spans of frames that could not be decoded; known at the end.
    """

    def __init__(self, shown: ManyProgress, job: Job) -> None:
        self.done = 0
        self.damaged = 0
        self._shown = shown
        self._job = job

    def start(self, task: str, total: int) -> None:
        """Show its frames."""
        self._shown.begin(self._job, total)

    def advance(self, frame: int | None = None, count: int = 1) -> None:
        """Count."""
        self.done += count
        self._shown.advance(self._job, frame, count)

    def note(self, message: str) -> None:
        """Say which video it is about."""
        self._shown.note(f"{self._job.video.name}: {message}")

    def finish(self, **result: Any) -> None:
        """Remember what could not be decoded."""
        self.damaged = result["damaged"]

    def end(self) -> None:
        """Show it no longer."""
        self._shown.end(self._job)
