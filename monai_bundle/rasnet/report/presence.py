"""Which instrument is in view when: the figures behind the timeline and the summary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rasnet.progress import Progress, SilentProgress
from rasnet.report.frames import marked_frames

if TYPE_CHECKING:
    from rasnet.case import Case, FrameRow, Layer


@dataclass(frozen=True)
class Presence:
    """How much of every layer each segmented frame shows.

    Attributes:
        layers: the case's layers.
        frames: the frames that have a mask and that no person skipped, in order.
        times: presentation time of each frame, float64 (N,), seconds.
        durations: how long each frame is on screen, float64 (N,), seconds.
        areas: pixels of each layer in each frame, int64 (N, len(layers)).
    """

    layers: list[Layer]
    frames: list[FrameRow]
    times: npt.NDArray[np.float64]
    durations: npt.NDArray[np.float64]
    areas: npt.NDArray[np.int64]

    def spans(self, layer: int, *, gap_s: float = 0.0) -> list[tuple[float, float]]:
        """Find when a layer is in view.

        Args:
            layer: position in ``layers``.
            gap_s: absences up to this long, in seconds, do not end a span.

        Returns:
            Start and end of each span, seconds, in order.
        """
        spans: list[tuple[float, float]] = []
        for frame in np.flatnonzero(self.areas[:, layer]):
            start, end = float(self.times[frame]), float(self.times[frame] + self.durations[frame])
            if spans and start - spans[-1][1] <= gap_s + 1e-6:
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((start, end))
        return spans


def measure_presence(case: Case, *, progress: Progress | None = None) -> Presence:
    """Count each layer's pixels in the frames that the case is about, have a mask and were not skipped."""
    progress = progress or SilentProgress()
    layers = case.layers()
    ids = [layer.id for layer in layers]
    shown = frame_durations(case)
    frames = [row for row in marked_frames(case) if row.index in shown]
    areas = np.zeros((len(frames), len(layers)), np.int64)
    progress.start("look at masks", len(frames))
    for position, row in enumerate(frames):
        areas[position] = np.bincount(case.mask(row.index).ravel(), minlength=256)[ids]
        progress.advance(frame=row.index)
    progress.finish()
    times = np.array([row.pts for row in frames], np.float64)
    durations = np.array([shown[row.index] for row in frames], np.float64)
    return Presence(layers, frames, times, durations, areas)


def frame_durations(case: Case) -> dict[int, float]:
    """Tell how long each frame that the case is about stays on screen.

    Returns:
        By index: seconds until the next such frame, so that every fifth frame of a video stands for five. The
        last one stays as long as frames do in the median.
    """
    wanted = np.array(case.info.wanted)
    until_next = np.diff(case.times[wanted])
    usual = float(np.median(until_next)) if until_next.size else 1.0 / case.info.source.fps
    return dict(zip(wanted.tolist(), [*until_next.tolist(), usual], strict=True))
