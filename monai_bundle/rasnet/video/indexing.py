"""Opening a video file: its packets, the order of its frames, and a decoder that agrees with both."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from rasnet.errors import RASNetError
from rasnet.video import failures
from rasnet.video.decoder import Decoder
from rasnet.video.images import IMAGE_FPS
from rasnet.video.packets import PacketTable, open_video
from rasnet.video.source import Damage
from rasnet.video.timeline import (
    NOT_SHOWN,
    Timeline,
    timeline_of_counting,
    timeline_of_decoding,
    timeline_of_times,
)

# Decoded when a file is opened, to see size and interlacing and whether its times keep their promise.
_HEAD_FRAMES = 16


@dataclass(frozen=True)
class IndexedVideo:
    """A video that is ready to be read.

    Attributes:
        decoder: stands at the beginning.
        sample: one decoded picture, a PyAV frame, for size and orientation.
        times: float64 (N,), seconds of each frame from the first.
        fps: average frame rate, frames per second.
        damage: what the container shows to be lost.
    """

    decoder: Decoder
    sample: Any
    times: npt.NDArray[np.float64]
    fps: float
    damage: list[Damage]


def index_video(path: Path, *, gpu: bool = False) -> IndexedVideo:
    """List the frames of a video without decoding more than the first few.

    Args:
        path: the file.
        gpu: let an NVIDIA GPU decode where it gives the same pictures: of 8 bits, not interlaced.

    Raises:
        RASNetError: not a video, cut off before its table of frames was written, or without frames.
    """
    if gpu and (video := _index_on_gpu(path)) is not None:
        return video
    return _index_file(path, gpu=False)


def _index_on_gpu(path: Path) -> IndexedVideo | None:
    try:
        video = _index_file(path, gpu=True)
    except RASNetError:  # there is none, or it cannot decode this
        return None
    if video.sample.format.name == "nv12" and not video.decoder.deinterlace:
        return video
    video.decoder.close()
    return None


def _index_file(path: Path, *, gpu: bool) -> IndexedVideo:
    try:
        container, stream = open_video(path, gpu=gpu)
    except av.error.FFmpegError as error:
        raise failures.unreadable(path) from error
    try:
        return _index(path, container, stream, gpu=gpu)
    except BaseException:
        container.close()
        raise


def _index(path: Path, container: Any, stream: Any, *, gpu: bool) -> IndexedVideo:
    if stream is None:
        raise failures.without_frames(path)
    if stream.codec_context is None:
        raise failures.undecodable(path, "its codec is unknown")
    tick = stream.time_base
    rate = float(stream.average_rate or stream.guessed_rate or IMAGE_FPS)
    # Only MP4 and MOV count their frames in a table; other headers are estimates.
    promised = stream.frames if "mp4" in container.format.name else 0
    table = PacketTable.list(container, stream)
    if not len(table):
        raise failures.without_frames(path)
    period = max(round(1 / (rate * float(tick))), 1)
    timeline = _timeline(table, period, counted=_tells_no_order(container, stream))
    if timeline is None:
        raise failures.undecodable(path, "it has no key frame to begin with")
    decoder = Decoder(path, container, stream, table, timeline, gpu=gpu)
    head = _agree(decoder, table, period)
    if not head:
        raise failures.undecodable(path, decoder.trouble)
    decoder.deinterlace = any(picture.interlaced_frame for picture in head)
    ticks = decoder.timeline.ticks - decoder.timeline.ticks[0]
    times = ticks * tick.numerator / tick.denominator
    damage = _losses(decoder.timeline, table, promised)
    return IndexedVideo(decoder, head[0], times, _average_rate(times, rate), damage)


def _tells_no_order(container: Any, stream: Any) -> bool:
    # AVI has only one time a frame, that of decoding, and gives it out as the time of presentation.
    return container.format.name == "avi" and stream.codec_context.name in ("h264", "hevc")


def _timeline(table: PacketTable, period: int, *, counted: bool) -> Timeline | None:
    timeline = None if counted else timeline_of_times(table)
    return timeline or timeline_of_counting(table, period)


def _agree(decoder: Decoder, table: PacketTable, period: int) -> list[Any]:
    """Decode the first pictures, and mend the timeline where the decoder does not give what it says.

    Returns:
        The first pictures; none where nothing can be decoded.
    """
    head = list(islice(decoder.pictures(0), _HEAD_FRAMES))
    indices = [index for index, _ in head]
    if head and indices != list(range(indices[0], indices[0] + len(head))) and decoder.trouble is None:
        # Packets that are no frames (fields, hidden frames): rare, and only decoding tells which.
        decoder.timeline = timeline_of_decoding(table, decoder.ordinals(), period)
    elif head and indices[0] > 0:
        decoder.timeline = decoder.timeline.without(indices[0])
    return [picture for _, picture in head]


def _losses(timeline: Timeline, table: PacketTable, promised: int) -> list[Damage]:
    """Damage that shows without decoding."""
    damage = []
    if timeline.shown_as is not None:
        frames = timeline.shown_as[table.corrupt]
        damage = [
            Damage(int(frame), int(frame), "the container lost a part of the frame")
            for frame in np.unique(frames[frames != NOT_SHOWN])
        ]
    if promised > len(table):
        missing = promised - len(table)
        reason = f"the file ends early: {missing} of the {promised} frames that its header lists are missing"
        damage.append(Damage(len(timeline), len(timeline) + missing - 1, reason))
    return damage


def _average_rate(times: npt.NDArray[np.float64], stated: float) -> float:
    if times[-1] <= 0:
        return stated
    measured = (len(times) - 1) / float(times[-1])
    # Ticks are coarse in some containers (1 ms in MKV): the stated rate is the exact one of two that agree.
    return stated if abs(measured - stated) < 0.005 * stated else measured
