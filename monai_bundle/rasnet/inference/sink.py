"""Where predictions end: full-frame masks, tracked into layers, in a case."""

from __future__ import annotations

import queue
import threading
from bisect import bisect_left
from types import TracebackType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rasnet.case import Case
from rasnet.errors import RASNetError
from rasnet.inference.frames import FrameBatch
from rasnet.progress import Progress, SilentProgress
from rasnet.tracking import Tracker

LOOK_BACK_S = 1.0
"""Seconds of known masks that tell the tracker where each instrument is and how it moves."""

# Batches that may wait for the tracker: it catches up while the next easy frames come, and memory stays small.
_WAITING = 2


class _Predicted(NamedTuple):
    """A batch with what a model says of it."""

    batch: FrameBatch
    classes: npt.NDArray[np.uint8]
    uncertainty: npt.NDArray[np.float32]


class CaseSink:
    """Takes a model's classes, frame after frame, and writes layers and parts into a case.

    Tracking and writing are done by a thread, so that the model need not wait for them.

    Frames that the case already holds (of an earlier run, or corrected by a person) are shown to the tracker on
    the way, so that layer ids go on from them. Use it as a context manager: when the block ends, everything taken
    is in the case, also after an error or Ctrl-C.

    Args:
        case: that receives the masks.
        progress: told of every frame.

    Raises:
        RASNetError: on entering, when another program is writing into the case.
    """

    def __init__(self, case: Case, progress: Progress | None = None) -> None:
        self.case = case
        self.progress = progress or SilentProgress()
        self._writer = case.writer()
        self._has_parts = case.info.schema.kind == "parts"
        missing = set(case.missing())  # among them frames whose mask file is lost: their rows are still there
        self._known = [
            (row.index, row.pts) for row in case.frames() if row.status != "skipped" and row.index not in missing
        ]
        self._queue: queue.Queue[_Predicted | None] = queue.Queue(_WAITING)
        self._error: BaseException | None = None
        self._worker = threading.Thread(target=self._work, name="track", daemon=True)
        self._tracker = Tracker(case.info.schema, roi=case.info.roi, taken=[layer.id for layer in case.layers()])

    def write(self, batch: FrameBatch, classes: npt.NDArray[np.uint8], uncertainty: npt.NDArray[np.float32]) -> None:
        """Take a batch; waits while earlier ones wait. The arrays are the sink's from now on.

        Args:
            batch: the frames that were segmented.
            classes: uint8 (B, H, W), in the region of interest.
            uncertainty: float32 (B, C).

        Raises:
            RASNetError: masks of this or an earlier batch could not be written (the disk is full, say).
        """
        self._raise_error()
        self._queue.put(_Predicted(batch, classes, uncertainty))

    def _work(self) -> None:
        while (predicted := self._queue.get()) is not None:
            if self._error is not None:
                continue  # keeps taking from the queue, so that the caller never waits for nothing
            try:
                self._track(*predicted)
            except BaseException as error:  # the caller's thread raises it
                self._error = error

    def _track(self, batch: FrameBatch, classes: npt.NDArray[np.uint8], uncertainty: npt.NDArray[np.float32]) -> None:
        masks = self.case.info.roi.restore(classes)
        for index, pts, mask, figures in zip(batch.indices, batch.pts, masks, uncertainty, strict=True):
            self._adopt_until(index, pts)
            layers = self._tracker.update(pts, mask)
            self._writer.write(index, pts, layers, mask if self._has_parts else None, uncertainty=figures.tolist())
            self.progress.advance(frame=index)

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _adopt_until(self, index: int, pts: float) -> None:
        """Show the tracker the frames between the last one and this one that the case holds."""
        count = bisect_left(self._known, (index,))
        passed, self._known = self._known[:count], self._known[count:]
        for known, known_pts in passed:
            if pts - known_pts <= LOOK_BACK_S:
                self._adopt(known, known_pts)

    def _adopt(self, index: int, pts: float) -> None:
        try:
            self._tracker.adopt(pts, self.case.mask(index), self.case.parts(index))
        except RASNetError as error:  # one damaged mask is no reason not to go on
            self.progress.note(str(error))

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
            self._writer.__exit__(type(failure) if failure else None, failure, trace)
        model = self.case.info.model
        for layer in self._tracker.layers:
            if layer.type is not None:
                self.case.propose_type(layer.id, layer.type, who=model.name if model else "rasnet")
        if error is None:
            self._raise_error()
