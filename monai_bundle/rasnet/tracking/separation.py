"""Which instruments share one connected component, and where to cut it between them."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from rasnet.tracking.boxes import Box, pose_of
from rasnet.tracking.components import Foreground, Piece, nearest_of
from rasnet.tracking.fragments import in_line
from rasnet.tracking.grid import Grid
from rasnet.tracking.look import Placement
from rasnet.tracking.outline import UInt8Array
from rasnet.tracking.track import Track

HOME_SHARE = 0.3
"""A component is an instrument's if it holds this share of its expected shape, and more than any other."""

PART_SHARE = 0.15
"""... and it holds a part of one that is at home elsewhere from this share on, ..."""

COMPLETE_SHARE = 0.85
"""... unless there already is as much as this of that one at home."""

SMALLEST_SHARE = 0.1
"""An instrument of which less than this is left in a shared component is hidden by the others."""

TYPE_REACH = 0.03
PART_REACH = 0.02
"""How far, as a share of the diagonal, the class of a pixel may move the cut: its type, or its part."""


@dataclass(eq=False)
class Holder:
    """An instrument in a component: its shape, (h, w) uint8 on the grid, and the class of its pixels."""

    cells: UInt8Array
    class_id: int


@dataclass(eq=False)
class Claim(Holder):
    """A known instrument at its expected place; `place` is where that is, relative to the track's shape."""

    track: Track
    place: Placement


class Separator:
    """Cuts the components of one frame between the instruments that were expected there.

    Args:
        foreground: the frame's components.
        grid: the grid.
        claims: every instrument that may be in the frame, at its expected place.
        min_cells: the smallest instrument.
        typed: whether classes are instrument types.
        young_s: an instrument known for less than this that never touched the border may be a mere fragment.
    """

    def __init__(
        self,
        foreground: Foreground,
        grid: Grid,
        claims: Sequence[Claim],
        *,
        min_cells: float,
        typed: bool,
        young_s: float,
    ) -> None:
        self._foreground = foreground
        self._grid = grid
        self._claims = claims
        self._min_cells = min_cells
        self._typed = typed
        self._young_s = young_s

    def separate(self, components: Sequence[Piece]) -> list[tuple[Piece, Claim | None]]:
        """Cut every component that holds several instruments; leave the others whole.

        Returns:
            Every piece, and the claim of the known instrument it was cut for; None where that is still open.
        """
        overlaps = np.array(
            [[_common(claim.cells, piece.cells) for claim in self._claims] for piece in components], np.int64
        ).reshape(len(components), len(self._claims))
        result: list[tuple[Piece, Claim | None]] = []
        for index, piece in enumerate(components):
            claims = self._holders(piece, index, overlaps)
            holders = [*claims, *self._newcomers(piece, claims)]
            result += self._cut(piece, holders) if len(holders) > 1 else [(piece, None)]
        return result

    def _holders(self, piece: Piece, index: int, overlaps: npt.NDArray[np.int64]) -> list[Claim]:
        """The known instruments in a component: each must explain cells that those before it do not."""
        holders: list[Claim] = []
        covered = np.zeros_like(piece.cells)
        for column in np.argsort(-overlaps[index], kind="stable"):
            claim = self._claims[column]
            size = max(cv2.countNonZero(claim.cells), 1)
            most = int(overlaps[:, column].max())
            home = overlaps[index, column] == most
            if claim.track.shape is None or (not home and most >= COMPLETE_SHARE * size):
                continue
            own = _common(claim.cells & ~covered, piece.cells)
            if own < max(self._min_cells, (HOME_SHARE if home else PART_SHARE) * size):
                continue
            if holders and self._is_fragment(claim, holders):
                claim.track.forget_shape()
                continue
            holders.append(claim)
            covered |= claim.cells
        return holders

    def _is_fragment(self, claim: Claim, holders: Sequence[Claim]) -> bool:
        """Whether a layer is but a broken-off part that has found back to its instrument.

        Every instrument comes in by the border. A layer that was never seen to touch it, and that has not long
        been there or lies in line, is no instrument of its own once it hangs together with one that does.
        """
        track = claim.track
        young = track.last_s - track.since_s < self._young_s
        return not track.rooted and any(
            other.track.rooted and (young or in_line(track.pose, other.track.pose)) for other in holders
        )

    def _newcomers(self, piece: Piece, holders: Sequence[Claim]) -> list[Holder]:
        """Instruments that come into sight already touching another: they reach the border by themselves."""
        if self._typed:
            return self._newcomers_by_type(piece, holders)
        if not holders or not all(claim.track.rooted for claim in holders):
            return []
        diagonal = self._grid.window.diagonal
        away = 0.04 * diagonal
        box = self._foreground.box(piece).grown(math.ceil(away), piece.cells.shape).slices
        inside, known = piece.cells[box], _union(holders)[box]
        if cv2.countNonZero(inside & ~known) < 2 * self._min_cells:
            return []
        # Most often too little is left outside of squares, all of whose cells are near, to look closer.
        side = 2 * int(away / 1.5) + 1
        near = cv2.dilate(known, np.ones((side, side), np.uint8))
        if cv2.countNonZero(inside & ~near) < 2 * self._min_cells:
            return []
        distant = cv2.distanceTransform(1 - known, cv2.DIST_L2, 3) > away
        found = []
        for part in self._large_parts(inside & distant, 2 * self._min_cells):
            cells = np.zeros_like(piece.cells)
            cells[box] = part
            entry = pose_of(cells, self._grid.window).entry
            apart = min(entry.point.distance(claim.track.pose.entry.point) for claim in holders)
            if entry.contact >= 3 and apart > 0.15 * diagonal:
                found.append(Holder(cells, 0))
        return found

    def _newcomers_by_type(self, piece: Piece, holders: Sequence[Claim]) -> list[Holder]:
        smallest = max(2 * self._min_cells, 0.2 * np.count_nonzero(piece.cells))
        regions = []
        for class_id in np.flatnonzero(piece.votes >= smallest):
            same = (self._foreground.classes == class_id).view(np.uint8) & piece.cells
            for cells in self._large_parts(same, smallest):
                if pose_of(cells, self._grid.window).entry.contact >= 3:
                    regions.append(Holder(cells, int(class_id)))
        if len(regions) < 2:
            return []
        return [
            region
            for region in regions
            if all(2 * _common(claim.cells, region.cells) < np.count_nonzero(region.cells) for claim in holders)
        ]

    @staticmethod
    def _large_parts(cells: UInt8Array, smallest: float) -> list[UInt8Array]:
        if np.count_nonzero(cells) < smallest:
            return []
        _, labels, stats, _ = cv2.connectedComponentsWithStats(cells, connectivity=8)
        large = np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= smallest) + 1
        return [(labels == label).view(np.uint8) for label in large]

    def _cut(self, piece: Piece, holders: list[Holder]) -> list[tuple[Piece, Claim | None]]:
        self._settle(piece, holders)
        box = self._box(piece, holders)
        inside = piece.cells[box.slices]
        while True:
            costs = self._costs(piece, holders, box)
            nearest, gains = nearest_of(costs)
            shares = [_common((nearest == index).view(np.uint8), inside) for index in range(len(holders))]
            sizes = [cv2.countNonZero(claim.cells) for claim in holders]
            hidden = [
                index
                for index, (share, size) in enumerate(zip(shares, sizes, strict=True))
                if share < max(self._min_cells, SMALLEST_SHARE * size)
            ]
            if not hidden:
                break
            holders.pop(min(hidden, key=shares.__getitem__))
            if len(holders) < 2:
                return [(piece, None)]
        parts = self._foreground.cut(piece, box, nearest, gains)
        return [
            (part, holder if isinstance(holder, Claim) else None) for part, holder in zip(parts, holders, strict=True)
        ]

    def _settle(self, piece: Piece, holders: Sequence[Holder]) -> None:
        """Move the expected shapes to where they fit the component best, each regarding the others."""
        classes = None if self._typed else self._foreground.classes  # of one instrument, all pixels have one type
        claims = [holder for holder in holders if isinstance(holder, Claim)]
        settled: dict[Claim, list[UInt8Array]] = {}  # all shapes when a claim was last settled
        for _ in range(2):
            for claim in claims:
                before = settled.get(claim)
                if before and all(cells is holder.cells for cells, holder in zip(before, holders, strict=True)):
                    continue  # nothing has moved since
                taken = _union([other for other in holders if other is not claim])
                place = claim.track.look.settle(claim.place, piece.cells, taken, classes)
                if place != claim.place:
                    claim.place, claim.cells = place, claim.track.at(place)
                settled[claim] = [holder.cells for holder in holders]

    def _box(self, piece: Piece, holders: Sequence[Holder]) -> Box:
        """What holds a component and the expected shapes, with a margin of background."""
        box = self._foreground.box(piece)
        for holder in holders:
            box = box.joined(Box.around(holder.cells))
        return box.grown(1, piece.cells.shape)

    def _costs(self, piece: Piece, holders: Sequence[Holder], box: Box) -> list[npt.NDArray[np.float32]]:
        """Signed distance to each expected shape, negative inside, moved by what the classes say."""
        costs = [_signed_distance(holder.cells[box.slices]) for holder in holders]
        if not self._typed:
            self._regard_parts(piece, holders, box, costs)
        elif len({holder.class_id for holder in holders}) > 1:
            gain = np.float32(TYPE_REACH * self._grid.window.diagonal)
            for holder, cost in zip(holders, costs, strict=True):
                cost -= gain * (self._foreground.classes[box.slices] == holder.class_id)
        return costs

    def _regard_parts(
        self, piece: Piece, holders: Sequence[Holder], box: Box, costs: Sequence[npt.NDArray[np.float32]]
    ) -> None:
        """Lower the cost where the part that a cell shows is the nearest part of the instrument.

        Only cells for which that may decide are looked at: elsewhere one shape is much nearer than all others.
        """
        gain = np.float32(PART_REACH * self._grid.window.diagonal)
        beaten = functools.reduce(np.minimum, costs) + gain
        within_gain = [(cost <= beaten).view(np.uint8) for cost in costs]
        disputed = cv2.dilate(piece.cells[box.slices], np.ones((3, 3), np.uint8))
        disputed &= (functools.reduce(np.add, within_gain) > 1).view(np.uint8)
        shown = self._foreground.classes[box.slices]
        for claim, cost, within in zip(holders, costs, within_gain, strict=True):
            own = within & disputed
            bounds = Box.around(own)
            if not isinstance(claim, Claim) or 0 in bounds.shape:
                continue
            around = bounds.grown(2, box.shape)  # what the cut is interpolated from
            _, furthest, _, _ = cv2.minMaxLoc(cost[bounds.slices], own[bounds.slices])
            wide = around.grown(max(math.ceil(furthest), 0) + 4, box.shape)  # the nearest part is no further away
            look = claim.track.look.at(claim.place)[box.slices][wide.slices]
            nearest = self._nearest_part(look, around.within(wide))
            cost[around.slices] -= gain * (nearest == shown[around.slices])

    def _nearest_part(self, look: UInt8Array, wanted: Box) -> UInt8Array:
        """The class of the nearest cell of an instrument, in a box of its (h, w) uint8 classes: uint8, the same."""
        parts = [part for part in range(1, self._foreground.class_count) if (look == part).any()]
        nearest = np.full(wanted.shape, parts[0] if parts else 1, np.uint8)
        if len(parts) < 2:
            return nearest
        away = [cv2.distanceTransform((look != part).view(np.uint8), cv2.DIST_L2, 3)[wanted.slices] for part in parts]
        before = itertools.accumulate(away[:-1], np.minimum)
        for part, distance, least in zip(parts[1:], away[1:], before, strict=True):
            np.copyto(nearest, part, where=distance < least)
        return nearest


def _signed_distance(cells: UInt8Array) -> npt.NDArray[np.float32]:
    """Distance to the nearest cell, negative inside to the nearest one outside."""
    distance = np.asarray(cv2.distanceTransform(1 - cells, cv2.DIST_L2, 3))
    own = Box.around(cells).grown(1, cells.shape).slices
    distance[own] -= cv2.distanceTransform(cells[own], cv2.DIST_L2, 3)
    return distance


def _union(holders: Sequence[Holder]) -> UInt8Array:
    """The cells of any holder, of one at least; not to be written to."""
    return functools.reduce(np.bitwise_or, [holder.cells for holder in holders])


def _common(first: UInt8Array, second: UInt8Array) -> int:
    return int(cv2.countNonZero(first & second))
