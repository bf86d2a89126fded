"""Two cases of one video against each other: which layers are the same instrument, and how well masks agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rasnet.case import Case, FrameRow, Layer
from rasnet.errors import RASNetError
from rasnet.masks import Mask, mask_values
from rasnet.metrics.boundary import TOLERANCE, compare_boundaries
from rasnet.progress import Progress, SilentProgress

Counts = npt.NDArray[np.int64]

LEAST_IOU = 0.1
"""Layers that overlap less, pooled over all frames, are not the same instrument."""


@dataclass(frozen=True)
class LayerAgreement:
    """How well two cases agree on one instrument.

    Attributes:
        first: its layer in the first case; None where that has none.
        second: its layer in the second case; None where that has none.
        frames: that show it in at least one case.
        dice: of pixels pooled over all frames, 0 to 1.
        nsd: normalised surface Dice, mean over `frames`, 0 to 1.
        same_type: whether both say the same of its type; None where one says nothing.
    """

    first: Layer | None
    second: Layer | None
    frames: int
    dice: float
    nsd: float
    same_type: bool | None


@dataclass(frozen=True)
class FrameAgreement:
    """How well two cases agree on one frame.

    Attributes:
        index: of the frame.
        pts: seconds from the first frame.
        dice: pixels that are the same instrument in both, twice, over the instrument pixels of both; 1 where both show
            no instrument.
    """

    index: int
    pts: float
    dice: float


@dataclass(frozen=True)
class Comparison:
    """Two cases against each other.

    Attributes:
        layers: matched ones first, by the id in the first case.
        frames: that both have masks of, by index.
        only_first: frames that the first case alone has a mask of.
        only_second: frames that the second case alone has a mask of.
    """

    layers: tuple[LayerAgreement, ...]
    frames: tuple[FrameAgreement, ...]
    only_first: tuple[int, ...]
    only_second: tuple[int, ...]


def compare_cases(
    first: Case, second: Case, *, tolerance: float = TOLERANCE, progress: Progress | None = None
) -> Comparison:
    """Compare the masks of two cases, whoever made them; frames that a person skipped are left out.

    Args:
        first: a case.
        second: another of the same video.
        tolerance: of NSD, as a share of the picture's diagonal.
        progress: told of each frame.

    Raises:
        RASNetError: the cases are of different videos, or have no frame in common.
    """
    progress = progress or SilentProgress()
    check_same_video(first, second)
    ours, theirs = _counted(first), _counted(second)
    common = sorted(ours.keys() & theirs.keys())
    if not common:
        raise RASNetError(f"{first.folder} and {second.folder} have no frame with a mask in common; annotate the same")
    progress.start("compare", 2 * len(common))
    counts = np.zeros((256, 256), np.int64)
    frames = {}
    for index in common:
        frames[index] = count_pairs(first.mask(index), second.mask(index))
        counts += frames[index]
        progress.advance(index)
    matches = match_layers(counts)
    layers = _Layers(first, second, matches, tolerance)
    for index in common:
        layers.add(first.mask(index), second.mask(index))
        progress.advance(index)
    progress.finish(frames=len(common))
    return Comparison(
        layers=layers.agreements(counts),
        frames=tuple(FrameAgreement(index, ours[index].pts, _dice(frames[index], matches)) for index in common),
        only_first=tuple(sorted(ours.keys() - theirs.keys())),
        only_second=tuple(sorted(theirs.keys() - ours.keys())),
    )


def check_same_video(first: Case, second: Case) -> None:
    """Refuse two cases that are not of one video.

    Raises:
        RASNetError: they are not.
    """
    mine, other = first.info, second.info
    if (mine.source.fingerprint, mine.height, mine.width) != (other.source.fingerprint, other.height, other.width):
        raise RASNetError(
            f"{first.folder} is of {mine.source.name} and {second.folder} of {other.source.name}; give two cases of "
            "one video"
        )


def count_pairs(first: Mask, second: Mask) -> Counts:
    """Count pixels by their layers in both masks, int64 (256, 256)."""
    pairs = first.astype(np.uint16) * np.uint16(256) + second
    return np.bincount(pairs.ravel(), minlength=1 << 16).reshape(256, 256)


def match_layers(counts: Counts, least_iou: float = LEAST_IOU) -> dict[int, int]:
    """Find which layer of the second case is which of the first: the pairing with the largest sum of IoU.

    Args:
        counts: pixels by their layers in both, (256, 256).
        least_iou: of a pair.

    Returns:
        Layers of the second case by those of the first.
    """
    from scipy.optimize import linear_sum_assignment

    overlap = counts[1:, 1:].astype(np.float64)
    union = counts.sum(axis=1)[1:, None] + counts.sum(axis=0)[None, 1:] - overlap
    iou = np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)
    pairs = zip(*linear_sum_assignment(iou, maximize=True), strict=True)
    return {int(a) + 1: int(b) + 1 for a, b in pairs if iou[a, b] >= least_iou}


class _Layers:
    """Sums up NSD over the frames, for every pair of layers and every layer without one."""

    def __init__(self, first: Case, second: Case, matches: dict[int, int], tolerance: float) -> None:
        ours = {layer.id: layer for layer in first.layers()}
        theirs = {layer.id: layer for layer in second.layers()}
        pairs: list[tuple[Layer | None, Layer | None]] = [(ours[a], theirs[b]) for a, b in sorted(matches.items())]
        pairs += [(layer, None) for key, layer in ours.items() if key not in matches]
        pairs += [(None, layer) for key, layer in theirs.items() if key not in matches.values()]
        self._pairs = pairs
        self._tolerance = tolerance
        self._nsd = [0.0] * len(pairs)
        self._frames = [0] * len(pairs)

    def add(self, first: Mask, second: Mask) -> None:
        there = set(mask_values(first)), set(mask_values(second))
        for number, (ours, theirs) in enumerate(self._pairs):
            if not ((ours and ours.id in there[0]) or (theirs and theirs.id in there[1])):
                continue
            self._frames[number] += 1
            scores = compare_boundaries(_pixels(first, ours), _pixels(second, theirs), self._tolerance)
            self._nsd[number] += scores.nsd if scores is not None else 1.0

    def agreements(self, counts: Counts) -> tuple[LayerAgreement, ...]:
        return tuple(
            LayerAgreement(
                ours,
                theirs,
                frames,
                dice=_pair_dice(counts, ours, theirs),
                nsd=nsd / frames if frames else float("nan"),
                same_type=_same_type(ours, theirs),
            )
            for (ours, theirs), nsd, frames in zip(self._pairs, self._nsd, self._frames, strict=True)
        )


def _counted(case: Case) -> dict[int, FrameRow]:
    return {row.index: row for row in case.frames() if row.mask_sha256 is not None and row.status != "skipped"}


def _pixels(mask: Mask, layer: Layer | None) -> npt.NDArray[np.bool_]:
    return np.zeros(mask.shape, np.bool_) if layer is None else mask == layer.id


def _pair_dice(counts: Counts, ours: Layer | None, theirs: Layer | None) -> float:
    sizes = (counts[ours.id].sum() if ours else 0) + (counts[:, theirs.id].sum() if theirs else 0)
    overlap = counts[ours.id, theirs.id] if ours and theirs else 0
    return float(2 * overlap / sizes) if sizes else float("nan")


def _same_type(ours: Layer | None, theirs: Layer | None) -> bool | None:
    if ours is None or theirs is None or ours.type is None or theirs.type is None:
        return None
    return ours.type == theirs.type


def _dice(counts: Counts, matches: dict[int, int]) -> float:
    sizes = counts[1:].sum() + counts[:, 1:].sum()
    overlap = sum(counts[ours, theirs] for ours, theirs in matches.items())
    return float(2 * overlap / sizes) if sizes else 1.0


def worst_frames(frames: Sequence[FrameAgreement], count: int) -> list[FrameAgreement]:
    """Choose the frames on which two cases agree least, worst first; frames of full agreement are left out."""
    return sorted((frame for frame in frames if frame.dice < 1), key=lambda frame: (frame.dice, frame.index))[:count]
