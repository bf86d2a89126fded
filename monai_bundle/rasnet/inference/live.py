"""Instruments in a live picture: the newest frame, now; everything is recorded as a case."""

from __future__ import annotations

import gc
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from rasnet.case import PredictedFrame
from rasnet.case.creation import prepare_folder
from rasnet.case.recording import VIDEO, begin_recording, finish_recording, is_unfinished, open_recording
from rasnet.errors import RASNetError
from rasnet.forwarded import Forwarded
from rasnet.heap import keep_freed_memory
from rasnet.inference.backend import Backend, Device, load_backend
from rasnet.inference.live_stream import End, LivePicture, LiveStream
from rasnet.inference.pipeline import model_info
from rasnet.inference.sink import drawn
from rasnet.inference.sink_process import has_cores_to_spare, start_workers
from rasnet.labels import LabelSchema
from rasnet.masks import write_whole
from rasnet.opencv_threads import one_opencv_thread
from rasnet.remote import Near, Remote
from rasnet.tracking import ClassRuns, Drawing, Outline, TrackedLayer, Tracker
from rasnet.tracking.grid import Grid
from rasnet.video import RegionOfInterest
from rasnet.video.roi import find_roi_in
from rasnet.video.yuv import Pixels, YuvForm, YuvPixels

REPORT = "live.json"

T = TypeVar("T")

Ending = End | Literal["stopped"]

# What of the frame is picture is decided from this many pictures of the first second.
_LOOKS, _LOOKING_S = 8, 1.0

_STATUS_S = 1.0

# Processes that draw and encode, where there are cores for them, one that tracks and one that writes: with threads for
# all of that, this one would wait for Python's lock. Two are enough for 60 frames of 1920x1080 a second.
_WORKERS = 2


@dataclass(frozen=True)
class Latency:
    """Milliseconds from a frame's data to its mask: decoding, waiting, the network, tracking.

    Attributes:
        median: of all frames that were segmented.
        p95: 95th percentile.
        p99: 99th percentile.
        max: the longest.
    """

    median: float
    p95: float
    p99: float
    max: float

    @classmethod
    def of(cls, seconds: list[float]) -> Latency:
        """Sum up; zeros where nothing was measured."""
        figures = np.percentile(seconds, (50, 95, 99, 100)) * 1000 if seconds else np.zeros(4)
        return cls(*(round(float(figure), 2) for figure in figures))


@dataclass(frozen=True)
class LiveReport:
    """How a live session went.

    Attributes:
        source: that was watched.
        case: folder of the case; its video is ``video.mkv`` in it.
        width: of a picture.
        height: of a picture.
        backend: that ran the network.
        seconds: from the first mask's frame to the end.
        frames: that are recorded.
        segmented: that have a mask.
        dropped: that were late, so that no mask was made of them; `rasnet segment` makes them good.
        before: that came before the model and the region of interest were ready.
        frames_per_second: that were segmented.
        latency_ms: from frame to mask.
        end: why it ended.
        why: the same in words.
    """

    source: str
    case: str
    width: int
    height: int
    backend: str
    seconds: float
    frames: int
    segmented: int
    dropped: int
    before: int
    frames_per_second: float
    latency_ms: Latency
    end: Ending
    why: str


Listener = Callable[[int, int, Latency], None]
"""Is told now and then how many frames were segmented and dropped, and of the latency of the last second."""


def watch(
    source: str,
    folder: str | Path,
    *,
    weights: str | Path | None = None,
    device: Device = "auto",
    region: Callable[[int, int], RegionOfInterest | None] = lambda height, width: None,
    format: str | None = None,
    options: Mapping[str, str] | None = None,
    overlay: str | None = None,
    seconds: float | None = None,
    note: Callable[[str], None] = lambda message: None,
    status: Listener = lambda segmented, dropped, latency: None,
) -> LiveReport:
    """Segment a live picture and record it as a case, until the stream ends, the time is over or Ctrl-C.

    The whole stream is recorded. Of its frames the newest is segmented whenever the model is free. Frames that were
    late are missing in the case; `rasnet segment CASE/video.mkv CASE` segments them later.

    Args:
        source: a device, a URL or a file (see `LiveStream`).
        folder: of the case; new.
        weights: a checkpoint or an OpenVINO model; the released one by default.
        device: where the network runs.
        region: gives the region of interest for frames of a height and width; None finds it in the first second.
        format: FFmpeg's name of the input, where it cannot tell by itself.
        options: of FFmpeg's input, for example ``{"framerate": "60"}``.
        overlay: a file or URL that the marked picture goes to.
        seconds: to watch for; None is without end.
        note: is told what the user should read.
        status: is told how it goes.

    Returns:
        How it went. It is also in the case, as ``live.json``.

    Raises:
        RASNetError: the source, the weights, the folder or the overlay are not what they should be; or the disk is
            full: what was recorded until then is kept as a case.
    """
    folder = Path(folder)
    _refuse(folder)
    backend, reason = load_backend(weights, device)
    stream = LiveStream(source, format, options)
    with ExitStack() as stack:
        stack.callback(stream.stop)
        new = not folder.exists()
        prepare_folder(folder)
        try:
            shown = _Overlay.open(overlay, stream, note)
            stack.callback(shown.close)
            stream.start(folder / VIDEO)
        except RASNetError:
            _take_back(folder, new)
            raise
        note(f"the network runs on {backend.name}: {reason}")
        session = _Session(stream, backend, folder, shown, status)
        return session.run(source, region, seconds)


class _Session:
    """One stream, from its first picture to its report."""

    def __init__(self, stream: LiveStream, backend: Backend, folder: Path, overlay: _Overlay, status: Listener) -> None:
        self._stream = stream
        self._backend = backend
        self._folder = folder
        self._overlay = overlay
        self._status = status
        self._latencies: list[float] = []
        self._last = 0
        self._before = self._dropped = self._dropped_before = 0
        self._began = time.monotonic()

    def run(
        self, source: str, region: Callable[[int, int], RegionOfInterest | None], seconds: float | None
    ) -> LiveReport:
        stream, stopped, failure = self._stream, False, None
        roi: RegionOfInterest | None = None
        try:
            roi = region(stream.height, stream.width) or self._look()
            self._watch(source, roi, seconds)
        except KeyboardInterrupt:
            stopped = True
        except RASNetError as error:
            failure = error
        except BrokenExecutor:
            failure = RASNetError(
                "a process that draws masks was killed, perhaps for memory; what was received until then is kept, and "
                f"`rasnet segment {self._folder / VIDEO} {self._folder}` segments what has no mask"
            )
        took = time.monotonic() - self._began
        end: Ending = "stopped"
        why = "it was stopped"
        if stream.end is not None and not stopped:
            end, why = stream.end, stream.why
        stream.stop()
        if roi is None or not is_unfinished(self._folder):  # stopped before there was anything to keep
            self._begin(source, roi or RegionOfInterest.whole(stream.height, stream.width))
        case = finish_recording(self._folder, self._last + 1 if end == "resized" else None)
        count = len(case.info.wanted)
        case.close()
        report = LiveReport(
            source=source,
            case=str(self._folder.resolve()),
            width=stream.width,
            height=stream.height,
            backend=self._backend.name,
            seconds=round(took, 2),
            frames=count,
            segmented=len(self._latencies),
            dropped=self._dropped,
            before=self._before,
            frames_per_second=round(len(self._latencies) / took, 2) if took else 0.0,
            latency_ms=Latency.of(self._latencies),
            end=end,
            why=why,
        )
        write_whole(self._folder / REPORT, (json.dumps(asdict(report), indent=2) + "\n").encode())
        if failure is not None:
            raise failure
        return report

    def _look(self) -> RegionOfInterest:
        """Find what of the frame is picture."""
        stream = self._stream
        pictures: list[npt.NDArray[np.uint8]] = []
        began = time.monotonic()
        while len(pictures) < _LOOKS and time.monotonic() - began < _LOOKING_S:
            taken = stream.take()
            if taken is None:
                break
            pictures.append(taken.rgb())
            time.sleep(_LOOKING_S / _LOOKS)
        return find_roi_in(pictures, stream.height, stream.width)

    def _begin(self, source: str, roi: RegionOfInterest) -> Any:
        schema = self._backend.schema
        model = model_info(self._backend.weights, schema, self._backend.name)
        return begin_recording(self._folder, roi=roi, schema=schema, model=model, fps=self._stream.fps, name=source)

    def _watch(self, source: str, roi: RegionOfInterest, seconds: float | None) -> None:
        stream, backend = self._stream, self._backend
        keep_freed_memory()
        case = self._begin(source, roi)
        apart = has_cores_to_spare(backend)
        with ExitStack() as stack:
            tracking = _enter(stack, partial(_Tracking, case.info.schema, roi), apart)
            recorder = _enter(stack, partial(_Recorder, self._folder, _WORKERS if apart else 0), apart)
            eye = _Eye(backend, stream.yuv, roi)
            eye.open()
            recorder.wait()
            finish = partial(self._finish, recorder, tracking.call(_Tracking.grid))
            behind = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="finish-mask"))
            stack.enter_context(one_opencv_thread())
            stack.enter_context(_unhurried_garbage_collection())
            stream.take()
            self._before, self._dropped_before = stream.received, stream.dropped
            self._began = told = time.monotonic()
            finished: Future[None] | None = None
            while (taken := stream.take()) is not None:
                classes, uncertainty = eye.see(taken)  # perhaps while the last picture is tracked
                tracked = tracking.begin(_Tracking.follow, taken.pts, classes)
                caught_up = tracking.begin(_Tracking.catch_up)
                if finished is not None:
                    finished.result()
                frame = PredictedFrame(taken.index, taken.pts, uncertainty)
                finished = behind.submit(finish, taken, frame, classes, tracked, caught_up)
                self._dropped = stream.dropped - self._dropped_before
                now = time.monotonic()
                if now - told >= _STATUS_S:
                    recent = self._latencies[-max(round(stream.fps), 1) :]
                    self._status(len(self._latencies), self._dropped, Latency.of(recent))
                    told = now
                if seconds is not None and now - self._began >= seconds:
                    break
            if finished is not None:
                finished.result()
            found = tracking.call(_Tracking.layers)
        for layer in found:
            if layer.type is not None:
                case.propose_type(layer.id, layer.type, who=case.info.model.name)

    def _finish(
        self,
        recorder: Near[_Recorder] | Remote[_Recorder],
        grid: Grid,
        taken: LivePicture,
        frame: PredictedFrame,
        classes: ClassRuns,
        tracked: Callable[[], Drawing],
        caught_up: Callable[[], None],
    ) -> None:
        """Paint a picture's mask and hand it on."""
        outline = Outline(classes.foreground, grid)  # which is found while the picture is tracked
        drawing = tracked()
        layers = outline.paint(drawing)
        latency = time.monotonic() - taken.arrived
        recorder.call(_Recorder.write, frame, Forwarded([classes]), drawing, grid)
        self._latencies.append(latency)
        self._last = taken.index
        self._overlay.offer(taken, layers)
        caught_up()


def _enter(stack: ExitStack, make: Callable[[], T], apart: bool) -> Near[T] | Remote[T]:
    """Have an object made for as long as the stack lasts, perhaps in a process of its own."""
    entered: Near[T] | Remote[T] = Remote(make) if apart else Near(make)
    stack.enter_context(entered)
    return entered


class _Eye:
    """Segments one picture after another, each in the same memory.

    Args:
        backend: the model.
        yuv: the form of the pictures, where they have one.
        roi: what of them is picture.
    """

    def __init__(self, backend: Backend, yuv: YuvForm | None, roi: RegionOfInterest) -> None:
        self._backend = backend
        self._roi = roi
        self._form = replace(yuv, roi=roi) if yuv is not None and backend.reads_planes else None
        self._place = backend.empty((1, *((roi.height, roi.width, 3) if self._form is None else self._form.shape)))

    def open(self) -> None:
        """Segment a picture of nothing: the first of a size is slow, as engines prepare themselves for it."""
        self._place[:] = 0
        self._backend(self._pixels)

    def see(self, taken: LivePicture) -> tuple[ClassRuns, list[float]]:
        """Give a picture's classes, in the full frame, and their uncertainty."""
        if self._form is None:
            self._place[0] = self._roi.crop(taken.rgb())
        else:
            taken.copy_planes(self._form, self._place[0])
        classes, uncertainty = self._backend(self._pixels)
        return ClassRuns.of(classes[0]).in_frame(self._roi), uncertainty[0].tolist()

    @property
    def _pixels(self) -> Pixels:
        return self._place if self._form is None else YuvPixels(self._place, self._form)


class _Tracking:
    """Tracks one picture after another.

    Args:
        schema: of the classes.
        roi: what of the frame is picture.
    """

    def __init__(self, schema: LabelSchema, roi: RegionOfInterest) -> None:
        self._tracker = Tracker(schema, roi=roi)
        self._prepare = self._tracker.preparation(roi.frame_height, roi.frame_width)

    def follow(self, pts: float, classes: ClassRuns) -> Drawing:
        return self._tracker.follow(pts, self._prepare(classes))

    def catch_up(self) -> None:
        self._tracker.catch_up()

    def grid(self) -> Grid:
        return self._prepare.grid

    def layers(self) -> list[TrackedLayer]:
        return self._tracker.layers


class _Recorder:
    """Draws masks and writes them into the case, one after another.

    Args:
        folder: of the case that is being recorded.
        workers: processes that draw and encode; threads where there are none.
    """

    def __init__(self, folder: Path, workers: int) -> None:
        self._open = ExitStack()
        case = self._open.enter_context(open_recording(folder))
        pool = self._open.enter_context(start_workers(workers)) if workers else None
        if pool is not None:
            pool.submit(os.getpid).result()  # the first frames would wait for it
        self._writer = self._open.enter_context(case.writer(pool=pool))
        self._has_parts = case.info.schema.kind == "parts"

    def write(self, frame: PredictedFrame, classes: Forwarded[list[ClassRuns]], drawing: Drawing, grid: Grid) -> None:
        draw = partial(drawn, classes, [drawing], grid, parts=self._has_parts)
        self._writer.write_drawn([frame], draw)

    def close(self) -> None:
        self._open.close()


class _Overlay:
    """An overlay that may not be wanted."""

    def __init__(self, live: Any) -> None:
        self._live = live

    @classmethod
    def open(cls, target: str | None, stream: LiveStream, note: Callable[[str], None]) -> _Overlay:
        if target is None:
            return cls(None)
        from rasnet.inference.live_overlay import LiveOverlay

        return cls(LiveOverlay(target, stream.height, stream.width, note))

    def offer(self, taken: LivePicture, mask: npt.NDArray[np.uint8]) -> None:
        if self._live is not None:
            from rasnet.inference.live_overlay import Marked

            self._live.offer(Marked(taken, mask))

    def close(self) -> None:
        if self._live is not None:
            self._live.close()


@contextmanager
def _unhurried_garbage_collection() -> Iterator[None]:
    """Leave alone what is there already: going through the objects of PyTorch and MONAI would hold a frame up."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _refuse(folder: Path) -> None:
    """Make a recording that was cut off a case, and refuse a folder that is taken."""
    if is_unfinished(folder):
        case = finish_recording(folder)
        kept = len(case.info.wanted)
        case.close()
        raise RASNetError(
            f"{folder} held a recording that was cut off; its {kept} frames are a case now; choose another folder "
            "for a new recording"
        )
    if (folder / "case.json").exists():
        raise RASNetError(f"{folder} is a case already; choose another folder for a new recording")


def _take_back(folder: Path, new: bool) -> None:
    """Leave nothing of a recording that did not begin."""
    (folder / VIDEO).unlink(missing_ok=True)
    for part in ("masks", "parts"):
        (folder / part).rmdir()
    if new:
        shutil.rmtree(folder)
