"""The marked picture of a live stream, as a file or as a stream for a player."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import numpy.typing as npt

from rasnet.case.layers import default_layer
from rasnet.errors import RASNetError
from rasnet.inference.live_stream import LivePicture
from rasnet.masks import mask_values
from rasnet.report.overlay import OverlayPainter

# Quick to encode, and nothing held back for later pictures.
_ENCODER = {"preset": "ultrafast", "tune": "zerolatency", "crf": "23", "g": "25"}
_FORMATS = {"rtmp": "flv", "rtmps": "flv", "rtsp": "rtsp", "rtp": "rtp_mpegts"}
_CLOCK = Fraction(1, 90_000)


class Marked(NamedTuple):
    """A picture and what is in it.

    Attributes:
        picture: of the stream.
        mask: layer ids, uint8 (H, W).
    """

    picture: LivePicture
    mask: npt.NDArray[np.uint8]


class LiveOverlay:
    """Draws and encodes in a thread of its own; pictures that come while it is busy are left out but for the newest.

    A player that goes away, or a disk that is full, ends the overlay and nothing else.

    Args:
        target: a file, whose ending says what it is, or a URL: ``udp://127.0.0.1:5000`` for a player that listens there
            (``ffplay udp://127.0.0.1:5000``), ``rtmp://...`` for a server.
        height: rows of a picture.
        width: columns of a picture.
        note: is told if it ends early.

    Raises:
        RASNetError: the target cannot be written.
    """

    def __init__(self, target: str, height: int, width: int, note: Callable[[str], None]) -> None:
        self._target = target
        self._note = note
        scheme, separator, _ = target.partition("://")
        try:
            if not separator:
                Path(target).touch()  # Python says better than FFmpeg what is against it
            self._container = av.open(target, "w", format=_FORMATS.get(scheme, "mpegts") if separator else None)
            self._stream: Any = self._container.add_stream("libx264", rate=25, options=_ENCODER)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise RASNetError(
                f"the overlay cannot go to {target} ({getattr(error, 'strerror', None) or error}); give a file such as "
                "marked.mp4, or a URL such as udp://127.0.0.1:5000"
            ) from error
        self._stream.height, self._stream.width = height + height % 2, width + width % 2
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = _CLOCK
        self._painter = OverlayPainter([])
        self._layers: set[int] = set()
        self._last = -1
        self._newest: Marked | None = None
        self._over = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="overlay", daemon=True)
        self._thread.start()

    def offer(self, marked: Marked) -> None:
        """Show a picture, unless a newer one comes before it is its turn."""
        with self._news:
            self._newest = marked
            self._news.notify_all()

    def close(self) -> None:
        """Draw what is left, and finish."""
        with self._news:
            self._over = True
            self._news.notify_all()
        self._thread.join()
        with contextlib.suppress(av.error.FFmpegError, OSError):
            self._container.close()

    def _work(self) -> None:
        try:
            while (marked := self._next()) is not None:
                self._show(marked)
            self._container.mux(self._stream.encode(None))
        except (av.error.FFmpegError, OSError) as error:
            self._note(f"the overlay to {self._target} has ended ({getattr(error, 'strerror', None) or error})")

    def _next(self) -> Marked | None:
        with self._news:
            self._news.wait_for(lambda: self._newest is not None or self._over)
            marked, self._newest = self._newest, None
            return marked

    def _show(self, marked: Marked) -> None:
        tick = round(marked.picture.pts / _CLOCK)
        if tick <= self._last:
            return
        present = {value for value in mask_values(marked.mask) if value}
        if not present <= self._layers:
            self._layers |= present
            self._painter = OverlayPainter([default_layer(layer) for layer in sorted(self._layers)])
        picture = self._painter.paint(marked.picture.rgb(), marked.mask, time_s=marked.picture.pts)
        height, width = marked.mask.shape
        if height % 2 or width % 2:
            picture = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = tick, _CLOCK
        self._container.mux(self._stream.encode(frame))
        self._last = tick
