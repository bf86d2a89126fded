"""How far the outline of a mask lies from the true one: normalised surface Dice and Hausdorff distance."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]

TOLERANCE = 0.02
"""How far an outline may lie off, as a share of the picture's diagonal."""


class BoundaryScores(NamedTuple):
    """How well two outlines agree.

    Attributes:
        nsd: normalised surface Dice, 0 to 1: the share of both outlines that lies within the tolerance of the other.
        hd95: the larger of the two directed 95th percentiles of the distance (Hausdorff 95 %), in units of the
            spacing; the picture's diagonal where one of the masks is empty.
    """

    nsd: float
    hd95: float


def compare_boundaries(
    predicted: BoolArray,
    truth: BoolArray,
    tolerance: float = TOLERANCE,
    spacing: tuple[float, float] = (1.0, 1.0),
) -> BoundaryScores | None:
    """Compare the outlines of two masks, as MONAI's ``compute_surface_dice`` and ``compute_hausdorff_distance`` do.

    An outline is made of the mask's pixels that have one of their four neighbours outside it or outside the picture.

    Args:
        predicted: bool (H, W).
        truth: bool (H, W).
        tolerance: share of the picture's diagonal, 0 to 1.
        spacing: height and width of a pixel.

    Returns:
        The scores; None where both masks are empty and there is nothing to score. A mask against an empty one has an
        NSD of 0.
    """
    first, second = (_outline(mask) * spacing for mask in (predicted, truth))
    if not len(first) and not len(second):
        return None
    diagonal = math.hypot(truth.shape[0] * spacing[0], truth.shape[1] * spacing[1])
    if not len(first) or not len(second):
        return BoundaryScores(0.0, diagonal)
    there, back = _distances(first, second), _distances(second, first)
    # Distances of whole pixels are roots of whole numbers: without the margin, one that equals the tolerance may miss.
    near = tolerance * diagonal * (1 + 1e-9)
    close = np.count_nonzero(there <= near) + np.count_nonzero(back <= near)
    hd95 = max(float(np.percentile(distances, 95)) for distances in (there, back))
    return BoundaryScores(float(close) / (len(first) + len(second)), hd95)


def _outline(mask: BoolArray) -> FloatArray:
    """Rows and columns of the outline's pixels, (N, 2)."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return np.empty((0, 2))
    top, left = rows[0], columns[0]
    box = np.pad(mask[top : rows[-1] + 1, left : columns[-1] + 1], 1)
    middle = box[1:-1, 1:-1]
    inside = box[:-2, 1:-1] & box[2:, 1:-1] & box[1:-1, :-2] & box[1:-1, 2:]
    outline: FloatArray = np.argwhere(middle & ~inside).astype(np.float64)
    outline += (top, left)
    return outline


def _distances(points: FloatArray, others: FloatArray) -> FloatArray:
    """Distance of each of `points` to the nearest of `others`, (N,)."""
    tree = KDTree(others, compact_nodes=False, balanced_tree=False)  # built once, asked once
    return np.asarray(tree.query(points)[0], np.float64)
