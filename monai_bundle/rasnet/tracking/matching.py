"""How well pieces of a frame and remembered instruments fit, and the best assignment of one to the other."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from rasnet.geometry import Entry, Pose, Window
from rasnet.tracking.components import Piece
from rasnet.tracking.outline import UInt8Array
from rasnet.tracking.track import Track

FORBIDDEN = 1e6

ELONGATED = 1.8
"""From this elongation on, the axis of a mask means something."""

LEAST_OVERLAP = 0.1
"""Intersection over union from which on overlap alone makes a match possible."""

SURE_OVERLAP = 0.5
"""Intersection over union from which on it does not matter by which border a piece seems to come in."""

MOST_GROWTH = 4.0
"""How many times larger or smaller an instrument may be than when it was last seen, if little overlaps."""


def assign(costs: npt.NDArray[np.float64]) -> list[tuple[int, int]]:
    """Pairs of row and column with the least total cost, none of them forbidden."""
    if costs.size == 0:
        return []
    rows, columns = linear_sum_assignment(costs)
    return [
        (int(row), int(column)) for row, column in zip(rows, columns, strict=True) if costs[row, column] < FORBIDDEN
    ]


def motion_costs(
    tracks: Sequence[Track],
    expected: Sequence[UInt8Array],
    pieces: Sequence[Piece],
    time_s: float,
    window: Window,
) -> npt.NDArray[np.float64]:
    """Cost of each piece (column) being an instrument seen lately (row), by overlap and distance.

    A piece that hardly overlaps the expected shape may still be the instrument if its middle or its tip is
    within reach of where they were, it is of similar size, does not lie on another instrument's expected
    shape, and comes in by the same part of the border.
    """
    costs = np.full((len(tracks), len(pieces)), FORBIDDEN)
    overlaps = np.array(
        [[cv2.countNonZero(shape & piece.cells) for piece in pieces] for shape in expected], np.float64
    ).reshape(costs.shape)
    for row, track in enumerate(tracks):
        size = np.count_nonzero(expected[row])
        reach = window.diagonal * min(0.06 + 0.4 * track.lost_s(time_s), 0.3)
        for column, piece in enumerate(pieces):
            cells, common = np.count_nonzero(piece.cells), overlaps[row, column]
            distance = min(
                piece.pose.centroid.distance(track.pose.centroid), piece.pose.far_end.distance(track.pose.far_end)
            )
            union = size + cells - common
            elsewhere = not same_entry(piece.pose.entry, track.pose.entry, window)
            if elsewhere and common < SURE_OVERLAP * union:
                continue
            if common < LEAST_OVERLAP * union:
                foreign = np.delete(overlaps[:, column], row).max(initial=0) >= 0.5 * cells
                unlike = not 1 / MOST_GROWTH <= piece.pose.area / track.pose.area <= MOST_GROWTH
                if foreign or unlike or distance > reach:
                    continue
            cost = 1 - common / union + 0.5 * min(distance / reach, 1)
            costs[row, column] = cost + 0.3 * other_type(track.votes, piece.votes) + 0.3 * (track.id is None)
    return costs


def return_costs(
    lost: Sequence[Track], found: Sequence[Track], time_s: float, memory_s: float, window: Window
) -> npt.NDArray[np.float64]:
    """Cost of each track that has come into sight (column) being one lost longer ago (row).

    It must come in by the same part of the border, at a similar angle, and be of no other type.
    """
    costs = np.full((len(lost), len(found)), FORBIDDEN)
    for row, old in enumerate(lost):
        for column, new in enumerate(found):
            fits = same_entry(new.pose.entry, old.pose.entry, window) and angle_between(new.pose, old.pose) <= 60
            if fits and not other_type(old.votes, new.votes):
                costs[row, column] = likeness_cost(old, new, window) + 0.1 * old.lost_s(time_s) / memory_s
    return costs


def likeness_cost(first: Track, second: Track, window: Window) -> float:
    """How unlike two tracks are in entry, direction and type; 0 for the same."""
    entries = first.pose.entry.point.distance(second.pose.entry.point) / window.diagonal
    return entries + angle_between(first.pose, second.pose) / 180 + other_type(first.votes, second.votes)


def same_entry(first: Entry, second: Entry, window: Window) -> bool:
    """Whether two instruments come in by about the same part of the border."""
    apart = first.point.distance(second.point)
    length = window.bottom - window.top if first.side in ("left", "right") else window.right - window.left
    return apart <= 0.2 * window.diagonal or (first.side == second.side and apart <= 0.4 * length)


def other_type(votes: npt.NDArray[np.int64], others: npt.NDArray[np.int64]) -> bool:
    """Whether the votes (or, for one frame, the cells) of two instruments speak clearly for two types.

    The first must be settled: at least five votes, 60 % for one type, at most 10 % for the other's.
    """
    total, other_total = votes.sum(), others.sum()
    if total < 5 or other_total == 0:
        return False
    kind, other = int(np.argmax(votes)), int(np.argmax(others))
    settled = votes[kind] >= 0.6 * total and votes[other] <= 0.1 * total
    return bool(settled and other != kind and others[other] >= 0.7 * other_total)


def angle_between(first: Pose, second: Pose) -> float:
    """Degrees between two axes, regardless of which way they point; 0 where one has no clear axis."""
    if min(first.elongation, second.elongation) < ELONGATED:
        return 0.0
    cosine = abs(first.axis.x * second.axis.x + first.axis.y * second.axis.y)
    return float(np.degrees(np.arccos(min(cosine, 1.0))))
