"""Long work on a case besides finding: which frame next, spread a correction, adapt the model, compare, merge."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from RASNetSlicerLib.arrivals import Arrivals
from RASNetSlicerLib.process import Event, Verb
from RASNetSlicerLib.scene import CaseScene

Activity = Literal["queue", "propagate", "adapt", "compare", "merge"]

_SWEEP_S = 1.0  # between two looks for masks that have changed
_RESULTS = ("queue", "travels", "adaptation", "merge")


class Tasks:
    """What a command of `rasnet` is doing to the case on show, one at a time; `tick` brings it up to date.

    Masks that it writes appear in the scene; the frame on show stays, and so does everything that a person has done.

    Args:
        shown: the case in its scene.
        start: starts a command, given its arguments.

    Attributes:
        activity: what was begun last; None before the first.
        busy: whether it is under way.
        cancelled: whether the person does not want it any more.
        step: what it is doing, in its own words; "" while it gets ready.
        done: items of the step that are done.
        total: items of the step.
        seconds_left: of the step; None until it is known.
        result: the event that tells what came of it; None where nothing did.
        problem: the sentence of its failure; "" when there was none.
        note: the last thing that the user should read; "" when there was none.
        log: what the command wrote besides; "" while there is no reason to read it.
    """

    def __init__(self, shown: CaseScene, start: Callable[[Sequence[str]], Verb]) -> None:
        self._shown = shown
        self._start = start
        self._verb: Verb | None = None
        self._arrivals = Arrivals(shown)
        self._swept = 0.0
        self._clear()
        self.activity: Activity | None = None

    def queue(self) -> None:
        """Ask in which order to look at frames; the result is a ``queue`` event."""
        self._begin("queue", str(self._shown.case.folder))

    def propagate(self, frame: int | None) -> None:
        """Carry a person's frame, or every one (None), to the frames around; the result is a ``travels`` event."""
        self._begin("propagate", str(self._shown.case.folder), "--all" if frame is None else str(frame))

    def adapt(self) -> None:
        """Let the model learn from the person's frames; the result is an ``adaptation`` event."""
        self._begin("adapt", str(self._shown.case.folder), "--who", self._shown.who)

    def compare(self, other: Path, out: Path) -> None:
        """Compare with another case of the video; figures and pictures are in `out` when it is done."""
        self._begin("compare", str(self._shown.case.folder), str(other), "--out", str(out))

    def merge(self, other: Path, out: Path) -> None:
        """Make a new case in `out` of this and another case of the video; the result is a ``merge`` event."""
        self._begin("merge", str(self._shown.case.folder), str(other), str(out))

    def cancel(self) -> None:
        """End the command and all that it started, within 2 s; what it has written stays."""
        if self._verb is not None:
            self.cancelled = True
            self._verb.cancel()

    def close(self) -> None:
        """End the command without waiting for it."""
        if self._verb is not None:
            self._verb.cancel()
        self._verb = None
        self._arrivals.clear()

    @property
    def busy(self) -> bool:
        """Whether a command is under way."""
        return self._verb is not None

    @property
    def settled(self) -> bool:
        """Whether nothing is under way, and everything that was written is in the scene."""
        return not (self.busy or self._arrivals)

    def tick(self) -> bool:
        """Take what the command has said and show masks that it has made; quick enough for a timer.

        Returns:
            Whether anything has changed.

        Raises:
            RASNetError: a mask in the case cannot be read, or an edit cannot be saved.
        """
        events = [] if self._verb is None else self._verb.poll()
        for event in events:
            self._take(event)
        return self._arrivals.show() or bool(events)

    def _begin(self, activity: Activity, *arguments: str) -> None:
        self._shown.save()
        self._clear()
        self.activity = activity
        self._verb = self._start([activity, *arguments, "--progress", "json"])

    def _clear(self) -> None:
        self.step = self.problem = self.note = self.log = ""
        self.done = self.total = 0
        self.seconds_left: float | None = None
        self.result: Event | None = None
        self.cancelled = False

    def _take(self, event: Event) -> None:
        kind = event["event"]
        if kind == "start":
            self.step, self.total, self.done, self.seconds_left = event["task"], event["total"], 0, None
        elif kind == "progress":
            self.done, self.total, self.seconds_left = event["done"], event["total"], event["seconds_left"]
            if time.monotonic() - self._swept > _SWEEP_S:
                self._sweep()
        elif kind == "note":
            self.note = event["message"]
        elif kind in _RESULTS:
            self.result = event
        elif kind == "error" and self.cancelled:
            self.note = event["message"]  # what is kept
        elif kind == "error":
            self.problem = event["message"]
        elif kind == "end":
            self.log = self._verb.log if self._verb is not None and self.problem else ""
            self._verb = None
            self._sweep()

    def _sweep(self) -> None:
        self._arrivals.expect(self._shown.outdated())
        self._swept = time.monotonic()
