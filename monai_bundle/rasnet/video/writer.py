"""Writing frames as an H.264 video that plays everywhere."""

from __future__ import annotations

import contextlib
import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from rasnet.errors import RASNetError

# 90 kHz, the clock of MPEG: exact for 24, 25, 30, 50 and 60 frames/s and within 6 us of any time.
_TICKS_PER_SECOND = 90_000

_BT709 = 1  # the same number for matrix, primaries and transfer
_LIMITED_RANGE = 1


class VideoWriter:
    """Writes an MP4 (H.264, yuv420p, BT.709) under its name only when it is complete.

    H.264 stores an even number of rows and columns: an odd last row or column is repeated once, so
    the file is one pixel larger there.

    Args:
        path: the file to write; one that exists is replaced.
        height: rows of each frame.
        width: columns of each frame.
        fps: frames per second, for frames that are written without a time.
        crf: quality of libx264, 0 (lossless) to 51; 18 is visually lossless.

    Raises:
        RASNetError: the folder does not exist or may not be written to.

    Examples:
        >>> with VideoWriter("overlay.mp4", 1080, 1920, 25.0) as writer:  # doctest: +SKIP
        ...     for frame in source:
        ...         writer.write(frame.rgb, frame.pts)
    """

    def __init__(self, path: str | Path, height: int, width: int, fps: float, *, crf: int = 18) -> None:
        import av

        self.path = Path(path)
        self._shape = (height, width, 3)
        self._fps = fps
        self._last_tick = -1
        self._count = 0
        self._errors = (av.error.FFmpegError, OSError)
        self._draft = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        self._container: Any = None
        try:
            # The name is written by Python first, whose errors say what the operating system has against it.
            self._draft.touch()
            self._container = av.open(str(self._draft), "w", format="mp4", options={"movflags": "+faststart"})
            self._stream = self._add_stream(crf)
        except self._errors as error:
            self._discard()
            raise self._failure(error) from error

    def write(self, rgb: npt.NDArray[np.uint8], pts: float | None = None) -> None:
        """Append a frame.

        Args:
            rgb: uint8 (H, W, 3) of the writer's size.
            pts: presentation time in seconds, later than that of the frame before; None counts frames
                at `fps`.

        Raises:
            RASNetError: the disk is full or gone; nothing is left behind.
        """
        import av

        if self._container is None:
            raise ValueError(f"{self.path} is closed")
        if rgb.shape != self._shape or rgb.dtype != np.uint8:
            raise ValueError(f"frame is {rgb.dtype} {rgb.shape}, but the video takes uint8 {self._shape}")
        tick = round((self._count / self._fps if pts is None else pts) * _TICKS_PER_SECOND)
        if tick <= self._last_tick:
            raise ValueError(f"frame at {tick / _TICKS_PER_SECOND:.6f} s is not later than the one before it")
        picture = av.VideoFrame.from_ndarray(_even(rgb), format="rgb24").reformat(
            format="yuv420p", dst_colorspace="ITU709", dst_color_range=_LIMITED_RANGE
        )
        picture.pts = tick
        picture.time_base = Fraction(1, _TICKS_PER_SECOND)
        self._encode(picture)
        self._last_tick = tick
        self._count += 1

    def close(self) -> None:
        """Finish the file and give it its name; closing twice does no harm.

        Raises:
            RASNetError: no frame was written, or the disk is full; nothing is left behind.
        """
        if self._container is None:
            return
        if not self._count:
            self._discard()
            raise RASNetError(f"{self.path} was not written because there was no frame; choose other frames")
        self._encode(None)
        try:
            self._container.close()
            self._draft.replace(self.path)
        except self._errors as error:
            self._discard()
            raise self._failure(error) from error
        self._container = None

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._discard()

    def _add_stream(self, crf: int) -> Any:
        stream = self._container.add_stream(
            "libx264", rate=Fraction(self._fps).limit_denominator(1001), options={"crf": str(crf)}
        )
        stream.height, stream.width = (side + side % 2 for side in self._shape[:2])
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = Fraction(1, _TICKS_PER_SECOND)
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED_RANGE
        return stream

    def _encode(self, picture: Any) -> None:
        try:
            self._container.mux(self._stream.encode(picture))
        except self._errors as error:
            self._discard()
            raise self._failure(error) from error

    def _discard(self) -> None:
        """Leave nothing behind."""
        container, self._container = self._container, None
        if container is not None:
            # Closing writes what an aborted file lacks, and fails for whatever made it abort.
            with contextlib.suppress(*self._errors):
                container.close()
        with contextlib.suppress(OSError):
            self._draft.unlink(missing_ok=True)

    def _failure(self, error: Exception) -> RASNetError:
        reason = getattr(error, "strerror", None) or error
        return RASNetError(
            f"{self.path} cannot be written ({reason}); check the folder, its permissions and the free space"
        )


def _even(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Repeat the last row and column of (H, W, 3) where their number is odd."""
    height, width = rgb.shape[:2]
    if height % 2 or width % 2:
        return np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.ascontiguousarray(rgb)
