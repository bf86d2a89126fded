"""Where predictions end: full-frame masks, tracked into layers, in a case."""

from __future__ import annotations

from bisect import bisect_left
from types import TracebackType

import numpy as np
import numpy.typing as npt

from rasnet.case import Case
from rasnet.errors import RASNetError
from rasnet.inference.frames import FrameBatch
from rasnet.progress import Progress, SilentProgress
from rasnet.tracking import Tracker

LOOK_BACK_S = 1.0
"""Seconds of known masks that tell the tracker where each instrument is and how it moves."""


class CaseSink:
    """Takes a model's classes, frame after frame, and writes layers and parts into a case.

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
        self._tracker = Tracker(case.info.schema, roi=case.info.roi, taken=[layer.id for layer in case.layers()])

    def write(self, batch: FrameBatch, classes: npt.NDArray[np.uint8], uncertainty: npt.NDArray[np.float32]) -> None:
        """Take a batch.

        Args:
            batch: the frames that were segmented.
            classes: uint8 (B, H, W), in the region of interest.
            uncertainty: float32 (B, C).

        Raises:
            RASNetError: masks could not be written (the disk is full, say).
        """
        masks = self.case.info.roi.restore(classes)
        for index, pts, mask, figures in zip(batch.indices, batch.pts, masks, uncertainty, strict=True):
            self._adopt_until(index, pts)
            layers = self._tracker.update(pts, mask)
            self._writer.write(index, pts, layers, mask if self._has_parts else None, uncertainty=figures.tolist())
            self.progress.advance(frame=index)

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
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.__exit__(kind, error, trace)
        model = self.case.info.model
        for layer in self._tracker.layers:
            if layer.type is not None:
                self.case.propose_type(layer.id, layer.type, who=model.name if model else "rasnet")
