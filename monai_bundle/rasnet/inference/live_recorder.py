"""The recording of a live stream, which holds nobody up who wants to see its pictures."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av

from rasnet.errors import RASNetError

UNCODED = ("rawvideo", "wrapped_avframe", "v210", "v308", "v408", "v410", "r210", "bitpacked")
"""Pictures that come as they are, without a codec, are too large to be recorded so: 180 MB/s at 1920x1080."""

# On the disk every second: that much is lost if the program is killed. Left alone, FFmpeg gathers five.
_MATROSKA = {"cluster_time_limit": "1000", "flush_packets": "1"}
_ENCODER = {"preset": "ultrafast", "tune": "zerolatency", "crf": "18"}

# Packets or pictures that may wait for the disk; then the stream does.
_WAITING = 30


class Recorder:
    """Writes a stream into a file as it comes, or encoded where it comes without a codec, in a thread of its own.

    Args:
        path: of a Matroska file.
        stream: that is received.
        height: of its pictures.
        width: of its pictures.

    Raises:
        RASNetError: the file cannot be written, or cannot hold such a stream. What goes wrong later is raised when the
            next packet or picture is given.
    """

    def __init__(self, path: Path, stream: Any, height: int, width: int) -> None:
        self._path = path
        self._encoding = stream.codec_context.name in UNCODED
        try:
            self._container = av.open(str(path), "w", format="matroska", options=_MATROSKA)
            if self._encoding:
                rate = stream.average_rate or Fraction(25)
                self._stream = self._container.add_stream("libx264", rate=rate, options=_ENCODER)
                self._stream.height, self._stream.width = height, width
                self._stream.pix_fmt = "yuv444p" if height % 2 or width % 2 else "yuv420p"
                self._stream.codec_context.time_base = stream.time_base
            else:
                self._stream = self._container.add_stream_from_template(stream)
            self._container.start_encoding()
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise self._failure(error) from error
        self._error: RASNetError | None = None
        self._tasks: queue.Queue[Callable[[], None] | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._work, name="record", daemon=True)
        self._thread.start()

    def copy(self, packet: Any) -> None:
        """Have a packet written as it is."""
        if not self._encoding:
            self._put(partial(self._copy, packet))

    def encode(self, picture: Any) -> None:
        """Have a picture written that came without a codec."""
        if self._encoding:
            self._put(partial(self._encode, picture))

    def close(self) -> None:
        """Write what waits, and finish the file; closing twice does no harm."""
        if self._thread.is_alive():
            self._tasks.put(None)
            self._thread.join()

    def _put(self, task: Callable[[], None]) -> None:
        if self._error is not None:
            raise self._error
        self._tasks.put(task)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            if self._error is not None:
                continue  # keeps taking, so that nobody waits for nothing
            try:
                task()
            except (av.error.FFmpegError, OSError) as error:
                self._error = self._failure(error)
        with contextlib.suppress(av.error.FFmpegError, OSError):
            if self._encoding:
                self._container.mux(self._stream.encode(None))
        with contextlib.suppress(av.error.FFmpegError, OSError):
            self._container.close()

    def _copy(self, packet: Any) -> None:
        packet.stream = self._stream
        self._container.mux(packet)

    def _encode(self, picture: Any) -> None:
        self._container.mux(self._stream.encode(picture.reformat(format=self._stream.pix_fmt)))

    def _failure(self, error: Exception) -> RASNetError:
        return RASNetError(f"{self._path} cannot be recorded ({words(error)}); check the disk and its free space")


def words(error: BaseException) -> str:
    """Say in a few words what FFmpeg or the system has against a stream or its file."""
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
