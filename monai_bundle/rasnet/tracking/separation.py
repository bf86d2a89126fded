"""Which instruments share one connected component, and where to cut it between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from rasnet.geometry import Point, measure_pose
from rasnet.tracking.components import Foreground, Grid, Piece, UInt8Array
from rasnet.tracking.fragments import in_line
from rasnet.tracking.track import Track

SEARCH_CELLS = 4
"""How far from its expected place a touching instrument is looked for."""

HOME_SHARE = 0.3
"""A component is an instrument's if it holds this share of its expected shape, and more than any other."""

PART_SHARE = 0.15
"""... and it holds a part of one that is at home elsewhere from this share on, ..."""

COMPLETE_SHARE = 0.85
"""... unless there already is as much as this of that one at home."""

SMALLEST_SHARE = 0.1
"""An instrument of which less than this is left in a shared component is hidden by the others."""

TYPE_REACH = 0.03
"""How far, as a share of the diagonal, the class of a pixel may move the cut between two types."""


@dataclass(eq=False)
class Holder:
    """An instrument in a component: its shape, (h, w) uint8 on the grid, and the class of its pixels."""

    cells: UInt8Array
    class_id: int


@dataclass(eq=False)
class Claim(Holder):
    """A known instrument at its expected place; `offset` is where that is, relative to the track's shape."""

    track: Track
    offset: Point


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
        for _ in range(2):
            for claim in holders:
                if not isinstance(claim, Claim):
                    continue
                others = [other.cells for other in holders if other is not claim]
                taken = np.bitwise_or.reduce(others)
                # Cells that nobody else explains weigh most; cells off the component speak against a place.
                worth = np.where(piece.cells > 0, np.where(taken > 0, 0.3, 1.0), -1.0).astype(np.float32)
                dx, dy = _best_shift(claim.cells, worth)
                claim.offset = Point(claim.offset.x + dx, claim.offset.y + dy)
                claim.cells = claim.track.at(claim.offset)

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
            costs.append(cost.astype(np.float32))
        return costs


def _common(first: UInt8Array, second: UInt8Array) -> int:
    return int(cv2.countNonZero(first & second))


def _best_shift(cells: UInt8Array, worth: npt.NDArray[np.float32]) -> tuple[int, int]:
    """Shift of up to `SEARCH_CELLS` that puts a shape on the cells of most worth; the smallest when equal."""
    x, y, width, height = cv2.boundingRect(cells)
    if width == 0:
        return 0, 0
    shape = cells[y : y + height, x : x + width].astype(np.float32)
    reach = SEARCH_CELLS
    around = cv2.copyMakeBorder(worth, reach, reach, reach, reach, cv2.BORDER_CONSTANT, value=0.0)
    around = around[y : y + height + 2 * reach, x : x + width + 2 * reach]
    score = cv2.matchTemplate(around, shape, cv2.TM_CCORR)
    steps = np.arange(-reach, reach + 1)
    score = score - 0.005 * float(shape.sum()) * np.hypot(steps[:, None], steps[None, :])
    row, column = np.unravel_index(int(np.argmax(score)), score.shape)
    return int(column) - reach, int(row) - reach
