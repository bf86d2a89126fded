"""Video files as sources of frames."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rasnet.video.indexing import index_video
from rasnet.video.picture import display_matrix, to_rgb
from rasnet.video.source import TakenFrame, VideoSource
from rasnet.video.yuv import copy_planes, form_of

# Reading on to a frame this near costs less than a jump, after which the decoder's pipeline is empty.
_NEAR_FRAMES = 16

# A frame that does not come from the start before it may come from one of these many earlier starts
# (periodic intra refresh: the decoder needs a while after a start).
_STARTS_TRIED = 3

# Decoded pictures kept for stepping backwards, in the decoder's own format (3 MB for 1920x1080).
_CACHE_BYTES = 48_000_000
_CACHE_FRAMES = 64

_NO_PICTURE = "the decoder gave no picture"


class VideoFile(VideoSource):
    """Any video file that FFmpeg decodes, frame-exact in any order of access.

    Frames are in display order with the times that the container states. Interlaced pictures are
    deinterlaced (one picture a frame) and rotated ones turned upright. Pixels that are not square are not
    stretched: masks fit the picture as it is stored.

    Args:
        path: the file, which exists and may be read.
        gpu: let an NVIDIA GPU decode if it can. It gives the same pictures, and no notice of those that are damaged.

    Raises:
        RASNetError: not a video, cut off before its table of frames was written, or without frames.
    """

    def __init__(self, path: Path, *, gpu: bool = False) -> None:
        video = index_video(path, gpu=gpu)
        self.path = path
        self.kind = "video"
        self._matrix = display_matrix(video.sample)
        self.height, self.width = to_rgb(video.sample, self._matrix).shape[:2]
        self.yuv = form_of(video.sample) if self._matrix is None else None
        self.fps = video.fps
        self.times = video.times
        self.damage = []
        self._decoder = video.decoder
        self.on_gpu = video.decoder.on_gpu
        for span in video.damage:
            self._note(span.first, span.last, span.reason)
        self._stored_size = (video.sample.height, video.sample.width)
        self._pictures: Iterator[tuple[int, Any]] = iter(())
        self._next: int | None = None  # the frame that the decoder gives next, None where it must jump first
        self._cache: OrderedDict[int, Any] = OrderedDict()
        self._closed = False

    def close(self) -> None:
        """Close the file; it gives no more frames."""
        self._closed = True
        self._pictures = iter(())
        self._cache.clear()
        self._decoder.close()

    def spread(self, count: int) -> list[int]:
        """Choose as every source does, but take the nearest frame before that a jump reaches at once."""
        chosen: list[int] = []
        for index in super().spread(count):
            quick = min(self._start_frame(index) + int(self._decoder.deinterlace), index)
            chosen.append(quick if not chosen or quick > chosen[-1] else index)
        return chosen

    def _rgb(self, index: int) -> npt.NDArray[np.uint8] | None:
        picture = self._picture(index)
        return None if picture is None else to_rgb(picture, self._matrix)

    def _take(self, index: int) -> TakenFrame | None:
        picture = self._picture(index)
        if picture is None:
            return None
        rgb = partial(to_rgb, picture, self._matrix, threads=1)
        copy = None if self.yuv is None else partial(copy_planes, picture, self.yuv)
        return TakenFrame(index, float(self.times[index]), rgb, copy)

    def _picture(self, index: int) -> Any | None:
        """Decode a frame; None where it is damaged."""
        if self._closed:
            raise ValueError(f"{self.name} is closed")
        picture = self._cache.get(index)
        if picture is None and not any(span.first <= index <= span.last for span in self.damage):
            if not self._is_near(index):
                self._jump(index)
            picture = self._read_on(index)
        return picture

    def _is_near(self, index: int) -> bool:
        if self._next is None or index < self._next:
            return False
        return self._start_frame(index) <= self._next + _NEAR_FRAMES

    def _row(self, index: int) -> int:
        """Start of the timeline from which a frame is decoded; deinterlacing needs the frame before, too."""
        return self._decoder.timeline.start_before(index - int(self._decoder.deinterlace))

    def _start_frame(self, index: int) -> int:
        return int(self._decoder.timeline.first_frames[self._row(index)])

    def _jump(self, index: int) -> None:
        """Place the decoder so that reading on gives a frame, if anything gives it."""
        self._decoder.trouble = None
        row = self._row(index)
        first = None
        for earlier in range(row, max(row - _STARTS_TRIED, -1), -1):
            self._pictures = self._decoder.pictures(earlier)
            first = next(self._pictures, None)
            if first is not None and first[0] <= index:
                break
        self._pictures = chain([] if first is None else [first], self._pictures)
        self._next = index if first is None else min(first[0], index)

    def _read_on(self, index: int) -> Any | None:
        """Decode up to a frame and keep the pictures on the way; None where the frame is damaged."""
        for found, picture in self._pictures:
            self._note_gap(found)
            self._next = found + 1
            if (picture.height, picture.width) == self._stored_size:
                self._keep(found, picture)
            else:
                size = f"{picture.width}x{picture.height}"
                self._add_damage(found, found, f"the picture changes its size to {size}")
            if found >= index:
                return self._cache.get(index)
        self._note_gap(len(self))
        self._next = None
        return None

    def _note_gap(self, found: int) -> None:
        """Note the frames as damaged that were due before the one that came."""
        if self._next is not None and self._next < found:
            self._note(self._next, found - 1, self._decoder.trouble or _NO_PICTURE)
        self._decoder.trouble = None

    def _note(self, first: int, last: int, reason: str) -> None:
        """Note damage, and how far it may show: decoders draw later frames over what they have."""
        starts = self._decoder.timeline.first_frames
        after = int(np.searchsorted(starts, last, side="right"))
        clean = int(starts[after]) if after < len(starts) else len(self)
        traces = f"; frames up to {clean - 1} may show traces of it" if clean > last + 1 else ""
        self._add_damage(first, last, reason + traces)

    def _keep(self, index: int, picture: Any) -> None:
        size = sum(plane.buffer_size for plane in picture.planes)
        self._cache[index] = picture
        while len(self._cache) > max(min(_CACHE_FRAMES, _CACHE_BYTES // size), 2):
            self._cache.popitem(last=False)
