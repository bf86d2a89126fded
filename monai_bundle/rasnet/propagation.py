"""A person's correction travels to the frames around, as far as it can be believed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from rasnet.case import Case, CaseWriter, FrameRow
from rasnet.errors import RASNetError
from rasnet.masks import Mask
from rasnet.optical_flow import Field, Grey, carry, closure, follow_on, measure_motion, refine, small_grey
from rasnet.progress import Progress, SilentProgress
from rasnet.video import VideoSource

HALF_LIFE_S = 0.7
"""Seconds in which a correction that travels loses half of its weight, besides what is lost where motion is unsure."""

LEAST_TRUST = 0.3
"""Weight below which a correction travels no further: 1.2 s at most. Beyond about a second it changed nothing."""

_SMOOTH = 1.5  # pixels of the small pictures over which neighbours decide together
_REACH = 16.0  # pixels of the small pictures; outlines that are nearer than this are taken for one
_LEAST_DOUBT = 0.02  # of what is as sure as can be, and the least weight of what is not sure at all
_CHUNK = 32  # frames read at once on the way back: a video is decoded forwards

Reason = Literal["cut", "human frame", "skipped frame", "end of the case", "little trust", "damaged frame"]


@dataclass(frozen=True)
class Travel:
    """How far a correction went in one direction.

    Attributes:
        start: the frame that a person corrected or accepted.
        last: the last frame that took something of it; `start` where none did.
        stopped: why it went no further.
        trust: of each frame on the way, 0 to 1: how far its new mask is believed.
    """

    start: int
    last: int
    stopped: Reason
    trust: dict[int, float] = field(default_factory=dict)


def propagate(case: Case, frames: int | Sequence[int], *, progress: Progress | None = None) -> list[Travel]:
    """Carry corrections forwards and backwards along optical flow.

    On the way, the person's labels and the mask that is stored draw at each outline, and where one of them shows none,
    the stronger has its way. The person's weigh less with time and where the motion is unsure. The stored mask weighs
    as much as its uncertainty leaves, and nothing where it was wrong about the same place of the instrument beside the
    person's frame. So what the model misses again and again stays mended for long, and where it was right it leads
    soon; and between two corrections an outline passes from the one to the other.

    It stops at cuts, at frames that a person has dealt with, and where it is hardly believed. Frames stay
    ``predicted``, with an uncertainty of 1 - trust; frames that nothing was known of get what is carried.

    Args:
        case: to write into; its video must be where it was.
        frames: indices of frames that a person corrected or accepted, one after another.
        progress: told of every frame that is written.

    Returns:
        For each frame its way back and its way forth.

    Raises:
        RASNetError: a frame is not a person's, the video is gone, or another program is writing into the case.

    Examples:
        >>> back, forth = propagate(case, 42)
        >>> forth.last, forth.stopped
        (99, 'cut')
    """
    progress = progress or SilentProgress()
    starts = [frames] if isinstance(frames, int) else list(frames)
    for start in starts:
        _check(case, start)
    travels = []
    progress.start("propagate", len(starts))
    with case.open_source() as source:
        for start in starts:
            for step in (-1, 1):
                with case.writer() as writer:
                    travels.append(_travel(case, source, writer, start, step))
            progress.advance(start)
    progress.finish(frames=sum(len(travel.trust) for travel in travels))
    return travels


def human_frames(case: Case) -> list[int]:
    """Frames that a person corrected or accepted, by index."""
    return [row.index for row in case.frames() if row.status in ("corrected", "accepted")]


class _Labels(NamedTuple):
    """What each pixel of a region of interest is; parts are None where nobody knows any."""

    layers: Mask
    parts: Mask | None

    def moved(self, offset: Field) -> _Labels:
        layers = carry(self.layers, offset, nearest=True)
        parts = None if self.parts is None else carry(self.parts, offset, nearest=True)
        return _Labels(layers, parts)

    def differ(self, other: _Labels) -> npt.NDArray[np.bool_]:
        """Where two say different things; a part that is not known contradicts nothing."""
        different: npt.NDArray[np.bool_] = self.layers != other.layers
        if self.parts is not None and other.parts is not None:
            different |= (self.parts != other.parts) & (self.parts > 0) & (other.parts > 0)
        return different


def _check(case: Case, index: int) -> None:
    row = case.frame(index)
    if row is None or row.status not in ("corrected", "accepted"):
        status = row.status if row else "not segmented yet"
        raise RASNetError(
            f"frame {index} of {case.folder} is {status}; only a frame that a person corrected or accepted can be "
            "propagated, so correct or accept it first"
        )


def _travel(case: Case, source: VideoSource, writer: CaseWriter, start: int, step: int) -> Travel:
    rows = {row.index: row for row in case.frames()}
    way = sorted(set(case.info.wanted) | rows.keys())
    place = way.index(start)
    way = way[place + 1 :] if step > 0 else way[:place][::-1]
    greys = _greys(case, source, [start, *way])
    _, grey = next(greys)
    if grey is None:
        return Travel(start, start, "damaged frame")
    carrier = _Carrier(_labels(case, start), grey)
    trust: dict[int, float] = {}
    stopped: Reason = "end of the case"
    last_s = float(case.times[start])
    for index, grey in greys:
        row = rows.get(index)
        if (reason := _barrier(row, grey)) is not None:
            stopped = reason
            break
        assert grey is not None
        elapsed = abs(float(case.times[index]) - last_s)
        last_s = float(case.times[index])
        if not carrier.move(grey, elapsed):
            stopped = "cut"
            break
        if carrier.weight < LEAST_TRUST:
            stopped = "little trust"
            break
        stored = _labels(case, index) if row is not None and row.mask_sha256 is not None else None
        labels, trust[index] = carrier.settle(stored, _doubt(row))
        _write(case, writer, index, labels, trust[index], start)
    return Travel(start, [start, *trust][-1], stopped, trust)


def _barrier(row: FrameRow | None, grey: Grey | None) -> Reason | None:
    """What keeps a correction from entering a frame."""
    if row is not None and row.status != "predicted":
        return "skipped frame" if row.status == "skipped" else "human frame"
    return "damaged frame" if grey is None else None


def _doubt(row: FrameRow | None) -> float:
    """Uncertainty of a frame's instruments as a whole."""
    if row is None or row.uncertainty is None:
        return 1.0
    whole = row.class_uncertainty[0]
    return row.uncertainty if math.isnan(whole) else whole


class _Carrier:
    """A person's labels on their way.

    Args:
        labels: of the region of interest of the person's frame.
        grey: its small picture.
    """

    def __init__(self, labels: _Labels, grey: Grey) -> None:
        self._start, self._first = labels, grey
        self._grey = grey
        self._offset: Field = np.zeros((*grey.shape, 2), np.float32)
        self._sure: Field = np.ones(grey.shape, np.float32)
        self._age_s = 0.0
        self._wrong: Field | None = None  # where the model was, in the person's frame, 0 to 1
        self._names = np.arange(256, dtype=np.uint8)  # layer ids of the model as the person has them
        self._moved = labels

    def move(self, grey: Grey, elapsed_s: float) -> bool:
        """Go on to the next frame; False where the video is cut."""
        motion = measure_motion(self._grey, grey)
        if motion.is_cut:
            return False
        self._offset = refine(follow_on(self._offset, motion.offset), self._first, grey)
        forth = measure_motion(grey, self._grey).offset
        self._sure = carry(self._sure, motion.offset) * closure(motion.offset, forth)
        self._grey = grey
        self._age_s += elapsed_s
        self._moved = self._start.moved(self._offset)
        return True

    @property
    def weight(self) -> float:
        """Mean weight of the carried labels over their instruments; over the picture where they hold none."""
        shown = _shrink(self._moved.layers > 0, self._grey)
        weights = self._weights()
        return float((weights * shown).sum() / shown.sum()) if shown.sum() > 0 else float(weights.mean())

    def settle(self, stored: _Labels | None, doubt: float) -> tuple[_Labels, float]:
        """Let the carried labels and the stored ones draw at each other.

        Args:
            stored: the frame's labels so far; None where nothing is known.
            doubt: their uncertainty, 0 to 1.

        Returns:
            The frame's new labels, and how far they can be believed, 0 to 1.
        """
        carried, mine = self._moved, self._weights()
        if stored is None:
            return carried, self.weight
        stored = self._renamed(stored)
        differ = carried.differ(stored)
        if self._wrong is None:  # beside the person's frame, where they differ the model is wrong
            self._wrong = self._back(_shrink(differ, self._grey))
        wrong = cv2.GaussianBlur(carry(self._wrong, self._offset), (0, 0), _SMOOTH)
        theirs = (1 - doubt) * (1 - wrong)
        labels = _between(carried, stored, _odds(mine), _odds(theirs))
        some = _shrink((carried.layers > 0) | (stored.layers > 0), self._grey)
        apart = _shrink(differ, self._grey)
        together = 1 - (1 - mine) * (1 - theirs)
        trust = np.maximum(mine, theirs) * apart + together * (1 - apart)
        area = some.sum()
        return labels, float((trust * some).sum() / area) if area > 0 else float(together.mean())

    def _weights(self) -> Field:
        weights: Field = self._sure * np.float32(0.5 ** (self._age_s / HALF_LIFE_S))
        return weights

    def _back(self, values: Field) -> Field:
        """Values of the first frame on the way, in the person's frame: motion is small there, and turned round."""
        there: Field = carry(values, -self._offset)
        return there

    def _renamed(self, stored: _Labels) -> _Labels:
        """The stored labels with the person's layer ids, found beside the person's frame."""
        if self._wrong is None:
            for layer in np.unique(stored.layers[stored.layers > 0]):
                here = np.bincount(self._moved.layers[stored.layers == layer], minlength=256)
                if 2 * here[1:].max() > here.sum():
                    self._names[layer] = 1 + here[1:].argmax()
        return stored._replace(layers=self._names[stored.layers])


def _odds(weight: Field) -> Field:
    """Odds that labels of a weight, 0 to 1, are right, as neighbours have them together."""
    weight = np.clip(weight, _LEAST_DOUBT, 1)
    odds: Field = cv2.GaussianBlur(weight / (1 + np.float32(_LEAST_DOUBT) - weight), (0, 0), _SMOOTH)
    return odds


def _between(carried: _Labels, stored: _Labels, mine: Field, theirs: Field) -> _Labels:
    """Labels between two: each instrument's outline runs between theirs, nearer to the one with the better odds.

    Where one shows an instrument and the other none far around, the better odds decide. Two outlines that both are a
    little off, as of corrections before and after a frame, are off by less in the middle.

    Args:
        carried: the one.
        stored: the other.
        mine: odds of the first, float32 (h, w), of the small pictures' size.
        theirs: of the second.
    """
    reach = _REACH * carried.layers.shape[1] / mine.shape[1]
    mine, theirs = (cv2.resize(each, carried.layers.shape[::-1]) for each in (mine, theirs))
    layers = np.zeros_like(carried.layers)
    deepest = np.zeros(layers.shape, np.float32)
    for layer in np.union1d(carried.layers, stored.layers):
        if layer > 0:
            depth = mine * _depth(carried.layers == layer, reach) + theirs * _depth(stored.layers == layer, reach)
            np.copyto(layers, layer, where=depth > deepest)
            np.maximum(deepest, depth, out=deepest)
    if carried.parts is None or stored.parts is None:
        parts = stored.parts if carried.parts is None else carried.parts
    else:
        known = (mine >= theirs) & (carried.parts > 0) | (stored.parts == 0)
        parts = np.where(known, carried.parts, stored.parts)
    return _Labels(layers, None if parts is None else parts * (layers > 0))


def _depth(inside: npt.NDArray[np.bool_], reach: float) -> Field:
    """How far each pixel lies inside of an outline, negative outside, in units of reach and within it: -1 to 1."""
    cells = inside.view(np.uint8)
    within, without = (np.asarray(cv2.distanceTransform(each, cv2.DIST_L2, 3)) for each in (cells, 1 - cells))
    depth: Field = np.clip((within - without) / np.float32(reach), -1, 1)
    return depth


def _labels(case: Case, index: int) -> _Labels:
    parts = case.parts(index)
    roi = case.info.roi
    layers = np.ascontiguousarray(roi.crop(case.mask(index)))
    return _Labels(layers, None if parts is None else np.ascontiguousarray(roi.crop(parts)))


def _write(case: Case, writer: CaseWriter, index: int, labels: _Labels, trust: float, start: int) -> None:
    roi = case.info.roi
    unknown = [float("nan")] * (len(case.info.schema) - 1)
    writer.write(
        index,
        float(case.times[index]),
        roi.restore(labels.layers),
        None if labels.parts is None else roi.restore(labels.parts),
        uncertainty=[1 - trust, *unknown],
        model=f"propagation of frame {start}",
    )


def _greys(case: Case, source: VideoSource, indices: Sequence[int]) -> Iterator[tuple[int, Grey | None]]:
    """Small pictures of frames in this order, which may go back; None for one that cannot be decoded."""
    for first in range(0, len(indices), _CHUNK):
        chunk = indices[first : first + _CHUNK]
        pictures = {index: _grey(case, source, index) for index in sorted(chunk)}
        yield from ((index, pictures[index]) for index in chunk)


def _grey(case: Case, source: VideoSource, index: int) -> Grey | None:
    try:
        return small_grey(case.info.roi.crop(source[index].rgb))
    except RASNetError:
        return None


def _shrink(pixels: npt.NDArray[np.bool_], grey: Grey) -> Field:
    """Share of each small picture's pixel that is True, float32 (h, w)."""
    shares: Field = cv2.resize(pixels.astype(np.float32), grey.shape[::-1], interpolation=cv2.INTER_AREA)
    return shares
