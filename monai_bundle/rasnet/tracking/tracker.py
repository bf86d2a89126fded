"""The tracker: from frame-wise class masks to masks of layer ids that stay the same over time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rasnet.errors import RASNetError
from rasnet.geometry import Window
from rasnet.labels import LabelSchema
from rasnet.tracking.boxes import pose_of
from rasnet.tracking.components import Foreground
from rasnet.tracking.finding import Finder
from rasnet.tracking.grid import Grid
from rasnet.tracking.matching import assign, likeness_cost, return_costs
from rasnet.tracking.outline import Drawing, Outline, UInt8Array
from rasnet.tracking.preparation import Preparation
from rasnet.tracking.runs import ClassRuns, check_mask
from rasnet.tracking.track import Track, TrackedLayer

if TYPE_CHECKING:
    from rasnet.video import RegionOfInterest

GRID_CELLS = 256
"""The longer side of the frame has about this many cells: 192 at least, if it has that many pixels, and 383 at most."""

PERSIST_S = 0.08
"""A new component becomes a layer when it has been seen for this long ..."""

LARGE_SHARE = 10
"""... or at once if it is this many times `min_area` and reaches the border ..."""

SPARSE_S = 0.2
"""... or at once when frames are this far apart, where a look at the next frame would tell little."""

MOST_LAYERS = 255


class Tracker:
    """Gives every instrument one layer id over the whole video, frame by frame as they come.

    Instruments are followed by their foreground; classes add type votes and help to part instruments of
    different types that touch. What is decided for a frame is never taken back.

    - Two instruments in one component (touching, crossing) keep their ids: it is cut between them.
    - Fragments (an instrument cut in two by another one or by a highlight) share one id.
    - An instrument out of sight is found again by position and motion for `gap_s`, and by the border it
      comes in by, its angle and its type for `memory_s`; later it is a new layer.
    - A new component shows as a layer at once in the first frame, where frames are 0.2 s or more apart, and
      when it is large and reaches the border; otherwise when it has persisted for 0.08 s (the third frame at
      25 frames/s), so that a false positive does not flicker up. Until then its pixels are background.
    - Components below `min_area` are dropped, unless they belong to an instrument beside them.

    Deterministic. Memory grows with the number of layers (at most 255), never with the length of the video.

    Args:
        schema: the schema of the classes.
        gap_s: how long an instrument is looked for where its motion would have taken it, in seconds.
        memory_s: how long it is recognised when it comes back, in seconds.
        min_area: the smallest instrument, as a share of the picture's area.
        roi: what of the frame is picture: instruments come in by its border. The whole frame unless given.
        taken: layer ids that exist already and must not be given to new instruments.

    Raises:
        RASNetError: a time or an area that makes no sense.

    Examples:
        >>> tracker = Tracker(LabelSchema.load("instrument_parts"))
        >>> classes = np.zeros((576, 720), np.uint8)
        >>> classes[200:260, :300] = 1
        >>> int(tracker.update(0.0, classes)[230, 100])
        1
    """

    def __init__(
        self,
        schema: LabelSchema,
        *,
        gap_s: float = 1.0,
        memory_s: float = 60.0,
        min_area: float = 0.001,
        roi: RegionOfInterest | None = None,
        taken: Iterable[int] = (),
    ) -> None:
        if gap_s < 0 or memory_s < gap_s or not 0 <= min_area < 1:
            raise RASNetError("tracking needs 0 <= gap_s <= memory_s, in seconds, and min_area from 0 to below 1")
        self._schema = schema
        self._gap_s, self._memory_s, self._min_share = gap_s, memory_s, min_area
        self._roi = roi
        self._taken = set(taken)
        self._tracks: list[Track] = []
        self._grid: Grid | None = None
        self._last_s: float | None = None
        self._put_off: list[Callable[[], None]] = []

    @property
    def layers(self) -> list[TrackedLayer]:
        """Every layer so far, by rising id."""
        layers = []
        for track in self._tracks:
            if track.id is None:
                continue
            votes = {label.name: int(track.votes[label.id]) for label in self._schema.instruments}
            typed = self._schema.kind == "types"
            layers.append(
                TrackedLayer(
                    id=track.id,
                    type=self._schema[track.voted].name if typed and track.votes.any() else None,
                    votes={name: count for name, count in votes.items() if count} if typed else {},
                    first_s=track.first_s,
                    last_s=track.last_s,
                    frames=track.frames,
                )
            )
        return sorted(layers, key=lambda layer: layer.id)

    def update(self, time_s: float, classes: UInt8Array) -> UInt8Array:
        """Track one frame.

        Args:
            time_s: presentation time in seconds; must not go back (a time before the last is taken as it).
            classes: (H, W) uint8 class ids of the schema, the same size in every frame.

        Returns:
            Layer ids, (H, W) uint8, 0 where no instrument is.

        Raises:
            RASNetError: the frame's size or data type is not what it must be.
        """
        runs = ClassRuns.of(classes)
        prepare = self.preparation(runs.height, runs.width)
        return Outline(runs.foreground, prepare.grid).paint(self.follow(time_s, prepare(runs)))

    def preparation(self, height: int, width: int) -> Preparation:
        """Give what finds the components of frames of a size, in pixels; the first of the three parts of `update`.

        Raises:
            RASNetError: the tracker has begun with frames of another size.
        """
        return Preparation(self._grid_for(height, width), len(self._schema), self._min_area)

    def follow(self, time_s: float, foreground: Foreground) -> Drawing:
        """Find the instruments of one frame; the part that needs the frames before it, in order.

        Args:
            time_s: presentation time in seconds; must not go back (a time before the last is taken as it).
            foreground: what `preparation` found; it is the tracker's from now on.

        Returns:
            How the frame's `Outline` is to be painted, the third part, in any thread or process and at any time.
        """
        assert self._grid is not None, "frames are prepared first"
        grid = self._grid
        self.catch_up()
        time_s, step_s = self._advance(time_s)
        finder = Finder(foreground, grid, time_s, typed=self._schema.kind == "types", young_s=self._gap_s)
        sights = finder.find(self._lately_seen(time_s, step_s))
        for sight in sights:
            if sight.place is not None:
                renew = partial(sight.track.renew_look, time_s, sight.place, sight.cells, foreground.classes)
                self._put_off.append(renew)
                measure = partial(pose_of, sight.cells, grid.window)
                sight.track.observe_contact(time_s, measure, sight.votes, sight.place)
            else:
                sight.track.observe(time_s, foreground.classes * sight.cells, sight.pose(grid), sight.votes)
        self._tracks += [sight.track for sight in sights if sight.expected is None]
        self._confirm([sight.track for sight in sights if sight.track.id is None], time_s, step_s)
        self._forget(time_s)
        owned = {piece: sight.track.id for sight in sights if sight.track.id for piece in sight.pieces}
        return foreground.drawing(owned)

    def catch_up(self) -> None:
        """Do what `follow` put off, as only the next frame needs it. It is done then, if there is no time before."""
        for task in self._put_off:
            task()
        self._put_off.clear()

    def adopt(self, time_s: float, layers: UInt8Array, classes: UInt8Array | None = None) -> None:
        """Continue from a mask that exists already: a frame done by an earlier run, or one a person corrected.

        Places, motion and type votes follow the mask; ids that are new become layers. To resume a video, adopt
        the last second of it.

        Args:
            time_s: presentation time in seconds.
            layers: (H, W) uint8 layer ids.
            classes: (H, W) uint8 class ids of the same frame, for the type votes; None gives no vote.

        Raises:
            RASNetError: the masks' size or data type is not what it must be.
        """
        grid = self._check(layers)
        if classes is not None:
            self._check(classes)
        self.catch_up()
        time_s, _ = self._advance(time_s)
        self._tracks = [track for track in self._tracks if track.id is not None]
        known = {track.id: track for track in self._tracks}
        self._taken |= set(np.unique(layers).tolist())
        cell_layers = np.ascontiguousarray(grid.sample(layers))
        cell_classes = None if classes is None else grid.sample(classes)
        for layer in np.unique(cell_layers[cell_layers > 0]):
            cells = (cell_layers == layer).view(np.uint8)
            votes = np.zeros(len(self._schema), np.int64)
            look = cells
            if cell_classes is not None:
                votes += self._votes(cell_classes[cells > 0])
                look = np.maximum(cells, cells * cell_classes)
            pose = pose_of(cells, grid.window)
            track = known.get(int(layer))
            if track is None or not track.overlaps(cells, time_s):
                # Where a person moved an id to another instrument, the old motion means nothing.
                fresh = Track(time_s, look, pose, len(self._schema))
                fresh.id = int(layer)
                if track is not None:
                    fresh.continue_layer(track)
                    self._tracks.remove(track)
                self._tracks.append(fresh)
                track = fresh
            track.observe(time_s, look, pose, votes)
        self._forget(time_s)

    def _check(self, mask: UInt8Array) -> Grid:
        check_mask(mask)
        return self._grid_for(*mask.shape)

    def _grid_for(self, height: int, width: int) -> Grid:
        if self._grid is None:
            self._grid = _grid(height, width, self._roi)
        if (self._grid.height, self._grid.width) != (height, width):
            raise RASNetError(
                f"the frame size changed from {self._grid.width}x{self._grid.height} to {width}x{height}; "
                "track each size as a video of its own"
            )
        return self._grid

    def _advance(self, time_s: float) -> tuple[float, float]:
        """The frame's time, and the time since the last frame (infinite for the first)."""
        last_s = self._last_s
        self._last_s = time_s if last_s is None else max(time_s, last_s)
        return self._last_s, math.inf if last_s is None else self._last_s - last_s

    def _votes(self, classes: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
        votes = np.bincount(classes.astype(np.int64), minlength=len(self._schema))[: len(self._schema)]
        votes[0] = 0
        return votes

    @property
    def _min_area(self) -> float:
        assert self._grid is not None
        window = self._grid.window
        cells = (window.bottom - window.top) * (window.right - window.left)
        return max(self._min_share * cells * self._grid.stride**2, 1)

    def _lately_seen(self, time_s: float, step_s: float) -> list[Track]:
        """Tracks to look for by position: seen within `gap_s`, or in the last frame if that is longer ago."""
        reach_s = min(max(self._gap_s, step_s), self._memory_s)
        return [track for track in self._tracks if track.shape is not None and track.lost_s(time_s) <= reach_s]

    def _confirm(self, candidates: Sequence[Track], time_s: float, step_s: float) -> None:
        """Make candidates that are due layers: a layer that has come back, or a new one."""
        assert self._grid is not None
        large = LARGE_SHARE * self._grid.cells_of(self._min_area)
        due = [
            track
            for track in candidates
            if step_s >= SPARSE_S
            or time_s - track.since_s >= PERSIST_S - 1e-6
            or (track.pose.entry.contact > 0 and track.pose.area >= large)
        ]
        lost = [
            track
            for track in self._tracks
            if track.id and track.last_s < time_s and track.lost_s(time_s) <= self._memory_s
        ]
        for row, column in assign(return_costs(lost, due, time_s, self._memory_s, self._grid.window)):
            due[column].continue_layer(lost[row])
            self._tracks.remove(lost[row])
        for track in due:
            if track.id is None:
                self._number(track, time_s)

    def _number(self, track: Track, time_s: float) -> None:
        """Give a new layer the lowest unused id, or, when all are used, that of the most similar lost layer."""
        assert self._grid is not None
        window = self._grid.window
        used = self._taken | {other.id for other in self._tracks}
        free = next((layer for layer in range(1, MOST_LAYERS + 1) if layer not in used), None)
        lost = [other for other in self._tracks if other.id and other.last_s < time_s]
        if free is not None:
            track.become_layer(free, time_s)
        elif lost:
            similar = min(lost, key=lambda other: likeness_cost(other, track, window))
            track.continue_layer(similar)
            self._tracks.remove(similar)

    def _forget(self, time_s: float) -> None:
        for track in self._tracks:
            if track.lost_s(time_s) > self._memory_s:
                track.forget_shape()
        self._tracks = [track for track in self._tracks if track.id or track.lost_s(time_s) <= SPARSE_S]


def _grid(height: int, width: int, roi: RegionOfInterest | None) -> Grid:
    stride = max(1, round(max(height, width) / GRID_CELLS))
    first = stride // 2
    rows, columns = len(range(first, height, stride)), len(range(first, width, stride))
    if roi is None:
        return Grid(height, width, stride, Window(0, 0, rows, columns))
    top, left = math.ceil((roi.top - first) / stride), math.ceil((roi.left - first) / stride)
    bottom = math.ceil((roi.top + roi.height - first) / stride)
    right = math.ceil((roi.left + roi.width - first) / stride)
    return Grid(height, width, stride, Window(max(top, 0), max(left, 0), bottom, right))
