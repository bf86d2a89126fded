"""Going through the frames that need a person most: accept, skip, repair, and take it back."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from rasnet.case import FrameRow, FrameStatus
from rasnet.errors import RASNetError
from rasnet.masks import Mask
from RASNetSlicerLib.scene import CaseScene

GAP_S = 1.0
"""Frames nearer than this, in seconds, to one that comes earlier in the order look much like it."""

_DEEDS = 100  # that can be taken back; each copy of a layer keeps 2.6 MB of masks at 1280x1024


def review_order(rows: Sequence[FrameRow], gap_s: float = GAP_S) -> list[int]:
    """Put predicted frames into the order in which to look at them.

    Most doubtful first; but a frame that is within `gap_s` of a more doubtful one waits until all other parts of the
    video had their turn. Then the same with half the distance, and so on, so that all frames come in the end.

    Args:
        rows: of the case; those that a person has dealt with are left out.
        gap_s: least distance in the first round, seconds.

    Returns:
        Indices of the frames. Frames without a figure come as the least doubtful.
    """
    left = sorted(
        (row for row in rows if row.status == "predicted"),
        key=lambda row: (math.inf if row.uncertainty is None else -row.uncertainty, row.index),
    )
    shortest = min((after - before for before, after in pairwise(sorted(row.pts for row in left))), default=0.0)
    order: list[int] = []
    taken: list[float] = []
    while left:
        if gap_s <= shortest:
            return order + [row.index for row in left]
        waiting = []
        for row in left:
            place = bisect_left(taken, row.pts)
            if all(abs(row.pts - time) >= gap_s for time in taken[max(place - 1, 0) : place + 1]):
                order.append(row.index)
                taken.insert(place, row.pts)
            else:
                waiting.append(row)
        left, gap_s = waiting, gap_s / 2
    return order


@dataclass(frozen=True)
class _Deed:
    """What was done to a frame.

    Attributes:
        index: of the frame.
        before: what the case said of it; None for nothing.
        after: what it says since.
        masks: the layers and parts before, where they were changed.
    """

    index: int
    before: FrameRow | None
    after: FrameRow
    masks: tuple[Mask, Mask | None] | None = None


class ReviewQueue:
    """Frames of a case in the order in which a person reviews them.

    Every deed goes through `CaseScene` and is in the case at once.

    Args:
        shown: the case in its scene.
        order: frame indices; None for `review_order`.

    Attributes:
        order: frame indices, loaded or not.
        planned: whether the order was worked out for the case, and is not `review_order`.
        reasons: why a frame is to be looked at, in words, by index; of those of which it was found out.
    """

    def __init__(self, shown: CaseScene, order: Sequence[int] | None = None) -> None:
        self._shown = shown
        self._deeds: deque[_Deed] = deque(maxlen=_DEEDS)
        self.refresh(order)

    def refresh(self, order: Sequence[int] | None = None, reasons: Mapping[int, str] | None = None) -> None:
        """Take another order; None for `review_order` of the case as it is now."""
        self.order = review_order(self._shown.case.frames()) if order is None else list(order)
        self.planned = order is not None
        self.reasons = dict(reasons or {})

    # Where

    @property
    def waiting(self) -> list[int]:
        """Loaded frames of the order that nobody has accepted, corrected or skipped yet."""
        return sorted(self._waiting() & set(self._loaded), key=self.order.index)

    @property
    def elsewhere(self) -> int:
        """How many frames of the order wait that are not loaded."""
        return len(self._waiting() - set(self._loaded))

    def next(self) -> int | None:
        """Show the next frame of the order that waits, and after the last begin again.

        Returns:
            Its index; None where no other loaded frame waits, and the view stays.
        """
        place = self._place()
        turn = self.order[place + 1 :] + self.order[: place + 1]
        waiting = set(self.waiting) - {self._shown.shown}
        return self._show(next((index for index in turn if index in waiting), None))

    def previous(self) -> int | None:
        """Show the loaded frame before the one on show in the order, whatever its status.

        Returns:
            Its index; None where there is none, and the view stays.
        """
        loaded = set(self._loaded)
        before = [index for index in self.order[: max(self._place(), 0)] if index in loaded]
        return self._show(before[-1] if before else None)

    # What

    def status_of(self, index: int) -> str:
        """Status of a frame in the case; "" while nobody has said anything about it."""
        row = self._shown.case.frame(index)
        return row.status if row else ""

    def accept(self) -> int | None:
        """Accept the frame on show, strokes included, and show the next.

        Returns:
            As `next`.

        Raises:
            RASNetError: the frame has no mask, or the case cannot be written.
        """
        return self._settle("accepted")

    def skip(self) -> int | None:
        """Leave the frame on show out of training and statistics, and show the next.

        Returns:
            As `next`.

        Raises:
            RASNetError: the case cannot be written.
        """
        return self._settle("skipped")

    def copy_layer(self, layer_id: int) -> int:
        """Give the frame on show a layer as it is in the loaded frame before it; it covers other layers.

        Returns:
            Index of the frame before.

        Raises:
            RASNetError: there is no frame before, the layer is not in it, or the case cannot be written.
        """
        index = self._on_show()
        earlier = [other for other in self._loaded if other < index]
        if not earlier:
            raise RASNetError(f"frame {index} is the first that is loaded; there is none before it to copy from")
        source = self._shown.mask(earlier[-1]) == layer_id
        if not source.any():
            raise RASNetError(f"layer {layer_id} is not in frame {earlier[-1]}; choose a layer that is")
        self._shown.save_frame(index)
        case, row = self._shown.case, self._shown.case.frame(index)
        empty = np.zeros((case.info.height, case.info.width), np.uint8), None
        masks = empty if row is None or row.mask_sha256 is None else (case.mask(index), case.parts(index))
        mask = self._shown.mask(index)
        mask[mask == layer_id] = 0
        mask[source] = layer_id
        self._shown.put_mask(index, mask)
        self._remember(index, row, masks)
        return earlier[-1]

    # Back

    @property
    def can_undo(self) -> bool:
        """Whether there is something to take back."""
        return bool(self._deeds)

    def undo(self) -> int | None:
        """Take back the last accept, skip or copy, and show its frame if it is loaded.

        Returns:
            Index of the frame; None where there was nothing to take back.

        Raises:
            RASNetError: the frame was changed since (it stays as it is), or the case cannot be written.
        """
        if not self._deeds:
            return None
        deed, case = self._deeds.pop(), self._shown.case
        loaded = deed.index in self._loaded
        if loaded:
            self._shown.save_frame(deed.index)
        if _state(case.frame(deed.index)) != _state(deed.after):
            raise RASNetError(f"frame {deed.index} was changed since, and stays as it is; correct it by hand")
        if deed.masks is not None:
            case.correct(deed.index, *deed.masks, who=self._shown.who, tool=self._shown.tool)
        status = deed.before.status if deed.before else "predicted"
        case.set_status(deed.index, status, who=self._shown.who, tool=self._shown.tool)
        if loaded:
            self._shown.refresh([deed.index])
            self._shown.sequences.show(deed.index)
        return deed.index

    # Inside

    @property
    def _loaded(self) -> list[int]:
        return self._shown.sequences.indices

    def _waiting(self) -> set[int]:
        done = {row.index for row in self._shown.case.frames() if row.status != "predicted"}
        return set(self.order) - done

    def _place(self) -> int:
        """Of the frame on show in the order; -1 where it is not in it."""
        shown = self._shown.shown
        return self.order.index(shown) if shown in self.order else -1

    def _on_show(self) -> int:
        shown = self._shown.shown
        if shown is None:
            raise RASNetError("no frame is on show; load a case first")
        return shown

    def _show(self, index: int | None) -> int | None:
        if index is not None:
            self._shown.sequences.show(index)
        return index

    def _settle(self, status: FrameStatus) -> int | None:
        index = self._on_show()
        self._shown.save_frame(index)
        before = self._shown.case.frame(index)
        self._shown.set_status(index, status)
        self._remember(index, before)
        return self.next()

    def _remember(self, index: int, before: FrameRow | None, masks: tuple[Mask, Mask | None] | None = None) -> None:
        after = self._shown.case.frame(index)
        if after is not None and _state(after) != _state(before):
            self._deeds.append(_Deed(index, before, after, masks))


def _state(row: FrameRow | None) -> tuple[str | None, ...] | None:
    return None if row is None else (row.status, row.mask_sha256, row.parts_sha256)
