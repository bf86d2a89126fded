"""Segmenting on request: one loaded model for "this frame, now" and "the whole video", driven by lines of JSON."""

from __future__ import annotations

import io
import json
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rasnet.adaptation import case_weights
from rasnet.case import Case, CaseInfo, FrameStatus
from rasnet.errors import RASNetError
from rasnet.inference.backend import Backend, Device, load_backend
from rasnet.inference.following import LOOK_BACK_S, Follower
from rasnet.inference.frames import FrameBatches
from rasnet.inference.pipeline import open_case_for, report_end, segment_frames
from rasnet.inference.sink import CaseSink
from rasnet.progress import JsonProgress, SilentProgress
from rasnet.video import VideoSource, open_source

# What a request may say besides what it wants done.
_NUMBERS = {"frame": {"index"}, "video": {"start", "stop"}, "stop": set(), "quit": set()}

# The tracker sees this many masks beside a frame that is asked for: enough for place and motion, and soon read.
_NEIGHBOURS = 3


def serve_case(
    folder: str | Path,
    *,
    source: str | Path | None = None,
    weights: str | Path | None = None,
    device: Device = "auto",
) -> None:
    """Answer requests on stdin by events on stdout (see `Server`), until stdin ends or a request says ``quit``.

    Args:
        folder: of the case.
        source: its video, where there is no case yet or the video has moved.
        weights: a checkpoint or an OpenVINO model; the case's own, else the released one, by default.
        device: where the network runs.

    Raises:
        RASNetError: there is no case and no source, or they, the weights or the device are not what they should be.
    """
    answers = Answers(sys.stdout)
    # Unbuffered: a thread that waits in a buffered stdin would hold its lock when the interpreter ends.
    inbox = Inbox(io.FileIO(sys.stdin.fileno(), closefd=False))
    # What a library prints is no answer. The video comes first: that it is lost is known long before a model is loaded.
    with redirect_stdout(sys.stderr), _open_video(Path(folder), source) as video:
        backend, reason = load_backend(weights or case_weights(folder), device)
        answers.note(f"the network runs on {backend.name}: {reason}")
        with _open_case(Path(folder), video, backend) as case:
            Server(case, video, backend, inbox, answers, device).run()


@dataclass(frozen=True)
class Request:
    """What another program wants.

    Attributes:
        do: ``frame``, ``video``, ``stop`` or ``quit``.
        index: the frame; set where ``do`` is ``frame``.
        start: first frame of the video; None is the case's.
        stop: one past the last frame; None is the case's.
    """

    do: str
    index: int = -1
    start: int | None = None
    stop: int | None = None

    @classmethod
    def parse(cls, line: bytes) -> Request:
        """Read a line.

        Raises:
            RASNetError: it is no request; the message quotes it.

        Examples:
            >>> Request.parse(b'{"do": "frame", "index": 42}').index
            42
        """
        try:
            wish = json.loads(line)
        except (ValueError, RecursionError):
            wish = None
        if not isinstance(wish, dict) or not _is_request(wish):
            shown = line.strip()[:80].decode(errors="replace")
            raise RASNetError(
                f'the request {shown!r} is not understood; give {{"do": "frame", "index": 42}}, '
                '{"do": "video", "start": 0, "stop": 250}, {"do": "stop"} or {"do": "quit"}'
            )
        return cls(**wish)


class Inbox:
    """Requests in the order in which they come, read by a thread; the end of the lines is a ``quit``.

    Args:
        lines: of JSON.
    """

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._requests: queue.Queue[Request | RASNetError] = queue.Queue()
        threading.Thread(target=self._read, args=(lines,), name="requests", daemon=True).start()

    def next(self) -> Request | RASNetError:
        """Wait for the next request, or what is wrong with it."""
        return self._requests.get()

    def next_now(self) -> Request | RASNetError | None:
        """The next request if one has come."""
        try:
            return self._requests.get_nowait()
        except queue.Empty:
            return None

    def _read(self, lines: Iterable[bytes]) -> None:
        try:
            for line in lines:
                if line.strip():
                    self._requests.put(_parsed(line))
        finally:
            self._requests.put(Request("quit"))


class Answers(JsonProgress):
    """The events of `JsonProgress`, and those that only a server has.

    Each on one line::

        {"event": "ready", "case": "/data/operation.case", "frames": 900, "missing": 900, "backend": "torch-cpu"}
        {"event": "frame", "index": 42, "written": true, "status": "predicted", "seconds": 0.21}
        {"event": "error", "message": "...", "do": "frame"}
    """

    def ready(self, case: Case, backend: str) -> None:
        """Say that requests are answered from now on."""
        wanted, missing = len(case.info.wanted), len(case.missing())
        self._write("ready", case=str(case.folder.resolve()), frames=wanted, missing=missing, backend=backend)

    def frame(self, index: int, status: FrameStatus, seconds: float) -> None:
        """Say what a frame is now: ``predicted``, or a person's and therefore left as it was."""
        written = status == "predicted"
        self._write("frame", index=index, written=written, status=status, seconds=round(seconds, 3))

    def refuse(self, error: RASNetError, do: str | None) -> None:
        """Say why a request could not be met; ``do`` is None where it was not understood."""
        self._write("error", message=str(error), do=do)


class Server:
    """Answers requests about one case.

    - ``frame`` segments one frame, also where the model did so before, and answers by a ``frame`` event.
    - ``video`` segments what the case lacks, all or from ``start`` to before ``stop``: ``start``, ``progress`` and
      ``finish`` events, as `segment_video` writes them. ``finish`` says besides whether it was ``stopped``, and how
      many frames of the range are ``kept`` because they are a person's. Meanwhile only ``stop`` and ``quit`` are met.
    - ``stop`` ends the video under way after the frames that the network has; ``quit`` ends the server too.

    A frame that a person corrected, accepted or skipped is never written. A request that cannot be met is answered
    by an ``error`` event. When the case's model has learnt meanwhile (see `rasnet.adaptation`), the next request is
    met with what it is now.

    Args:
        case: that receives the masks.
        source: its video, which stays open from request to request.
        backend: the model.
        inbox: where requests come from.
        answers: where events go.
        device: where a newer model of the case runs.
    """

    def __init__(
        self,
        case: Case,
        source: VideoSource,
        backend: Backend,
        inbox: Inbox,
        answers: Answers,
        device: Device = "auto",
    ) -> None:
        self._device = device
        self._case = case
        self._source = source
        self._backend = backend
        self._inbox = inbox
        self._answers = answers
        self._stopped = self._over = False

    def run(self) -> None:
        """Answer until a request says ``quit``."""
        self._answers.ready(self._case, self._backend.name)
        while not self._over:
            request = self._inbox.next()
            if isinstance(request, RASNetError):
                self._answers.refuse(request, None)
            else:
                self._meet(request)

    def _meet(self, request: Request) -> None:
        try:
            if request.do in ("frame", "video"):
                self._follow_model()
            if request.do == "frame":
                self._segment_frame(request.index)
            elif request.do == "video":
                self._segment_video(request.start, request.stop)
            else:  # a "stop" that comes too late has nothing to stop
                self._over = request.do == "quit"
        except RASNetError as error:
            self._answers.refuse(error, request.do)

    def _follow_model(self) -> None:
        """Take up the model that the case has by now, so that no mask of one is said to be another's."""
        info, known = CaseInfo.read(self._case.folder), self._case.info
        if info.model is None or known.model is None or info.model.sha256 == known.model.sha256:
            return
        weights = case_weights(self._case.folder)
        if weights is None:
            raise RASNetError(
                f"{self._case.folder} has another model by now, and no file of it; start the server again"
            )
        self._backend, reason = load_backend(weights, self._device)
        self._case.info = info
        self._answers.note(f"the case has a new model, which runs on {self._backend.name}: {reason}")

    def _segment_frame(self, index: int) -> None:
        began = time.monotonic()
        self._check(index, index + 1)
        row = self._case.frame(index)
        if row is None or row.status == "predicted":
            follower = RequestFollower(self._case, self._answers.note)
            follower.look_around(index)
            sink = CaseSink(self._case, Notes(self._answers), follower=follower)
            self._segment([index], sink, batch_size=1, stop=lambda: False)
            self._check_decoded(index)
            row = self._case.frame(index)
        assert row is not None
        self._answers.frame(index, row.status, time.monotonic() - began)

    def _segment_video(self, start: int | None, stop: int | None) -> None:
        start = self._case.info.start if start is None else start
        stop = self._case.info.stop if stop is None else stop
        self._check(start, stop)
        wanted = [index for index in self._case.missing() if start <= index < stop]
        self._answers.start("segment", len(wanted))
        follower = RequestFollower(self._case, self._answers.note)
        if wanted and not follower.goes_on(wanted[0]):
            follower.look_around(wanted[0])
        sink = CaseSink(self._case, self._answers, follower=follower)
        self._stopped = False
        frames = self._segment(wanted, sink, self._backend.batch_size, stop=self._asked_to_stop)
        kept = sum(row.status != "predicted" and start <= row.index < stop for row in self._case.frames())
        report_end(frames, self._answers, stopped=self._stopped, kept=kept)

    def _segment(
        self, wanted: Sequence[int], sink: CaseSink, batch_size: int, stop: Callable[[], bool]
    ) -> FrameBatches:
        frames = FrameBatches.of(self._backend, self._case, batch_size, wanted=wanted, source=self._source)
        try:
            segment_frames(frames, sink, self._backend, stop=stop)
        finally:
            frames.close()
        return frames

    def _asked_to_stop(self) -> bool:
        while not self._stopped and (request := self._inbox.next_now()) is not None:
            if isinstance(request, RASNetError):
                self._answers.refuse(request, None)
            elif request.do in ("stop", "quit"):
                self._stopped = True
                self._over = request.do == "quit"
            else:
                busy = RASNetError("the video is being segmented; stop that first, or wait until it is done")
                self._answers.refuse(busy, request.do)
        return self._stopped

    def _check(self, start: int, stop: int) -> None:
        count = len(self._source)
        if not 0 <= start < stop <= count:
            asked = f"frame {start}" if stop == start + 1 else f"frames {start} to {stop}"
            raise RASNetError(f"{self._source.name} has no {asked}; it has frames 0 to {count - 1}")

    def _check_decoded(self, index: int) -> None:
        for damage in self._source.damage:
            if damage.first <= index <= damage.last:
                raise RASNetError(f"frame {index} cannot be decoded ({damage.reason}); go on with another frame")


class RequestFollower(Follower):
    """A follower that begins anywhere in the video and takes up the layer ids of the masks around.

    So a frame that is segmented again keeps its ids, frames that are asked for one by one share theirs where the
    tracker recognises the instruments, and a video has the ids of the frames that were tried before.
    """

    def goes_on(self, index: int) -> bool:
        """Whether masks end so shortly before a frame that it goes on from them by itself."""
        pts = self.case.times[index]
        return any(known < index and pts - known_pts <= LOOK_BACK_S for known, known_pts in self._known)

    def look_around(self, index: int) -> None:
        """Show the tracker the few masks before a frame, or, where they are nearer, those after it back in time."""
        pts = float(self.case.times[index])
        before = [known for known in self._known if known[0] < index]
        after = [known for known in self._known if known[0] > index]
        gap_before = pts - before[-1][1] if before else float("inf")
        gap_after = after[0][1] - pts if after else float("inf")
        if gap_before <= gap_after:
            for known, known_pts in before[-_NEIGHBOURS:]:
                self._adopt(known, known_pts)
        else:
            for known, known_pts in reversed(after[:_NEIGHBOURS]):
                self._adopt(known, 2 * pts - known_pts)
        self._known = after


class Notes(SilentProgress):
    """Passes on what the user should read, and nothing else.

    Args:
        answers: where it goes.
    """

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def note(self, message: str) -> None:
        """Write a note event."""
        self._answers.note(message)


def _parsed(line: bytes) -> Request | RASNetError:
    try:
        return Request.parse(line)
    except RASNetError as error:
        return error


def _is_request(wish: dict[str, Any]) -> bool:
    """Whether JSON says what is to be done, with whole numbers where it may give some."""
    given = dict(wish)
    do = given.pop("do", None)
    if not isinstance(do, str) or do not in _NUMBERS or not given.keys() <= _NUMBERS[do]:
        return False
    needed = {"index"} if do == "frame" else set()
    return needed <= given.keys() and all(
        type(number) is int or (number is None and name not in needed) for name, number in given.items()
    )


def _open_video(folder: Path, source: str | Path | None) -> VideoSource:
    if source is not None:
        return open_source(source)
    with Case.open(folder) as case:
        return case.open_source()


def _open_case(folder: Path, video: VideoSource, backend: Backend) -> Case:
    """Open the case with the range that it has, or make one of the whole video."""
    if not (folder / "case.json").is_file():
        return open_case_for(backend, video, folder)
    known = CaseInfo.read(folder)
    return open_case_for(backend, video, folder, start=known.start, stop=known.stop, step=known.step)
