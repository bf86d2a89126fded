"""How long work tells a person, a log or another program how far it is."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol, TextIO

if TYPE_CHECKING:
    from rich.console import Console

ProgressMode = Literal["auto", "bar", "json", "none"]


class Progress(Protocol):
    """What a long function needs of whoever watches it.

    A function calls `start` once a task, `advance` whenever items are done, and `finish` at the end. It
    neither knows nor asks who listens.
    """

    def start(self, task: str, total: int) -> None:
        """Begin a task of ``total`` items; a task that was under way is over."""
        ...

    def advance(self, frame: int | None = None, count: int = 1) -> None:
        """Tell that ``count`` more items are done, the last of them frame ``frame``."""
        ...

    def note(self, message: str) -> None:
        """Say one sentence that the user should read."""
        ...

    def finish(self, **result: Any) -> None:
        """End the task; ``result`` is what a program wants to know of the outcome."""
        ...


class ProgressDisplay(Progress, Protocol):
    """A `Progress` that holds a terminal or a stream, and lets go of it at the end of a ``with`` block."""

    def __enter__(self) -> ProgressDisplay: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def make_progress(mode: ProgressMode = "auto") -> ProgressDisplay:
    """Choose how to show progress.

    Args:
        mode: ``"bar"`` draws a bar on stderr, ``"json"`` writes one JSON object a line to stdout,
            ``"none"`` says nothing; ``"auto"`` draws a bar where stderr is a terminal and otherwise writes
            a line now and then, so that a log file stays readable.

    Examples:
        >>> with make_progress("none") as progress:
        ...     progress.start("segment", total=2)
        ...     progress.advance(frame=0)
        ...     progress.finish()
    """
    if mode == "json":
        return JsonProgress()
    if mode == "none":
        return SilentProgress()
    if mode == "bar" or sys.stderr.isatty():
        return RichProgress()
    return LineProgress()


class SilentProgress:
    """Says nothing."""

    def __enter__(self) -> SilentProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to let go of."""

    def start(self, task: str, total: int) -> None:
        """Ignore the beginning."""

    def advance(self, frame: int | None = None, count: int = 1) -> None:
        """Ignore the step."""

    def note(self, message: str) -> None:
        """Ignore the message."""

    def finish(self, **result: Any) -> None:
        """Ignore the end."""


class JsonProgress:
    """Writes one flushed JSON object a line, for a program that runs this one.

    Events, each on one line::

        {"event": "start", "task": "segment", "total": 900}
        {"event": "progress", "done": 8, "total": 900,
         "frames_per_second": 31.2, "seconds_left": 28.6, "frame": 7}
        {"event": "note", "message": "..."}
        {"event": "finish", "done": 900, "total": 900, "seconds": 29.1, ...}
        {"event": "error", "message": "..."}

    ``frames_per_second`` and ``seconds_left`` are null until there is something to measure.

    Args:
        stream: where to write; stdout by default.
        interval_s: least time between two progress events; the last of a task is always written.
        clock: seconds that only ever grow.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        interval_s: float = 0.05,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream if stream is not None else sys.stdout
        self._meter = _Meter(clock)
        self._pace = _Pace(interval_s, clock)

    def __enter__(self) -> JsonProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to let go of; whoever catches an exception says so by `error`."""

    def start(self, task: str, total: int) -> None:
        """Write a start event."""
        self._meter.start(total)
        self._pace.restart()
        self._write("start", task=task, total=total)

    def advance(self, frame: int | None = None, count: int = 1) -> None:
        """Write a progress event, unless the last one is only just written."""
        meter = self._meter
        meter.add(count)
        if not (self._pace.due() or meter.done == meter.total):
            return
        rate, left = meter.rate, meter.seconds_left
        self._write(
            "progress",
            done=meter.done,
            total=meter.total,
            frames_per_second=None if rate is None else round(rate, 2),
            seconds_left=None if left is None else round(left, 1),
            frame=frame,
        )

    def note(self, message: str) -> None:
        """Write a note event."""
        self._write("note", message=message)

    def finish(self, **result: Any) -> None:
        """Write a finish event; values that JSON does not know are written as their text."""
        meter = self._meter
        self._write(
            "finish",
            **{"done": meter.done, "total": meter.total, "seconds": round(meter.seconds, 2), **result},
        )

    def error(self, message: str) -> None:
        """Write an error event: the work ends without its result."""
        self._write("error", message=message)

    def _write(self, event: str, **fields: Any) -> None:
        # One write a line: a reader never sees half an object followed by another thread's.
        self._stream.write(json.dumps({"event": event, **fields}, default=str) + "\n")
        self._stream.flush()


class LineProgress:
    """Writes a plain line now and then, for logs.

    Args:
        stream: where to write; stderr by default.
        interval_s: time between two lines.
        clock: seconds that only ever grow.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        interval_s: float = 15.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._meter = _Meter(clock)
        self._pace = _Pace(interval_s, clock)
        self._task = ""

    def __enter__(self) -> LineProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to let go of."""

    def start(self, task: str, total: int) -> None:
        """Write what begins."""
        self._task = task
        self._meter.start(total)
        self._pace.restart()
        self._pace.due()  # the line below is the first of the interval
        self._write(f"{task}: 0 of {total}")

    def advance(self, frame: int | None = None, count: int = 1) -> None:
        """Write a line when it is time for one."""
        meter = self._meter
        meter.add(count)
        if self._pace.due():
            speed = "" if meter.rate is None else f", {meter.rate:.1f} frames/s"
            left = "" if meter.seconds_left is None else f", {_duration(meter.seconds_left)} left"
            self._write(f"{self._task}: {meter.done} of {meter.total}{speed}{left}")

    def note(self, message: str) -> None:
        """Write the message."""
        self._write(message)

    def finish(self, **result: Any) -> None:
        """Write how long it took."""
        meter = self._meter
        self._write(f"{self._task}: {meter.done} of {meter.total} in {_duration(meter.seconds)}")

    def _write(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


class RichProgress:
    """Draws a bar on a terminal: items done, frames a second, time left.

    Args:
        console: the rich console to draw on; by default one on stderr, so that stdout stays free for results.
        clock: seconds that only ever grow.
    """

    def __init__(self, console: Console | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"),
            TextColumn("{task.fields[left]}"),
            console=console if console is not None else Console(stderr=True),
        )
        self._meter = _Meter(clock)

    def __enter__(self) -> RichProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the terminal its cursor back, whatever happened."""
        self._bar.stop()

    def start(self, task: str, total: int) -> None:
        """Show the bar of a new task in place of the last one's."""
        for old in self._bar.task_ids:
            self._bar.remove_task(old)
        self._meter.start(total)
        self._bar.add_task(task, total=total, speed="", left="")
        self._bar.start()

    def advance(self, frame: int | None = None, count: int = 1) -> None:
        """Move the bar."""
        meter = self._meter
        meter.add(count)
        speed = "" if meter.rate is None else f"{meter.rate:.1f} frames/s"
        left = "" if meter.seconds_left is None else f"{_duration(meter.seconds_left)} left"
        for task in self._bar.task_ids:
            self._bar.update(task, completed=meter.done, speed=speed, left=left)

    def note(self, message: str) -> None:
        """Print the message above the bar."""
        self._bar.console.print(message, markup=False, highlight=False)

    def finish(self, **result: Any) -> None:
        """Leave the bar as it is and give the terminal back."""
        for task in self._bar.task_ids:
            self._bar.update(task, left=f"in {_duration(self._meter.seconds)}")
        self._bar.stop()


class _Meter:
    """Counts items and measures their rate over the last ones, so that a pause or a warm-up fades.

    The window spans ``WINDOW_S`` seconds, and ``WINDOW_STEPS`` steps where these are slow.
    """

    WINDOW_S = 10.0
    WINDOW_STEPS = 20

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.start(0)

    def start(self, total: int) -> None:
        self.total = total
        self.done = 0
        self._began = self._clock()
        self._marks: deque[tuple[float, int]] = deque([(self._began, 0)])

    def add(self, count: int) -> None:
        self.done += count
        now = self._clock()
        self._marks.append((now, self.done))
        while len(self._marks) > self.WINDOW_STEPS + 1 and now - self._marks[1][0] >= self.WINDOW_S:
            self._marks.popleft()

    @property
    def seconds(self) -> float:
        return self._clock() - self._began

    @property
    def rate(self) -> float | None:
        (first, before), (last, after) = self._marks[0], self._marks[-1]
        return (after - before) / (last - first) if last > first else None

    @property
    def seconds_left(self) -> float | None:
        rate = self.rate
        return (self.total - self.done) / rate if rate else None


class _Pace:
    """Says when it is time to write again; the first time is at once."""

    def __init__(self, interval_s: float, clock: Callable[[], float]) -> None:
        self._interval_s = interval_s
        self._clock = clock
        self.restart()

    def restart(self) -> None:
        self._next = self._clock()

    def due(self) -> bool:
        now = self._clock()
        if now < self._next:
            return False
        self._next = now + self._interval_s
        return True


def _duration(seconds: float) -> str:
    """Write a duration as people read it: ``4.2 s``, ``3:07`` or ``1:02:09``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{secs:02d}" if hours else f"{minutes}:{secs:02d}"
