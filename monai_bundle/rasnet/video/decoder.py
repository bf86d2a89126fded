"""Decoded pictures in display order, from any place of a video stream."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np

from rasnet.video.deinterlace import Deinterlacer
from rasnet.video.packets import UNKNOWN, PacketFinder, PacketTable, demux, open_video
from rasnet.video.timeline import Timeline

# A jump lands this many seconds before the packet that it wants. Transport and program streams land late
# when asked for the exact time; where even a minute is too late, the file is read from its beginning.
_MARGINS_S = (1.0, 10.0, 60.0)


class Decoder:
    """Gives the pictures of a stream with the index of each.

    Every packet goes through the decoder with its ordinal in place of its time, so each picture tells
    exactly which packet it came from, whatever the container's times are worth.

    Args:
        path: the video file.
        container: PyAV's container; the decoder closes it.
        stream: its video stream.
        table: all packets of the stream.
        timeline: which frame each packet becomes.
        gpu: whether a GPU decodes.

    Attributes:
        on_gpu: whether a GPU decodes.
        timeline: may be exchanged between two calls of `pictures`.
        deinterlace: build full pictures out of interlaced ones.
        trouble: what the decoder complained of last, None as long as all is well.
    """

    def __init__(
        self, path: Path, container: Any, stream: Any, table: PacketTable, timeline: Timeline, *, gpu: bool = False
    ) -> None:
        self.timeline = timeline
        self.deinterlace = False
        self.trouble: str | None = None
        self.on_gpu = gpu
        self._path = path
        self._container = container
        self._stream = stream
        self._table = table
        self._finder = PacketFinder(table)
        self._count: int | None = None

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def pictures(self, row: int) -> Iterator[tuple[int, Any]]:
        """Give (index, PyAV frame) from a start of the timeline on, ascending, damaged ones left out."""
        shown = self._shown(row)
        if not self.deinterlace:
            return shown
        # The first picture after a jump lacks the one before it, which the filter needs.
        whole = Deinterlacer(self._stream).filter(shown)
        return (item for place, item in enumerate(whole) if place or item[0] == 0)

    def ordinals(self) -> list[int]:
        """Decode the whole stream and give the ordinal of each picture's packet, in the decoder's order."""
        start = int(self.timeline.starts[0])
        return [tag for tag, _ in self._decoded(start) if tag is not None]

    def _shown(self, row: int) -> Iterator[tuple[int, Any]]:
        last = -1
        self._count = None
        for tag, picture in self._decoded(int(self.timeline.starts[row])):
            index = self._index_of(tag)
            # Where packets are lost, pictures may come late, when their place has been passed.
            if index is None or not last < index < len(self.timeline):
                continue
            if picture.is_corrupt or (tag is not None and self._table.corrupt[tag]):
                self.trouble = "a part of the picture is missing from the file"
                continue
            last = index
            yield index, picture

    def _index_of(self, tag: int | None) -> int | None:
        shown_as = self.timeline.shown_as
        if shown_as is not None:
            return int(shown_as[tag]) if tag is not None else None
        starts = self.timeline.starts
        row = int(np.searchsorted(starts, UNKNOWN if tag is None else tag))
        if row < len(starts) and starts[row] == tag:
            self._count = int(self.timeline.first_frames[row])
        elif self._count is not None:
            self._count += 1
        return self._count

    def _decoded(self, start: int) -> Iterator[tuple[int | None, Any]]:
        """Give (ordinal of its packet, picture) as the decoder does, from packet `start` on."""
        for ordinal, packet in self._packets_from(start):
            packet.pts = ordinal
            try:
                pictures = self._stream.codec_context.decode(packet)
            except av.error.FFmpegError as error:
                self._complain(error)
                continue
            for picture in pictures:
                yield picture.pts, picture
        try:
            pictures = self._stream.codec_context.decode(None)
        except av.error.FFmpegError as error:
            self._complain(error)
            return
        for picture in pictures:
            yield picture.pts, picture

    def _complain(self, error: Any) -> None:
        self.trouble = str(error.strerror)
        # A picture is lost somewhere: counting is right again from the next start on.
        self._count = None

    def _packets_from(self, start: int) -> Iterator[tuple[int, Any]]:
        """Give (ordinal, packet) from packet `start` on."""
        for packets in self._landings(start):
            for ordinal, packet in packets:
                if ordinal < start:
                    continue
                if ordinal == start:
                    yield ordinal, packet
                    yield from packets
                    return
                break

    def _landings(self, start: int) -> Iterator[Iterator[tuple[int, Any]]]:
        """Give the packets from places further and further before packet `start`."""
        known = [int(times[start]) for times in (self._table.pts, self._table.dts) if times[start] != UNKNOWN]
        if known:
            for margin in _MARGINS_S:
                target = min(known) - round(margin / float(self._stream.time_base))
                try:
                    self._container.seek(target, stream=self._stream)
                except av.error.FFmpegError:
                    break
                yield self._numbered(None)
        self._container.close()
        self._container, self._stream = open_video(self._path, gpu=self.on_gpu)
        yield self._numbered(-1)

    def _numbered(self, ordinal: int | None) -> Iterator[tuple[int, Any]]:
        """Give (ordinal, packet), where `ordinal` is that of the packet before, if it is known."""
        for packet in demux(self._container, self._stream):
            found = self._finder.find(packet)
            if found is not None:
                ordinal = found
            elif ordinal is not None:
                ordinal += 1
            if ordinal is not None:
                yield ordinal, packet
