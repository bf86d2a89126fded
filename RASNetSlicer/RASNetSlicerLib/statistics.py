"""What a case comes to, measured again only where it changed."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from rasnet.case import Case, FrameRow, Layer
from rasnet.geometry import Point
from rasnet.progress import Progress, SilentProgress
from rasnet.report.frames import marked_frames, measure_frame
from rasnet.report.presence import Presence, frame_durations
from rasnet.report.summary import ENTRY_GAP_S


@dataclass(frozen=True)
class LayerStatistics:
    """One instrument over the whole case.

    Attributes:
        layer: id, name, colour, type.
        seconds: time on screen.
        entries: how often it came into view; absences up to `ENTRY_GAP_S` do not count.
        path_px: way of its tip, pixels of the full frame, absences longer than `ENTRY_GAP_S` left out.
    """

    layer: Layer
    seconds: float
    entries: int
    path_px: float


@dataclass(frozen=True)
class _Seen:
    """What a frame shows of each layer, by id."""

    masks: tuple[str | None, str | None]
    areas: dict[int, int]
    tips: dict[int, Point]


class CaseStatistics:
    """Presence and tip path of the layers of a case.

    Args:
        case: the case.

    Attributes:
        presence: how much of every layer each frame shows; frames that a person skipped do not count.
    """

    def __init__(self, case: Case) -> None:
        self._case = case
        self._seen: dict[int, _Seen] = {}
        self._frames: list[FrameRow] = []
        self.presence = self._presence()

    @property
    def measured(self) -> object:
        """What `presence` stands for; it is equal to what it was where nothing has changed."""
        return self.presence.layers, [(row.index, _masks(row)) for row in self._frames]

    def refresh(self, *, most_seconds: float = math.inf, progress: Progress | None = None) -> bool:
        """Measure the frames whose masks changed since the last time.

        Args:
            most_seconds: to take before the rest is left to the next call.
            progress: told of each of them.

        Returns:
            Whether all are measured; where not, everything else stays as it was.

        Raises:
            RASNetError: a mask of the case is damaged.
        """
        progress = SilentProgress() if progress is None else progress
        began = time.monotonic()
        wanted = self._case.info.wanted
        frames = [row for row in marked_frames(self._case) if row.index in wanted]
        changed = [row for row in frames if row.index not in self._seen or self._seen[row.index].masks != _masks(row)]
        progress.start("measure instruments", len(changed))
        for row in changed:
            if time.monotonic() - began > most_seconds:
                return False
            found = measure_frame(self._case, row.index, self._case.mask(row.index))
            areas = {item.layer: item.area for item in found}
            tips = {item.layer: item.tip for item in found if item.tip is not None}
            self._seen[row.index] = _Seen(_masks(row), areas, tips)
            progress.advance(row.index)
        progress.finish(frames=len(changed))
        self._frames = frames
        self.presence = self._presence()
        return True

    def layers(self) -> list[LayerStatistics]:
        """Sum up each layer of the case."""
        presence = self.presence
        return [
            LayerStatistics(
                layer=layer,
                seconds=float(presence.durations[presence.areas[:, place] > 0].sum()),
                entries=len(presence.spans(place, gap_s=ENTRY_GAP_S)),
                path_px=self._path(layer.id),
            )
            for place, layer in enumerate(presence.layers)
        ]

    def _presence(self) -> Presence:
        layers, durations = self._case.layers(), frame_durations(self._case)
        areas = [[self._seen[row.index].areas.get(layer.id, 0) for layer in layers] for row in self._frames]
        return Presence(
            layers=layers,
            frames=self._frames,
            times=np.array([row.pts for row in self._frames], np.float64),
            durations=np.array([durations[row.index] for row in self._frames], np.float64),
            areas=np.array(areas, np.int64).reshape(len(self._frames), len(layers)),
        )

    def _path(self, layer_id: int) -> float:
        """Sum of the steps of the tip; over a frame that does not show it, the step is that from before to after."""
        length, last = 0.0, None
        for row in self._frames:
            tip = self._seen[row.index].tips.get(layer_id)
            if tip is None:
                continue
            if last is not None and row.pts - last[0] <= ENTRY_GAP_S:
                length += math.dist(tip, last[1])
            last = row.pts, tip
        return length


def _masks(row: FrameRow) -> tuple[str | None, str | None]:
    return row.mask_sha256, row.parts_sha256
