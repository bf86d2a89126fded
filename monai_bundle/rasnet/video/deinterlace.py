"""Full pictures out of interlaced ones, one for one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import av


class Deinterlacer:
    """FFmpeg's bwdif filter on the pictures that say that they are interlaced; the others pass.

    A picture needs the one before and the one after it, so it comes out one picture late.

    Args:
        stream: the video stream that the pictures come from.
    """

    def __init__(self, stream: Any) -> None:
        self._graph = av.filter.Graph()
        source = self._graph.add_buffer(template=stream)
        bwdif = self._graph.add("bwdif", "mode=send_frame:parity=auto:deint=interlaced")
        self._graph.link_nodes(source, bwdif, self._graph.add("buffersink")).configure()

    def filter(self, pictures: Iterator[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
        """Give each (index, picture) again, deinterlaced, under the same index."""
        waiting: deque[int] = deque()
        for index, picture in pictures:
            picture.pts = index
            waiting.append(index)
            self._graph.vpush(picture)
            yield from self._ready(waiting)
        if waiting:
            self._graph.vpush(None)
            yield from self._ready(waiting)

    def _ready(self, waiting: deque[int]) -> Iterator[tuple[int, Any]]:
        while waiting:
            try:
                picture = self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            yield waiting.popleft(), picture
