"""Which instruments share one connected component, and where to cut it between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from rasnet.geometry import measure_pose
from rasnet.tracking.components import Foreground, Grid, Piece, UInt8Array
from rasnet.tracking.fragments import in_line
from rasnet.tracking.look import Placement
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

TAKEN_WORTH = 0.1
"""What a cell that another instrument explains is worth to a look, where one that nobody else does is worth 1."""


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
        known = np.bitwise_or.reduce([claim.cells for claim in holders])
        distant = cv2.distanceTransform(1 - known, cv2.DIST_L2, 3) > 0.04 * diagonal
        rest = distant.view(np.uint8) & piece.cells
        found = []
        for cells in self._large_parts(rest, 2 * self._min_cells):
            entry = measure_pose(cells, self._grid.window).entry
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
                if measure_pose(cells, self._grid.window).entry.contact >= 3:
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
        while True:
            costs = self._costs(holders)
            nearest = np.argmin(costs, axis=0)
            shares = [np.count_nonzero((nearest == index) & (piece.cells > 0)) for index in range(len(holders))]
            sizes = [np.count_nonzero(claim.cells) for claim in holders]
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
        parts = self._foreground.cut(piece, costs)
        return [
            (part, holder if isinstance(holder, Claim) else None) for part, holder in zip(parts, holders, strict=True)
        ]

    def _settle(self, piece: Piece, holders: Sequence[Holder]) -> None:
        """Move the expected shapes to where they fit the component best, each regarding the others."""
        classes = None if self._typed else self._foreground.classes  # of one instrument, all pixels have one type
        for _ in range(2):
            for claim in holders:
                if not isinstance(claim, Claim):
                    continue
                others = [other.cells for other in holders if other is not claim]
                taken = np.bitwise_or.reduce(others)
                # Cells that nobody else explains weigh most; cells off the component speak against a place.
                worth = np.where(piece.cells > 0, np.where(taken > 0, TAKEN_WORTH, 1.0), -1.0).astype(np.float32)
                claim.place = claim.track.look.settle(claim.place, worth, classes)
                claim.cells = claim.track.at(claim.place)

    def _costs(self, holders: Sequence[Holder]) -> list[npt.NDArray[np.float32]]:
        """Signed distance to each expected shape, negative inside, moved by what the classes say."""
        costs = []
        classes = {claim.class_id for claim in holders}
        for claim in holders:
            inside = cv2.distanceTransform(claim.cells, cv2.DIST_L2, 3)
            cost = cv2.distanceTransform(1 - claim.cells, cv2.DIST_L2, 3) - inside
            if self._typed and len(classes) > 1:
                same = self._foreground.classes == claim.class_id
                cost = cost - np.float32(TYPE_REACH * self._grid.window.diagonal) * same
            elif not self._typed and isinstance(claim, Claim):
                cost = cost - np.float32(PART_REACH * self._grid.window.diagonal) * self._agrees(claim)
            costs.append(cost.astype(np.float32))
        return costs

    def _agrees(self, claim: Claim) -> npt.NDArray[np.bool_]:
        """Where the part that a pixel shows is the nearest part of the instrument."""
        look = claim.track.look.at(claim.place)
        parts = range(1, self._foreground.class_count)
        away = [cv2.distanceTransform((look != part).view(np.uint8), cv2.DIST_L2, 3) for part in parts]
        return np.asarray(np.argmin(away, axis=0) + 1 == self._foreground.classes)


def _common(first: UInt8Array, second: UInt8Array) -> int:
    return int(cv2.countNonZero(first & second))
