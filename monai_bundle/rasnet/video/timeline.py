"""From packets to frames: which packet is shown when, and where a decoder can start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rasnet.video.packets import UNKNOWN, PacketTable

NOT_SHOWN = -1


@dataclass(frozen=True)
class Timeline:
    """The frames of a stream in display order.

    Attributes:
        ticks: int64 (N,), presentation time of each frame in ticks, ascending.
        shown_as: int64 (P,), the frame that each packet becomes, or `NOT_SHOWN`. None where the container
            tells only the order of decoding (AVI, raw streams); then frames are counted from a start.
        starts: int64 (S,), ordinals of the packets from which decoding gives exact frames, ascending.
        first_frames: int64 (S,), the frame that each of those packets becomes, ascending.
    """

    ticks: npt.NDArray[np.int64]
    shown_as: npt.NDArray[np.int64] | None
    starts: npt.NDArray[np.int64]
    first_frames: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ticks)

    def start_before(self, frame: int) -> int:
        """Row of the last start whose frame is `frame` or an earlier one; 0 at least."""
        return max(int(np.searchsorted(self.first_frames, frame, side="right")) - 1, 0)

    def without(self, count: int) -> Timeline:
        """Drop the first frames, which no decoder can give (a recording that begins between key frames)."""
        shown_as = self.shown_as
        if shown_as is not None:
            shown_as = np.where(shown_as >= count, shown_as - count, NOT_SHOWN)
        row = self.start_before(count)
        return Timeline(
            ticks=self.ticks[count:],
            shown_as=shown_as,
            starts=self.starts[row:],
            first_frames=np.maximum(self.first_frames[row:] - count, 0),
        )


def timeline_of_times(table: PacketTable) -> Timeline | None:
    """Order frames by the presentation times that the container tells; None where it tells none.

    A packet without a time of its own (a second field) is no frame. Where decoding time runs
    backwards, recordings were joined: each part is ordered by itself and put behind the one before.
    """
    shown = (table.pts != UNKNOWN) & ~table.hidden
    starts = np.flatnonzero(table.key)
    if not len(starts) or not shown[starts[0] :].any():
        return None
    shown[: starts[0]] = False
    ordinals = np.flatnonzero(shown)
    clock = table.dts[ordinals]
    joints = np.flatnonzero((np.diff(clock) < 0) & (clock[1:] != UNKNOWN)) + 1
    order: list[npt.NDArray[np.int64]] = []
    ticks: list[npt.NDArray[np.int64]] = []
    for unordered in np.split(ordinals, joints):
        part = unordered[np.argsort(table.pts[unordered], kind="stable")]
        times = table.pts[part]
        if ticks:
            period = int(np.median(np.diff(times))) if len(times) > 1 else 1
            times = times - times[0] + ticks[-1][-1] + period
        order.append(part)
        ticks.append(times)
    shown_as = np.full(len(table), NOT_SHOWN, np.int64)
    shown_as[np.concatenate(order)] = np.arange(len(ordinals))
    return _with_starts(np.concatenate(ticks), shown_as, starts)


def timeline_of_counting(table: PacketTable, period: int) -> Timeline | None:
    """Take every packet as one frame; the order within a group of pictures comes from decoding.

    Args:
        table: all packets.
        period: ticks between frames where the container tells no times at all.

    Returns:
        The timeline; None where no decoder can start.
    """
    keys = np.flatnonzero(table.key)
    if not len(keys):
        return None
    first = keys[0]
    starts = np.union1d(keys[:1], np.flatnonzero(table.closed))
    ticks = np.sort(table.dts[first:])
    if UNKNOWN in ticks or len(np.unique(ticks)) < len(ticks):
        ticks = np.arange(len(ticks), dtype=np.int64) * period
    return Timeline(ticks, None, starts, starts - first)


def timeline_of_decoding(table: PacketTable, emitted: Sequence[int], period: int) -> Timeline:
    """Take the frames that a decoder gave, in its order.

    Args:
        table: all packets.
        emitted: ordinal of the packet of each frame, as the decoder gave them.
        period: ticks between frames where the container's times do not ascend in this order.
    """
    ordinals = np.array(emitted, np.int64)
    ticks = table.pts[ordinals]
    if UNKNOWN in ticks or (np.diff(ticks) <= 0).any():
        ticks = np.arange(len(ticks), dtype=np.int64) * period
    shown_as = np.full(len(table), NOT_SHOWN, np.int64)
    shown_as[ordinals] = np.arange(len(ordinals))
    return _with_starts(ticks, shown_as, np.flatnonzero(table.key))


def _with_starts(
    ticks: npt.NDArray[np.int64], shown_as: npt.NDArray[np.int64], starts: npt.NDArray[np.int64]
) -> Timeline:
    starts = starts[shown_as[starts] != NOT_SHOWN]
    frames = shown_as[starts]
    # A start that is shown before an earlier one would break the search; decoding can pass over it.
    ascending = frames == np.maximum.accumulate(frames) if len(frames) else np.empty(0, bool)
    return Timeline(ticks, shown_as, starts[ascending], frames[ascending])
