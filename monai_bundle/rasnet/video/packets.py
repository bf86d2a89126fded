"""The packets of a video file, listed once without decoding, and found again after a jump."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.codec.hwaccel import HWAccel

UNKNOWN = np.iinfo(np.int64).min
"""Stands for a time or a place that the container does not tell."""

# A demuxer may fail again and again at the same place; this many failures in a row end the file.
_MAX_FAILURES = 100

# Codecs whose standards leave decoders no rounding of their own, so that a GPU gives the very same pictures.
_EXACT = {"h264", "hevc", "vp9"}

# How an IDR picture begins where start codes part the units, as in AVI and raw streams.
_IDR = {
    "h264": re.compile(rb"\x00\x00\x01[\x25\x45\x65]"),
    "hevc": re.compile(rb"\x00\x00\x01[\x26\x28]"),
}


def open_video(path: Path, *, gpu: bool = False) -> tuple[Any, Any]:
    """Open a file and choose its video stream.

    Args:
        path: the file.
        gpu: let an NVIDIA GPU decode, if it can, and gives the same pictures; they come back as NV12.

    Returns:
        PyAV's container and stream; the stream is None where the file has none (cover art is none).

    Raises:
        av.error.FFmpegError: FFmpeg does not know the file, or there is no such GPU.
    """
    hardware = HWAccel("cuda") if gpu else None
    # Titles in other encodings than UTF-8 are common on recorders and no reason to fail.
    container = av.open(str(path), metadata_errors="replace", hwaccel=hardware)
    streams = [
        stream for stream in container.streams.video if not stream.disposition & av.stream.Disposition.attached_pic
    ]
    # FFmpeg shows plain text as a film of a terminal.
    stream = streams[0] if streams and container.format.name != "tty" else None
    if gpu and not (stream and stream.codec_context and stream.codec_context.name in _EXACT):
        container.close()
        return open_video(path)
    if stream is not None:
        stream.thread_type = "AUTO"
    return container, stream


def demux(container: Any, stream: Any) -> Iterator[Any]:
    """Give the packets of a stream that hold data, going on after places that cannot be demuxed."""
    failures = 0
    while failures < _MAX_FAILURES:
        try:
            for packet in container.demux(stream):
                failures = 0
                # An empty packet would tell the decoder that the stream ends.
                if packet.size:
                    yield packet
            return
        except av.error.FFmpegError:
            failures += 1


@dataclass(frozen=True)
class PacketTable:
    """What the container tells about each packet of a stream, in decoding order.

    Attributes:
        pts: int64 (P,), presentation time in ticks, or `UNKNOWN`.
        dts: int64 (P,), decoding time in ticks, or `UNKNOWN`.
        place: int64 (P,), offset in the file in bytes, or `UNKNOWN`.
        key: bool (P,), a decoder can start here.
        closed: bool (P,), a key packet that no later frame looks behind (H.264 and HEVC: IDR pictures).
        corrupt: bool (P,), the container lost a part of it.
        hidden: bool (P,), decoded but not shown (cut away by an edit list).
    """

    pts: npt.NDArray[np.int64]
    dts: npt.NDArray[np.int64]
    place: npt.NDArray[np.int64]
    key: npt.NDArray[np.bool_]
    closed: npt.NDArray[np.bool_]
    corrupt: npt.NDArray[np.bool_]
    hidden: npt.NDArray[np.bool_]

    @classmethod
    def list(cls, container: Any, stream: Any) -> PacketTable:
        """Go through the whole file once; memory is 28 bytes a packet."""
        idr = _IDR.get(stream.codec_context.name)
        numbers = array("q")
        flags = bytearray()
        for packet in demux(container, stream):
            for number in (packet.pts, packet.dts, packet.pos):
                numbers.append(UNKNOWN if number is None else number)
            key = packet.is_keyframe
            closed = key and idr is not None and idr.search(bytes(packet)) is not None
            flags.extend((key, closed, packet.is_corrupt, packet.is_discard))
        return cls(
            *np.frombuffer(numbers, np.int64).reshape(-1, 3).T,
            *np.frombuffer(flags, np.bool_).reshape(-1, 4).T,
        )

    def __len__(self) -> int:
        return len(self.pts)


class PacketFinder:
    """Tells which packet of the table a packet is that was demuxed after a jump.

    Times tell it best. They repeat where recordings were joined without mending their times; there the
    offset in the file tells it.

    Args:
        table: all packets.
    """

    def __init__(self, table: PacketTable) -> None:
        self._name, values = next(
            (
                (name, values)
                for name, values in (("pts", table.pts), ("dts", table.dts), ("pos", table.place))
                if len(np.unique(values)) == len(values) and UNKNOWN not in values
            ),
            ("", np.empty(0, np.int64)),
        )
        self._ordinals = np.argsort(values)
        self._values = values[self._ordinals]

    def find(self, packet: Any) -> int | None:
        """Ordinal of a packet in the table, None where it cannot be told."""
        value = getattr(packet, self._name) if self._name else None
        if value is None:
            return None
        row = int(np.searchsorted(self._values, value))
        if row == len(self._values) or self._values[row] != value:
            return None
        return int(self._ordinals[row])
