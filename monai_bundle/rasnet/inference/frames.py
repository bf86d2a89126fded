"""Frames for a model: what a case still lacks, decoded ahead, cropped and stacked into batches."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rasnet.case import Case
from rasnet.cores import usable_cores
from rasnet.inference.backend import Backend
from rasnet.inference.buffers import Buffers, Empty, empty
from rasnet.video import RegionOfInterest, TakenFrame, VideoSource
from rasnet.video.yuv import Pixels, YuvForm, YuvPixels

# Batches decoded ahead: enough to keep a model busy, and few enough for frames of 4K.
_AHEAD = 2

# Decoded pictures that may wait for a thread that converts them, for each of these threads.
_WAITING = 2


@dataclass(frozen=True)
class FrameBatch:
    """Frames on their way to a model.

    Attributes:
        indices: of the frames in their source.
        pts: presentation times in seconds, one a frame.
        pixels: uint8 (B, H, W, 3), the region of interest; or the planes of whole frames, where they were asked for.
    """

    indices: tuple[int, ...]
    pts: tuple[float, ...]
    pixels: Pixels

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def rgb(self) -> npt.NDArray[np.uint8]:
        """The pixels, uint8 (B, H, W, 3), of a batch that no planes were asked for."""
        assert isinstance(self.pixels, np.ndarray), "these are planes"
        return self.pixels


class _Filling:
    """A batch whose pictures are being converted, each straight into its place.

    Args:
        roi: the part of each frame that is wanted.
        memory: uint8 (B, H, W, 3), with room for the most frames that it takes; or (B, *yuv.shape).
        yuv: the form of planes that are to be filled in.
    """

    def __init__(self, roi: RegionOfInterest, memory: npt.NDArray[np.uint8], yuv: YuvForm | None) -> None:
        self._roi = roi
        self._memory = memory
        self._yuv = yuv
        self._frames: list[tuple[int, float, Future[bool]]] = []

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, frame: TakenFrame, pool: _Converters) -> None:
        """Give the next frame its place."""
        place = self._memory[len(self)]
        self._frames.append((frame.index, frame.pts, pool.submit(self._convert, frame, place)))

    def filled(self) -> FrameBatch:
        """Wait for the pictures; those that turned out to be damaged are left out."""
        places = [place for place, (_, _, converted) in enumerate(self._frames) if converted.result()]
        pixels = self._memory[: len(self)] if len(places) == len(self) else self._memory[places]
        return FrameBatch(
            indices=tuple(self._frames[place][0] for place in places),
            pts=tuple(self._frames[place][1] for place in places),
            pixels=pixels if self._yuv is None else YuvPixels(pixels, self._yuv),
        )

    def _convert(self, frame: TakenFrame, place: npt.NDArray[np.uint8]) -> bool:
        if self._yuv is not None:
            assert frame.copy_planes is not None, "a source that tells a form gives planes"
            frame.copy_planes(place)
            return True
        rgb = frame.rgb()
        if rgb is not None:
            place[:] = self._roi.crop(rgb)
        return rgb is not None


class _Converters:
    """Threads that convert pictures, a thread a core; `submit` waits while enough pictures wait for them."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(usable_cores(), thread_name_prefix="convert")
        self._room = threading.Semaphore(_WAITING * usable_cores())

    def submit(self, convert: Callable[..., bool], *arguments: Any) -> Future[bool]:
        """Convert a picture as soon as a thread is free."""
        self._room.acquire()
        future = self._pool.submit(convert, *arguments)
        future.add_done_callback(lambda _: self._room.release())
        return future

    def __enter__(self) -> _Converters:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()


class FrameBatches:
    """Frames of a case, those that it still lacks by default, decoded by threads ahead of whoever iterates.

    One thread reads the frames in order, and a pool converts them to RGB, crops them and puts them into their batch.
    Memory does not grow with the length of the video: that of a batch is used again when nobody holds the batch, nor a
    part of it. Frames that cannot be decoded are left out; the source tells of them (`VideoSource.damage`). So the
    number of batches is known only at the end, and there is no `len`: an engine that expected more batches than come
    would begin anew.

    Args:
        case: of the frames, which are cropped to its region of interest.
        batch_size: frames in a batch; the last, and one with images that turn out to be damaged, may hold fewer.
        wanted: increasing indices; what the case lacks by default.
        source: the case's video where it is open already, and stays so; opened, and closed at the end, by default.
        empty: gives memory for batches; a `Backend` knows where it takes them from fastest.
        planes: give pictures as they are stored, where the source can; they are half as large, and a GPU converts them.
        gpu: let a GPU decode the case's video, if it can.

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
        empty: Empty = empty,
        planes: bool = False,
        gpu: bool = False,
    ) -> None:
        self.case = case
        self.source = case.open_source(gpu=gpu) if source is None else source
        self.batch_size = batch_size
        self._borrowed = source is not None
        self._empty = empty
        yuv = self.source.yuv if planes else None
        self._yuv = None if yuv is None else replace(yuv, roi=case.info.roi)
        self._wanted = case.missing() if wanted is None else wanted
        self.total = len(self._wanted)
        self._reading: Generator[FrameBatch, None, None] | None = None

    @classmethod
    def of(
        cls,
        backend: Backend,
        case: Case,
        batch_size: int | None = None,
        *,
        wanted: Sequence[int] | None = None,
        source: VideoSource | None = None,
        gpu: bool = False,
    ) -> FrameBatches:
        """Give a case's frames in the way that a backend takes them fastest, and as many at once unless told."""
        return cls(
            case,
            batch_size or backend.batch_size,
            wanted=wanted,
            source=source,
            empty=backend.empty,
            planes=backend.reads_planes,
            gpu=gpu,
        )

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
        batches: queue.Queue[_Filling | BaseException | None] = queue.Queue(_AHEAD)
        stopped = threading.Event()
        decoder = threading.Thread(target=self._decode, args=(batches, stopped), name="decode", daemon=True)
        decoder.start()
        try:
            while (filling := batches.get()) is not None:
                if isinstance(filling, BaseException):
                    raise filling
                if len(batch := filling.filled()):
                    yield batch
        finally:
            stopped.set()
            while decoder.is_alive():  # it may be waiting for room in the queue
                _drain(batches)
                decoder.join(0.01)

    def _decode(self, batches: queue.Queue[_Filling | BaseException | None], stopped: threading.Event) -> None:
        try:
            with _Converters() as pool:
                buffers = self._buffers()
                filling: _Filling | None = None
                for frame in self._frames():
                    if stopped.is_set():
                        return
                    if filling is None:
                        filling = _Filling(self.case.info.roi, buffers.take(), self._yuv)
                    filling.add(frame, pool)
                    if len(filling) == self.batch_size:
                        batches.put(filling)
                        filling = None
                if filling is not None:
                    batches.put(filling)
            batches.put(None)
        except BaseException as error:  # the consumer's thread raises it
            batches.put(error)

    def _buffers(self) -> Buffers:
        roi = self.case.info.roi
        shape = (roi.height, roi.width, 3) if self._yuv is None else self._yuv.shape
        return Buffers((min(self.batch_size, self.total), *shape), self._empty)

    def _frames(self) -> Iterator[TakenFrame]:
        for start, stop, step in runs(self._wanted):
            yield from self.source.take(start, stop, step)


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


def _drain(batches: queue.Queue[_Filling | BaseException | None]) -> None:
    try:
        while True:
            batches.get_nowait()
    except queue.Empty:
        pass
