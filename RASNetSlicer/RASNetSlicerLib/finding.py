"""Finding the instruments of the case on show: requests to the worker, and its masks as they come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from RASNetSlicerLib.arrivals import Arrivals
from RASNetSlicerLib.process import Event, Worker
from RASNetSlicerLib.scene import CaseScene

Activity = Literal["", "frame", "video", "cancel"]


class Finding:
    """What is being searched, how far that is, and what went wrong; `tick` brings it up to date.

    The frame on show stays on show whatever the worker does, and edits of a person are never overwritten.

    Args:
        shown: the case in its scene.
        start_worker: starts a worker for it; called when there is something to do and none runs.

    Attributes:
        activity: what is under way; "" while nothing is.
        started: whether the worker is loading its model yet.
        done: frames of the video that are done.
        total: frames of the video that were to be done.
        rate: frames a second; None until it is known.
        seconds_left: None until it is known.
        backend: what does the work, in the worker's words; "" until it is ready.
        reason: why that, in the worker's words.
        problem: the sentence of the last failure; "" when there was none.
        note: the last thing that the user should read; "" when there was none.
        log: what the worker wrote besides; "" while there is no reason to read it.
    """

    def __init__(self, shown: CaseScene, start_worker: Callable[[], Worker]) -> None:
        self._shown = shown
        self._start_worker = start_worker
        self._worker: Worker | None = None
        self._arrivals = Arrivals(shown)
        self._last = -1
        self.activity: Activity = ""
        self.started = False
        self.done = self.total = 0
        self.rate: float | None = None
        self.seconds_left: float | None = None
        self.backend = self.reason = self.problem = self.note = self.log = ""

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        return self.activity != ""

    @property
    def running(self) -> bool:
        """Whether the worker's process is there."""
        return self._worker is not None and self._worker.running

    def find_video(self) -> None:
        """Ask for all frames of the case that have no mask yet."""
        self._begin("video").segment_video()

    def find_frame(self, index: int) -> None:
        """Ask for one frame, again if it was done before."""
        self._shown.save_frame(index)
        self._begin("frame").segment_frame(index)

    def cancel(self) -> None:
        """End the worker and all that it started, within 2 s; what it has written stays."""
        if self._worker is not None:
            self.activity = "cancel"
            self._worker.cancel()

    def close(self) -> None:
        """End the worker without waiting for it."""
        if self._worker is not None:
            self._worker.cancel()
        self._worker = None
        self._arrivals.clear()
        self.activity = ""

    def tick(self) -> bool:
        """Take what the worker has said and show masks that it has made; quick enough for a timer.

        Returns:
            Whether anything has changed.

        Raises:
            RASNetError: a mask in the case cannot be read, or an edit cannot be saved.
        """
        events = [] if self._worker is None else self._worker.poll()
        for event in events:
            self._take(event)
        arrived = self._arrivals.show(written_only=self.activity == "video")
        return bool(events) or arrived

    def _begin(self, activity: Activity) -> Worker:
        self.problem = self.note = self.log = ""
        self.done = self.total = 0
        self.rate = self.seconds_left = None
        self._last = -1
        self.activity = activity
        if self._worker is None:
            self.started = False
            self._worker = self._start_worker()
        return self._worker

    def _take(self, event: Event) -> None:
        kind = event["event"]
        if kind == "ready":
            self.started, self.backend = True, event["backend"]
        elif kind == "start":
            self.total = event["total"]
        elif kind == "progress":
            self.done, self.total = event["done"], event["total"]
            self.rate, self.seconds_left = event["frames_per_second"], event["seconds_left"]
            self._arrivals.expect(range(self._last + 1, event["frame"] + 1))
            self._last = event["frame"]
        elif kind == "note":
            # Before it is ready, a worker says why it works as it does; later, what the user should know.
            if self.started:
                self.note = event["message"]
            else:
                self.reason = event["message"]
        elif kind == "frame":
            self._finish([event["index"]])
        elif kind == "finish":
            self.done = event["done"]
            self._finish(self._shown.sequences.indices)
        elif kind == "error":
            self.problem = event["message"]
            self._finish([])
        elif kind == "end":
            self.log = self._worker.log if self._worker is not None and self.problem else ""
            self._worker, self.started = None, False
            self._finish(self._shown.sequences.indices)

    def _finish(self, frames: list[int]) -> None:
        self._arrivals.expect(frames)
        if self.activity != "cancel" or self._worker is None:
            self.activity = ""
