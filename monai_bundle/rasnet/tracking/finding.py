"""Finds every instrument, known or new, in one frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import cv2

from rasnet.geometry import Pose
from rasnet.tracking.boxes import pose_of
from rasnet.tracking.components import Foreground, Piece
from rasnet.tracking.fragments import belonging
from rasnet.tracking.grid import Grid
from rasnet.tracking.look import Placement
from rasnet.tracking.matching import assign, motion_costs
from rasnet.tracking.outline import UInt8Array
from rasnet.tracking.separation import Claim, Separator
from rasnet.tracking.track import Track


class Sight:
    """What is seen of one track in a frame.

    Args:
        track: the track.
        piece: the first piece of the frame's foreground that is its.
        expected: (h, w) uint8 on the grid, where it was expected; None for a new track.
        place: where the track's shape was found, if it touches another instrument.

    Attributes:
        pieces: all pieces.
        cells: all pieces together, (h, w) uint8 on the grid.
        votes: cells of each class over all pieces, int64 (classes,).
    """

    def __init__(
        self, track: Track, piece: Piece, expected: UInt8Array | None = None, place: Placement | None = None
    ) -> None:
        self.track = track
        self.expected = expected
        self.place = place
        self.pieces = [piece]
        self.cells, self.votes = piece.cells, piece.votes

    def add(self, piece: Piece) -> None:
        """Take a further piece in."""
        self.pieces.append(piece)
        self.cells = self.cells | piece.cells
        self.votes = self.votes + piece.votes

    def enters(self) -> bool:
        """Whether a piece comes in by the border."""
        return any(piece.pose.entry.contact > 0 for piece in self.pieces)

    def pose(self, grid: Grid) -> Pose:
        """Place and direction of all pieces together."""
        return self.pieces[0].pose if len(self.pieces) == 1 else pose_of(self.cells, grid.window)


class Finder:
    """Hands the foreground of one frame out to the tracks.

    Args:
        foreground: the frame's components.
        grid: the grid.
        time_s: the frame's time.
        typed: whether classes are instrument types.
        young_s: an instrument known for less than this may turn out to be a fragment of another.
    """

    def __init__(self, foreground: Foreground, grid: Grid, time_s: float, *, typed: bool, young_s: float) -> None:
        self._foreground = foreground
        self._grid = grid
        self._time_s = time_s
        self._typed = typed
        self._young_s = young_s
        self._sights: dict[Track, Sight] = {}

    def find(self, tracks: Sequence[Track]) -> list[Sight]:
        """Find the tracks that were seen lately, and begin a candidate for every piece that is none of them.

        Layers come first, with all their fragments; candidates have what no layer has a right to.
        """
        claims = [self._expect(track) for track in tracks]
        layers = [claim for claim in claims if claim.track.id is not None]
        candidates = [claim for claim in claims if claim.track.id is None]
        pieces = self._separate(layers)
        pieces = self._join(self._match(layers, pieces))
        pieces = self._match(candidates, pieces)
        for piece in pieces:
            if self._join([piece]):
                track = Track(self._time_s, self._foreground.classes * piece.cells, piece.pose, len(piece.votes))
                self._sights[track] = Sight(track, piece)
        if self._sights:
            self._join(self._foreground.specks, specks=True)
        return list(self._sights.values())

    def _expect(self, track: Track) -> Claim:
        place = track.expected_place(self._time_s)
        return Claim(track.at(place), track.voted, track, place)

    def _separate(self, layers: Sequence[Claim]) -> list[Piece]:
        """Cut components that hold several instruments; give back the pieces that are not yet anybody's."""
        separator = Separator(
            self._foreground,
            self._grid,
            layers,
            min_cells=max(self._grid.cells_of(self._foreground.min_area), 1),
            typed=self._typed,
            young_s=self._young_s,
        )
        pieces = []
        for piece, claim in separator.separate(self._foreground.components):
            if claim is None:
                pieces.append(piece)
            elif claim.track in self._sights:
                self._sights[claim.track].add(piece)
            else:
                self._sights[claim.track] = Sight(claim.track, piece, claim.cells, claim.place)
        return pieces

    def _match(self, claims: Sequence[Claim], pieces: list[Piece]) -> list[Piece]:
        """Assign pieces to the tracks not yet in sight; give back those that went to none."""
        free = [claim for claim in claims if claim.track not in self._sights and claim.track.shape is not None]
        if not free or not pieces:
            return pieces
        costs = motion_costs(
            [claim.track for claim in free],
            [claim.cells for claim in free],
            pieces,
            self._time_s,
            self._grid.window,
        )
        pairs = assign(costs)
        for row, column in pairs:
            track = free[row].track
            self._sights[track] = Sight(track, pieces[column], free[row].cells)
        matched = {column for _, column in pairs}
        return [piece for index, piece in enumerate(pieces) if index not in matched]

    def _join(self, pieces: Sequence[Piece], *, specks: bool = False) -> list[Piece]:
        """Give pieces to the instrument in sight that they are fragments of; give back the others."""
        rest = []
        for piece in pieces:
            owner = self._owner(piece, speck=specks)
            if owner:
                owner.add(piece)
            else:
                rest.append(piece)
        return rest

    def _owner(self, piece: Piece, *, speck: bool) -> Sight | None:
        best, surest = None, math.inf
        for sight in self._sights.values():
            on_it = 0 if sight.expected is None else cv2.countNonZero(sight.expected & piece.cells)
            cost = belonging(
                piece,
                sight.track.pose,
                covered=on_it / piece.size,
                distance=partial(self._distance, piece, sight),
                seen_enters=sight.enters,
                speck=speck,
            )
            if cost is not None and cost < surest:
                best, surest = sight, cost
        return best

    def _distance(self, piece: Piece, sight: Sight) -> float:
        """From a piece to what is seen of an instrument, as a share of the diagonal."""
        nearest, _, _, _ = cv2.minMaxLoc(piece.away, sight.cells)
        return float(nearest) / self._grid.window.diagonal
