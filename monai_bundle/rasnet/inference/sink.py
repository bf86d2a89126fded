"""Where predictions end: full-frame masks, tracked into layers, in a case."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from types import TracebackType

import numpy as np
import numpy.typing as npt

from rasnet.case import Case, PredictedFrame
from rasnet.cores import usable_cores
from rasnet.forwarded import Forwarded
from rasnet.inference.following import Follower, Foregrounds, RemoteFollower
from rasnet.inference.frames import FrameBatch
from rasnet.masks import Mask
from rasnet.opencv_threads import one_opencv_thread
from rasnet.progress import Progress, SilentProgress
from rasnet.tracking import ClassRuns, Drawing, Outline, Preparation
from rasnet.tracking.grid import Grid
from rasnet.until_failure import UntilFailure
from rasnet.video import RegionOfInterest

# Batches that may wait for the tracker: it catches up while the next easy frames come, and memory stays small.
_WAITING = 2

# Frames a task, at most: beside a pool of processes it is tasks that cost the process that tracks, more than what is in
# them. A batch for a GPU still is two, and several batches are under way.
_CHUNK = 8


@dataclass(frozen=True)
class Chunk:
    """What a model says of some frames, which are prepared and drawn together; it may be sent to another process.

    Attributes:
        frames: in order.
        classes: of each, in the full frame.
    """

    frames: list[PredictedFrame]
    classes: Forwarded[list[ClassRuns]]


def chunks(
    batch: FrameBatch, classes: npt.NDArray[np.uint8], uncertainty: npt.NDArray[np.float32], roi: RegionOfInterest
) -> list[Chunk]:
    """Put classes, uint8 (B, H, W) in the region of interest, and uncertainty, float32 (B, C), beside their frames."""
    frames = [PredictedFrame(*frame) for frame in zip(batch.indices, batch.pts, uncertainty.tolist(), strict=True)]
    # As runs, which take a hundredth of the memory, wherever they go.
    runs = [ClassRuns.of(mask).in_frame(roi) for mask in classes]
    parts = (slice(first, first + _CHUNK) for first in range(0, len(frames), _CHUNK))
    return [Chunk(frames[part], Forwarded(runs[part])) for part in parts]


class CaseSink:
    """Takes a model's classes, frame after frame, and writes layers and parts into a case.

    The model need not wait for tracking and writing. What one frame alone is enough for is done by workers: a frame's
    components before the tracker, its masks and their PNG files behind it. One thread tracks, frame after frame, and
    has nothing else to do. A few batches are under way at once, however long the video.

    Frames that the case already holds are taken up on the way (see `Follower`). Use it as a context manager: when the
    block ends, everything taken is in the case, also after an error or Ctrl-C.

    Args:
        case: that receives the masks.
        progress: told of every frame.
        pool: the workers, in processes if that is its kind; threads of its own by default.
        follower: that tracks; one in the thread that tracks by default.

    Raises:
        RASNetError: on entering, when another program is writing into the case.
        BrokenExecutor: a process of the pool's or the follower's was killed.
    """

    def __init__(
        self,
        case: Case,
        progress: Progress | None = None,
        pool: Executor | None = None,
        follower: Follower | RemoteFollower | None = None,
    ) -> None:
        self.case = case
        self.progress = progress or SilentProgress()
        self._threads = ThreadPoolExecutor(usable_cores(), thread_name_prefix="prepare-mask")
        self._pool = pool or self._threads
        self._writer = case.writer(pool=pool)
        self._has_parts = case.info.schema.kind == "parts"
        self.follower = follower or Follower(case, self.progress.note)
        self._queue: queue.Queue[list[tuple[Chunk, Future[Foregrounds]]] | None] = queue.Queue(_WAITING)
        self._error: BaseException | None = None
        self._worker = threading.Thread(target=self._work, name="track", daemon=True)

    def write(self, batch: FrameBatch, classes: npt.NDArray[np.uint8], uncertainty: npt.NDArray[np.float32]) -> None:
        """Take a batch; waits while earlier ones wait. The arrays are not kept.

        Args:
            batch: the frames that were segmented.
            classes: uint8 (B, H, W), in the region of interest.
            uncertainty: float32 (B, C).

        Raises:
            RASNetError: masks of this or an earlier batch could not be written (the disk is full, say).
        """
        self.take(chunks(batch, classes, uncertainty, self.case.info.roi))

    def take(self, batch: Sequence[Chunk]) -> None:
        """Take a batch; as `write`."""
        self._raise_error()
        prepared = [self._pool.submit(_prepare, self.follower.preparation, chunk.classes) for chunk in batch]
        self._queue.put(list(zip(batch, prepared, strict=True)))

    def _work(self) -> None:
        with one_opencv_thread():
            while (batch := self._queue.get()) is not None:
                if self._error is not None:
                    continue  # keeps taking from the queue, so that the caller never waits for nothing
                try:
                    for chunk, prepared in batch:
                        self._track(chunk, prepared.result())
                except BaseException as error:  # the caller's thread raises it
                    self._error = error

    def _track(self, chunk: Chunk, foregrounds: Foregrounds) -> None:
        drawings: list[Drawing] = []
        try:
            drawings.extend(self.follower.follow(chunk.frames, foregrounds))
        finally:  # those before the one that failed are whole
            if drawings:
                tracked = chunk.frames[: len(drawings)]
                draw = partial(drawn, chunk.classes, drawings, self.follower.preparation.grid, parts=self._has_parts)
                self._writer.write_drawn(tracked, draw)
                self.progress.advance(frame=tracked[-1].index, count=len(tracked))

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def __enter__(self) -> CaseSink:
        self._writer.__enter__()
        self._worker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._queue.put(None)
            self._worker.join()
        finally:
            failure = error or self._error
            try:
                self._writer.__exit__(type(failure) if failure else None, failure, trace)
            finally:
                self._threads.shutdown(cancel_futures=True)
        self._propose_types()
        if error is None:
            self._raise_error()

    def _propose_types(self) -> None:
        model = self.case.info.model
        for layer in self.follower.layers:
            if layer.type is not None:
                self.case.propose_type(layer.id, layer.type, who=model.name if model else "rasnet")


def _prepare(prepare: Preparation, classes: Forwarded[list[ClassRuns]]) -> Foregrounds:
    return Forwarded(UntilFailure(prepare(runs).measure() for runs in classes.value))


def drawn(
    classes: Forwarded[list[ClassRuns]], drawings: Sequence[Drawing], grid: Grid, *, parts: bool
) -> Iterator[tuple[Mask, Mask | None]]:
    """Draw the layers of frames that were tracked, and their parts or None, in any thread or process.

    Args:
        classes: of the frames, and perhaps of later ones.
        drawings: what the tracker gave.
        grid: that it works on.
        parts: whether the classes are parts.
    """
    for runs, drawing in zip(classes.value, drawings, strict=False):  # none is left of frames that were not tracked
        yield Outline(runs.foreground, grid).paint(drawing), runs.draw() if parts else None
