"""Which pieces are fragments of one instrument: cut in two by a crossing one, or by a highlight."""

from __future__ import annotations

from collections.abc import Callable

from rasnet.geometry import Pose
from rasnet.tracking.components import Piece
from rasnet.tracking.matching import ELONGATED, angle_between

NEAR = 0.02
"""How far a fragment may lie from its instrument in any direction, as a share of the diagonal."""

GAP = 0.15
"""How far along the instrument's axis."""


def belonging(
    piece: Piece,
    pose: Pose,
    *,
    covered: float,
    distance: Callable[[], float],
    seen_enters: Callable[[], bool],
    speck: bool,
) -> float | None:
    """How surely a piece is a fragment of an instrument (lower is surer); None when it is not.

    It is when half of it lies on the instrument's expected shape; when it lies in line with the instrument and
    not both come in by the border, as the far half of a shaft that another one crosses; or when it is near to
    what is seen of the instrument and does not come in by the border itself.

    What takes long to find out is asked for only where it decides.

    Args:
        piece: the piece.
        pose: the instrument's last pose.
        covered: share of the piece that lies on the instrument's expected shape.
        distance: from the piece to what is seen of the instrument, as a share of the diagonal.
        seen_enters: whether what is seen of the instrument comes in by the border.
        speck: whether the piece is too small to be an instrument of its own.
    """
    if covered >= 0.5:
        return 1 - covered
    inner = piece.pose.entry.contact == 0
    aligned = in_line(piece.pose, pose) and (inner or not seen_enters())
    if not (aligned or inner or speck):
        return None
    apart = distance()
    if aligned and apart <= (NEAR if speck else GAP):
        return 1 + apart
    return 2 + apart if (inner or speck) and apart <= NEAR else None


def in_line(part: Pose, whole: Pose) -> bool:
    """Whether a part lies on the axis of a whole and points the same way."""
    if whole.elongation < ELONGATED or part.width > 1.5 * whole.width:
        return False
    dx, dy = part.centroid.x - whole.centroid.x, part.centroid.y - whole.centroid.y
    beside = abs(dx * whole.axis.y - dy * whole.axis.x)
    crooked = part.length > whole.length / 2 and angle_between(part, whole) > 25  # short parts have no clear axis
    return beside <= 0.75 * whole.width and not crooked
