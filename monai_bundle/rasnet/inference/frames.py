"""Frames for a model: what a case still lacks, decoded ahead, cropped and stacked into batches."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rasnet.case import Case
from rasnet.video import Frame, VideoSource

# Batches decoded ahead: enough to keep a model busy, and few enough for frames of 4K.
_AHEAD = 2


@dataclass(frozen=True)
class FrameBatch:
    """Frames on their way to a model.

    Attributes:
        indices: of the frames in their source.
        pts: presentation times in seconds, one a frame.
        rgb: uint8 (B, H, W, 3), the region of interest.
    """

    indices: tuple[int, ...]
    pts: tuple[float, ...]
    rgb: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.indices)


class FrameBatches:
    """Frames of a case, those that it still lacks by default, decoded by a thread ahead of whoever iterates.

    Memory does not grow with the length of the video. Frames that cannot be decoded are left out; the source
    tells of them (`VideoSource.damage`). So the number of batches is known only at the end, and there is no
    `len`: an engine that expected more batches than come would begin anew.

    Args:
        case: of the frames, which are cropped to its region of interest.
        batch_size: frames in a batch; the last may hold fewer.
        wanted: increasing indices; what the case lacks by default.
        source: the case's video where it is open already, and stays so; opened, and closed at the end, by default.

    Attributes:
        case: the case.
        source: the video.
        total: how many frames are wanted.
    """

    def __init__(
        self,
        case: Case,
        batch_size: int,
        *,
        wanted: Sequence[int] | None = None,
        source: VideoSource | None = None,
    ) -> None:
        self.case = case
        self.source = case.open_source() if source is None else source
        self.batch_size = batch_size
        self._borrowed = source is not None
        self._wanted = case.missing() if wanted is None else wanted
        self.total = len(self._wanted)
        self._reading: Generator[FrameBatch, None, None] | None = None

    def __iter__(self) -> Iterator[FrameBatch]:
        self._stop_reading()
        self._reading = self._read_ahead()
        return self._reading

    def close(self) -> None:
        """Stop decoding, and close the source unless it is the caller's."""
        self._stop_reading()
        if not self._borrowed:
            self.source.close()

    def _stop_reading(self) -> None:
        # A consumer that failed may still hold the iterator; the source must not close under its thread.
        if self._reading is not None:
            self._reading.close()
            self._reading = None

    def _read_ahead(self) -> Generator[FrameBatch, None, None]:
        batches: queue.Queue[FrameBatch | BaseException | None] = queue.Queue(_AHEAD)
        stopped = threading.Event()
        decoder = threading.Thread(target=self._decode, args=(batches, stopped), name="decode", daemon=True)
        decoder.start()
        try:
            while (batch := batches.get()) is not None:
                if isinstance(batch, BaseException):
                    raise batch
                yield batch
        finally:
            stopped.set()
            while decoder.is_alive():  # it may be waiting for room in the queue
                _drain(batches)
                decoder.join(0.01)

    def _decode(self, batches: queue.Queue[FrameBatch | BaseException | None], stopped: threading.Event) -> None:
        try:
            pending: list[Frame] = []
            for frame in self._frames():
                if stopped.is_set():
                    return
                pending.append(frame)
                if len(pending) == self.batch_size:
                    batches.put(self._stack(pending))
                    pending = []
            if pending:
                batches.put(self._stack(pending))
            batches.put(None)
        except BaseException as error:  # the consumer's thread raises it
            batches.put(error)

    def _frames(self) -> Iterator[Frame]:
        for start, stop, step in runs(self._wanted):
            yield from self.source.read(start, stop, step)

    def _stack(self, frames: Sequence[Frame]) -> FrameBatch:
        return FrameBatch(
            indices=tuple(frame.index for frame in frames),
            pts=tuple(frame.pts for frame in frames),
            rgb=np.stack([self.case.info.roi.crop(frame.rgb) for frame in frames]),
        )


def runs(indices: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Write increasing indices as few evenly spaced ranges, so that each is read in one go.

    Yields:
        Start, stop and step of each range, in order.

    Examples:
        >>> list(runs([0, 1, 2, 7, 9, 11]))
        [(0, 3, 1), (7, 12, 2)]
    """
    first = 0
    while first < len(indices):
        last = first
        step = indices[first + 1] - indices[first] if first + 1 < len(indices) else 1
        while last + 1 < len(indices) and indices[last + 1] - indices[last] == step:
            last += 1
        yield indices[first], indices[last] + 1, step
        first = last + 1


def _drain(batches: queue.Queue[FrameBatch | BaseException | None]) -> None:
    try:
        while True:
            batches.get_nowait()
    except queue.Empty:
        pass
