"""Which frame a person should look at next, so that few corrections mend much of the video."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rasnet.case import Case, FrameRow
from rasnet.errors import RASNetError
from rasnet.masks import Mask
from rasnet.optical_flow import Grey, carry, measure_motion, small_grey
from rasnet.progress import Progress, SilentProgress

REACH_S = 0.6
"""Seconds after which a correction still says half as much about a frame as about its own, in a still picture."""

MOTION_REACH = 0.35
"""As `REACH_S`, of motion: how much of the picture's contrast has changed by then."""

_FAR = 4  # half-values beyond which a correction says nothing
_DUPLICATE = 0.8  # share of what a frame has to tell that another one tells already
_UNKNOWN = 0.5  # doubt about a frame that no model has said anything about

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class QueueEntry:
    """A frame to look at.

    Attributes:
        index: of the frame.
        score: how much mending it promises: frames' worth of lost Dice, its own and that of frames like it.
        why: in words.
    """

    index: int
    score: float
    why: str


def order(case: Case, *, progress: Progress | None = None) -> list[QueueEntry]:
    """Put the predicted frames of a case into the order in which to look at them.

    A frame is doubtful where the model is unsure of it, and where its mask does not agree with the masks before and
    after it, moved along by optical flow. A correction helps the frames around it too, the less the more the picture
    has changed, and not beyond a cut. The first frame is the one that helps most; each further one is the one that
    helps most with what those before it, and the frames that a person has dealt with, leave in doubt (a greedy choice
    of a submodular sum, G. Nemhauser et al., 1978, no worse than 63 % of the best choice of as many frames). So frames
    are spread over the video, and doubtful parts get more of them.

    Frames that tell nearly the same as one that comes earlier, or as one that a person has dealt with, are left out.

    Args:
        case: whose video is where it was.
        progress: told of every frame.

    Returns:
        Entries, the most useful first; empty where a person has dealt with everything.

    Raises:
        RASNetError: the case has no masks yet, or its video is gone.
    """
    rows = [row for row in case.frames() if row.mask_sha256 is not None or row.status == "skipped"]
    if not any(row.mask_sha256 for row in rows):
        raise RASNetError(f"{case.folder} has no masks to review; run `rasnet segment` first")
    look = _look_at(case, rows, progress or SilentProgress())
    unsure = np.array([_UNKNOWN if row.uncertainty is None else row.uncertainty for row in rows])
    doubt = 1 - (1 - unsure.clip(0, 1)) * (1 - look.disagreement)
    doubt[[row.status != "predicted" for row in rows]] = 0
    covered = np.zeros(len(rows))
    for place, row in enumerate(rows):
        if row.status in ("corrected", "accepted"):
            near, share = look.reach(place)
            covered[near] = np.maximum(covered[near], share)
    chosen = _choose(doubt, covered, look, [place for place, row in enumerate(rows) if row.status == "predicted"])
    return [
        QueueEntry(rows[place].index, score, _words(unsure[place], look.disagreement[place], unsure, look))
        for place, score in chosen
    ]


@dataclass(frozen=True)
class _Look:
    """What the frames and masks of a case look like, frame after frame.

    Attributes:
        disagreement: Dice that the mask misses of its neighbours' masks, moved along, 0 to 1, (N,).
        change: of the picture from the first frame up to each one, in half-values of `reach`, (N,).
        shot: number of the shot that a frame is of, (N,).
    """

    disagreement: FloatArray
    change: FloatArray
    shot: npt.NDArray[np.int64]

    def reach(self, place: int) -> tuple[slice, FloatArray]:
        """Frames that a correction helps, and how much of their doubt it takes, 0 to 1."""
        here = self.change[place]
        first, last = np.searchsorted(self.change, (here - _FAR, here + _FAR))
        near = slice(int(first), int(last))
        same = self.shot[near] == self.shot[place]
        return near, np.exp2(-np.abs(self.change[near] - here)) * same


def _look_at(case: Case, rows: Sequence[FrameRow], progress: Progress) -> _Look:
    """Go through the video once."""
    count = len(rows)
    missed: list[list[float]] = [[] for _ in rows]
    change, shot = np.zeros(count), np.zeros(count, np.int64)
    progress.start("compare frames", count)
    before: tuple[int, Grey, Mask] | None = None
    for place, grey, mask in _pictures(case, rows):
        if before is not None:
            last, old_grey, old_mask = before
            motion = measure_motion(old_grey, grey)
            steps = (rows[place].pts - rows[last].pts) / REACH_S + motion.unexplained / MOTION_REACH
            change[last + 1 :] = change[last] + steps
            shot[last + 1 :] = shot[last] + motion.is_cut
            if not motion.is_cut:
                moved = carry(old_mask, motion.offset, nearest=True)
                for one in (last, place):
                    missed[one].append(_missed_dice(moved > 0, mask > 0))
        before = place, grey, mask
        progress.advance(rows[place].index)
    progress.finish()
    return _Look(np.array([np.mean(values) if values else 0.0 for values in missed]), change, shot)


def _pictures(case: Case, rows: Sequence[FrameRow]) -> Iterator[tuple[int, Grey, Mask]]:
    """Place, small picture and mask of that size, of every frame that can be decoded."""
    places = {row.index: place for place, row in enumerate(rows) if row.mask_sha256 is not None}
    wanted, roi = sorted(places), case.info.roi
    with case.open_source() as source:
        for index in wanted:
            try:
                rgb = source[index].rgb
            except RASNetError:
                continue
            grey = small_grey(roi.crop(rgb))
            yield places[index], grey, _small_mask(roi.crop(case.mask(index)), grey)


def _small_mask(mask: Mask, grey: Grey) -> Mask:
    rows = np.arange(grey.shape[0]) * mask.shape[0] // grey.shape[0]
    columns = np.arange(grey.shape[1]) * mask.shape[1] // grey.shape[1]
    return np.ascontiguousarray(mask[rows[:, None], columns])


def _missed_dice(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> float:
    """1 - Dice; what is smaller than a hundredth of the picture hardly counts."""
    negligible = 0.01 * first.size
    sizes = np.count_nonzero(first) + np.count_nonzero(second)
    return float(1 - (2 * np.count_nonzero(first & second) + negligible) / (sizes + negligible))


def _choose(doubt: FloatArray, covered: FloatArray, look: _Look, candidates: Sequence[int]) -> list[tuple[int, float]]:
    """Choose greedily; a promise that is out of date only shrinks, so few have to be worked out anew."""

    def promise(place: int) -> float:
        near, share = look.reach(place)
        return float((doubt[near] * np.maximum(share - covered[near], 0)).sum())

    heap = [(-promise(place), place) for place in candidates]
    heapq.heapify(heap)
    chosen = []
    while heap:
        _, place = heapq.heappop(heap)
        if covered[place] >= _DUPLICATE:
            continue
        score = promise(place)
        if heap and score < -heap[0][0]:
            heapq.heappush(heap, (-score, place))
            continue
        near, share = look.reach(place)
        covered[near] = np.maximum(covered[near], share)
        chosen.append((place, score))
    return chosen


def _words(unsure: float, disagreement: float, all_unsure: FloatArray, look: _Look) -> str:
    """Say what speaks for a frame."""
    reasons = []
    if unsure >= np.median(all_unsure):
        reasons.append(f"the model expects to miss {unsure:.0%} of Dice")
    if disagreement > 0 and disagreement >= np.median(look.disagreement):
        reasons.append(f"its mask misses {disagreement:.0%} of Dice against its neighbours' masks")
    return "; ".join(reasons) or "frames like it are in doubt"
