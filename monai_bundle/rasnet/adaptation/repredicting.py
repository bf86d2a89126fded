"""Predicting anew what belongs to programs, with layers that keep their ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rasnet.adaptation.model_file import case_weights
from rasnet.case import Case
from rasnet.case.writer import WriterLock
from rasnet.errors import RASNetError
from rasnet.inference.backend import Backend
from rasnet.inference.following import Follower
from rasnet.inference.frames import FrameBatches
from rasnet.inference.pipeline import segment_frames
from rasnet.inference.sink import CaseSink
from rasnet.masks import mask_values
from rasnet.progress import Progress


def repredict(case: Case, backend: Backend, progress: Progress, wanted: Sequence[int] | None = None) -> int:
    """Segment ``predicted`` frames of a case again; what a person dealt with stays.

    A run that is interrupted has done some of the frames; `old_predictions` gives the others.

    Args:
        case: to write into.
        backend: the model.
        progress: told of every frame.
        wanted: the frames; all by default.

    Returns:
        How many frames were predicted anew.
    """
    if wanted is None:
        wanted = [row.index for row in case.frames() if row.status == "predicted"]
    frames = FrameBatches.of(backend, case, wanted=wanted)
    progress.start("predict anew", len(wanted))
    try:
        sink = CaseSink(case, progress, follower=_LayerKeeper(case, progress.note, wanted))
        segment_frames(frames, sink, backend)
    finally:
        frames.close()
    return len(wanted)


def old_predictions(case: Case) -> list[int]:
    """Indices of the ``predicted`` frames whose masks are from before the case's last change of model.

    There are none unless predicting anew was interrupted.
    """
    if case_weights(case.folder) is None:
        return []
    old: set[int] = set()
    written: set[int] = set()
    for entry in case.journal():
        if entry.what == "change model":
            old |= written
            written = set()
        elif entry.what == "predict" and entry.frame is not None:
            written.add(entry.frame)
            old.discard(entry.frame)
    return [row.index for row in case.frames() if row.status == "predicted" and row.index in old]


def check_nobody_writes(case: Case) -> None:
    """Refuse to change the model under a program that predicts with the old one.

    Raises:
        RASNetError: there is one.
    """
    lock = WriterLock(case.folder)
    lock.acquire()
    lock.release()


class _LayerKeeper(Follower):
    """A follower that shows the tracker the old mask of a frame wherever that has other layers than the one before.

    So an instrument that comes back has the id, and with it the name and type, that it had; and in between a new
    component has the time that it needs to become a layer. Frames that stay as they are it shows as well.
    """

    def __init__(self, case: Case, note: Callable[[str], None], wanted: Sequence[int]) -> None:
        super().__init__(case, note)
        self._stay = {row.index for row in case.frames()} - set(wanted)
        self._shown: frozenset[int] = frozenset()

    def _adopt_until(self, index: int, pts: float) -> None:
        while self._known and self._known[0][0] <= index:
            known, known_pts = self._known.pop(0)
            try:
                layers = frozenset(mask_values(self.case.mask(known))) - {0}
            except RASNetError as error:  # one damaged mask is no reason not to go on
                self._note(str(error))
                continue
            if known in self._stay or layers - self._shown:
                self._adopt(known, known_pts)
            self._shown = layers
