"""Predicting anew what belongs to programs, with layers that keep their ids."""

from __future__ import annotations

from rasnet.case import Case
from rasnet.errors import RASNetError
from rasnet.inference.backend import Backend
from rasnet.inference.frames import FrameBatches
from rasnet.inference.pipeline import segment_frames
from rasnet.inference.sink import CaseSink
from rasnet.masks import mask_values
from rasnet.progress import Progress


def repredict(case: Case, backend: Backend, progress: Progress) -> int:
    """Segment every ``predicted`` frame of a case again; what a person dealt with stays.

    Args:
        case: to write into.
        backend: the model.
        progress: told of every frame.

    Returns:
        How many frames were predicted anew.
    """
    wanted = [row.index for row in case.frames() if row.status == "predicted"]
    frames = FrameBatches(case, backend.batch_size, wanted=wanted)
    progress.start("predict anew", len(wanted))
    try:
        segment_frames(frames, _LayerKeeper(case, progress), backend)
    finally:
        frames.close()
    return len(wanted)


class _LayerKeeper(CaseSink):
    """A sink that shows the tracker the old mask of a frame wherever that has other layers than the one before.

    So an instrument that comes back has the id, and with it the name and type, that it had; and in between a new
    component has the time that it needs to become a layer.
    """

    def __init__(self, case: Case, progress: Progress) -> None:
        super().__init__(case, progress)
        self._people = {row.index for row in case.frames() if row.status in ("corrected", "accepted")}
        self._shown: frozenset[int] = frozenset()

    def _adopt_until(self, index: int, pts: float) -> None:
        while self._known and self._known[0][0] <= index:
            known, known_pts = self._known.pop(0)
            try:
                layers = frozenset(mask_values(self.case.mask(known))) - {0}
            except RASNetError as error:  # one damaged mask is no reason not to go on
                self.progress.note(str(error))
                continue
            if known in self._people or layers - self._shown:
                self._adopt(known, known_pts)
            self._shown = layers
