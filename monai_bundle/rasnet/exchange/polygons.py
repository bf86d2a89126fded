"""Masks as polygons and back: outlines through the centres of the border's pixels, holes joined by a cut."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from rasnet.errors import RASNetError

Polygon = npt.NDArray[np.float64]
"""Points (x, y) in pixels, (N, 2): the centre of the first pixel is (0.5, 0.5)."""

_CENTRE = 0.5


def trace(pixels: npt.NDArray[np.bool_]) -> list[Polygon]:
    """Give one polygon for each connected component (8 neighbours), largest first.

    Polygons cannot have holes in most formats: each hole is joined to the outline by a cut at the narrowest place.
    `fill`, and programs that fill with OpenCV as it does, give the mask back exactly but for pixels along such cuts.

    Args:
        pixels: bool (H, W).
    """
    contours, hierarchy = cv2.findContours(pixels.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return []
    outlines: dict[int, npt.NDArray[np.int32]] = {}
    for number, (contour, links) in enumerate(zip(contours, hierarchy[0], strict=True)):
        if links[3] < 0:
            outlines[number] = contour[:, 0]
    for contour, links in zip(contours, hierarchy[0], strict=True):
        if links[3] >= 0:
            outlines[links[3]] = _join(outlines[links[3]], contour[:, 0])
    ordered = sorted(outlines.values(), key=lambda outline: -float(cv2.contourArea(outline)))
    return [outline.astype(np.float64) + _CENTRE for outline in ordered]


def fill(polygon: Polygon, height: int, width: int) -> npt.NDArray[np.bool_]:
    """Give the pixels inside a polygon and on its outline, bool (H, W).

    Args:
        polygon: (N, 2), inside the image.
        height: of the image, pixels.
        width: of the image, pixels.
    """
    canvas = np.zeros((height, width), np.uint8)
    last = (width - 1, height - 1)
    points = np.minimum(np.floor(polygon), last).astype(np.int32)
    cv2.fillPoly(canvas, [points], 1)
    return canvas.astype(np.bool_)


def check_polygon(polygon: Polygon, height: int, width: int, where: str) -> None:
    """Refuse what `fill` cannot fill.

    Raises:
        RASNetError: fewer than three numbers of points can enclose nothing, or points lie outside the image.
    """
    if not len(polygon) or not np.isfinite(polygon).all():
        raise RASNetError(f"{where} has a polygon without points; draw it again")
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    margin = 1e-3  # of a pixel, for texts that round
    if (low < -margin).any() or (high > np.array((width, height)) + margin).any():
        raise RASNetError(
            f"{where} has a polygon outside the image (x {low[0]:.1f} to {high[0]:.1f} of {width}, "
            f"y {low[1]:.1f} to {high[1]:.1f} of {height}); draw it inside"
        )


def _join(outline: npt.NDArray[np.int32], hole: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """One outline that runs to the hole where it is nearest, around it, and back."""
    distances = np.square(outline[:, None].astype(np.int64) - hole[None]).sum(axis=2)
    at, to = np.unravel_index(distances.argmin(), distances.shape)
    around = np.concatenate([hole[to:], hole[: to + 1]])
    return np.concatenate([outline[: at + 1], around, outline[at:]])
