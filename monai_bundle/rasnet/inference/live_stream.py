"""A camera, capture device or network stream: recorded whole, looked at one newest picture at a time."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left, insort
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
import numpy.typing as npt

from rasnet.errors import RASNetError
from rasnet.inference.live_recorder import UNCODED, Recorder, words
from rasnet.video.picture import to_rgb
from rasnet.video.yuv import YuvForm, copy_planes, form_of

End = Literal["ended", "stalled", "resized", "failed"]

OPEN_S = 10.0
"""A stream that gives no picture for so long does not exist."""

STALL_S = 5.0
"""A stream that gives nothing for so long has stopped."""

# FFmpeg looks at a stream for 5 s before it gives anything, unless told otherwise, in microseconds.
_DEFAULTS = {"analyzeduration": "1000000"}


@dataclass(frozen=True, eq=False)
class LivePicture:
    """A picture of a stream.

    Attributes:
        index: of the frame in the recorded video.
        pts: seconds from the first frame.
        arrived: when its data came, on the clock of `time.monotonic`, in seconds.
        picture: as FFmpeg decodes it.
    """

    index: int
    pts: float
    arrived: float
    picture: Any

    def rgb(self) -> npt.NDArray[np.uint8]:
        """The picture as uint8 (H, W, 3)."""
        return to_rgb(self.picture, None)

    def copy_planes(self, form: YuvForm, place: npt.NDArray[np.uint8]) -> None:
        """Copy the picture as it came into an array of the stream's form."""
        copy_planes(self.picture, form, place)


class LiveStream:
    """Receives a stream in a thread of its own, which waits for nobody: who comes late gets the newest picture.

    Args:
        source: what FFmpeg opens: a device, a URL, or a file, which is played at its own speed.
        format: FFmpeg's name of the input, where it cannot tell by itself.
        options: of FFmpeg's input.

    Attributes:
        height: rows of a picture.
        width: columns of a picture.
        yuv: the form of its planes, where a GPU can convert them.
        fps: frames per second that the stream states; 25 where it states none.
        received: pictures so far.
        dropped: pictures that nobody took before the next one came.
        end: how it ended; None as long as it has not.
        why: it ended, in words.

    Raises:
        RASNetError: there is no such source, or no picture comes.
    """

    def __init__(self, source: str, format: str | None = None, options: Mapping[str, str] | None = None) -> None:
        self._source = source
        self._paced = Path(source).is_file()
        given = {**_DEFAULTS, **(options or {})}
        try:
            self._container = av.open(
                source, format=format or _device_format(source), options=given, timeout=(OPEN_S, STALL_S)
            )
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise RASNetError(_unopened(source, error)) from error
        if not self._container.streams.video:
            self._container.close()
            raise RASNetError(f"{source} has no picture, at most sound; choose another source")
        self._stream = self._container.streams.video[0]
        self._stream.codec_context.thread_type = "SLICE"  # threads by frame would give each picture some frames late
        self._tick = self._stream.time_base or Fraction(1, 90_000)
        self.fps = float(self._stream.average_rate or self._stream.guessed_rate or 25)
        self.received = self.dropped = 0
        self.end: End | None = None
        self.why = ""
        self._pts: list[int] = []
        self._arrived: dict[int, float] = {}
        self._first: int | None = None
        self._recorder: Recorder | None = None
        self._newest: LivePicture | None = None
        self._news = threading.Condition()
        self._stopping = False
        self._origin = self._last_dts = 0
        self._began = 0.0
        self._thread = threading.Thread(target=self._receive, name="receive", daemon=True)
        self._held: list[Any] = []  # from the first key frame on, until the recorder comes
        self._ready: list[Any] = []
        self._packets = self._demux()
        self._wait_for_first()

    def start(self, path: Path) -> None:
        """Begin to record, with the first picture, and to receive.

        Raises:
            RASNetError: the stream cannot be recorded, or the disk is full.
        """
        self._recorder = Recorder(path, self._stream, self.height, self.width)
        for packet in self._held:
            self._recorder.copy(packet)
        self._held = []
        self._began = time.monotonic()
        for picture in self._ready:
            self._offer(picture)
        self._ready = []
        self._thread.start()

    def take(self) -> LivePicture | None:
        """Wait for a picture that has not been taken; None when the stream has ended."""
        with self._news:
            # With a time limit, for on Windows no Ctrl-C interrupts a wait that has none.
            while not self._news.wait_for(lambda: self._newest is not None or self.end is not None, timeout=0.5):
                pass
            taken, self._newest = self._newest, None
            return taken

    def stop(self) -> None:
        """Receive no more, and finish the recorded file."""
        self._stopping = True
        if self._thread.ident is not None:
            self._thread.join(STALL_S + 1)
        if self._recorder is not None:
            self._recorder.close()
        self._container.close()

    def _wait_for_first(self) -> None:
        """Go on to the first picture."""
        deadline = time.monotonic() + OPEN_S
        try:
            while not self._ready and time.monotonic() < deadline:
                self._next_packet()
        except (StopIteration, av.error.FFmpegError) as error:
            self._container.close()
            raise RASNetError(f"{self._source} gives no picture ({_words(error)}); check the source") from error
        if not self._ready:
            self._container.close()
            raise RASNetError(f"{self._source} gave no picture within {OPEN_S:.0f} s; check the source")
        self.height, self.width = self._ready[0].height, self._ready[0].width
        self.yuv = form_of(self._ready[0])

    def _receive(self) -> None:
        end: End = "stalled"
        why = f"nothing came for {STALL_S:.0f} s"
        try:
            while not self._stopping:
                self._next_packet()
                for picture in self._ready:
                    if (picture.height, picture.width) != (self.height, self.width):
                        sizes = f"{self.width}x{self.height} to {picture.width}x{picture.height}"
                        end, why = "resized", f"its picture changed from {sizes}"
                        return
                    self._offer(picture)
                self._ready = []
        except StopIteration:
            end, why = "ended", "it is at its end"
        except av.error.ExitError:
            pass
        except (av.error.FFmpegError, OSError, RASNetError) as error:
            end, why = "failed", _words(error)
        finally:
            with self._news:
                self.end, self.why = ("ended", "it was stopped") if self._stopping else (end, why)
                self._news.notify_all()

    def _next_packet(self) -> None:
        """Take one packet: its pictures are ready, it itself is recorded."""
        packet = next(self._packets)
        arrived = time.monotonic()
        if not packet.size:  # the end
            self._ready += self._decode(None)
            return
        if packet.pts is None:
            packet.pts = packet.dts if packet.dts is not None else round(arrived / self._tick)
        if packet.dts is None:
            packet.dts = packet.pts
        if not self._pts and not packet.is_keyframe and self._stream.codec_context.name not in UNCODED:
            return
        if self._pts and packet.dts < self._last_dts:
            raise RASNetError("its clock went back, as if it had begun anew")
        self._last_dts = packet.dts
        if self._paced:
            arrived = self._pace(packet)
        insort(self._pts, packet.pts)
        self._arrived[packet.pts] = arrived
        self._ready += self._decode(packet)
        if self._recorder is None:
            self._held.append(packet)
        else:
            self._recorder.copy(packet)

    def _decode(self, packet: Any) -> list[Any]:
        try:
            return [picture for picture in self._stream.codec_context.decode(packet) if picture.pts is not None]
        except av.error.InvalidDataError:  # a part was lost on the way: the next key frame mends it
            return []

    def _demux(self) -> Any:
        return iter(self._container.demux(self._stream))

    def _pace(self, packet: Any) -> float:
        """Hold a file's packet back until a stream would bring it."""
        if self._recorder is not None:
            due = self._began + float((packet.dts - self._origin) * self._tick)
            while (left := due - time.monotonic()) > 0 and not self._stopping:
                time.sleep(min(left, 0.1))
        else:
            self._origin = packet.dts
        return time.monotonic()

    def _offer(self, picture: Any) -> None:
        if self._first is None:
            self._first = picture.pts
        index = bisect_left(self._pts, picture.pts) - bisect_left(self._pts, self._first)
        arrived = self._arrived.get(picture.pts, time.monotonic())
        for pts in [pts for pts in self._arrived if pts <= picture.pts]:
            del self._arrived[pts]
        with self._news:
            self.received += 1
            self.dropped += self._newest is not None
            seconds = float((picture.pts - self._first) * self._tick)
            self._newest = LivePicture(index, seconds, arrived, picture)
            self._news.notify_all()
        if self._recorder is not None:
            self._recorder.encode(picture)


def _device_format(source: str) -> str | None:
    """The input that a Linux video device needs."""
    return "v4l2" if source.startswith("/dev/video") else None


def _unopened(source: str, error: Exception) -> str:
    if isinstance(error, av.error.ExitError):
        return f"{source} gives nothing; start the sender, and check address and port"
    return (
        f"{source} cannot be opened ({_words(error)}); give a device such as /dev/video0, a URL such as "
        "rtsp://HOST/PATH or udp://0.0.0.0:5000, or a video file, and --format if FFmpeg cannot tell what it is"
    )


def _words(error: BaseException) -> str:
    if isinstance(error, StopIteration):
        return "it is at its end"
    if isinstance(error, av.error.ExitError):
        return f"nothing came for {STALL_S:.0f} s"
    return words(error)
