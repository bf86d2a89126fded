"""Size, place, direction and tip of every instrument layer in a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from rasnet.errors import RASNetError
from rasnet.geometry import Point, Window, far_end, measure_pose, orient
from rasnet.labels import LabelSchema

if TYPE_CHECKING:
    from rasnet.video import RegionOfInterest

DISTAL_SHARE = 0.02
"""Less of a layer than this, and its distal part is taken for noise on the shaft."""

BORDER_SHARE = 0.005
"""How near to the border a mask counts as touching it, as a share of the picture's shorter side."""


@dataclass(frozen=True)
class LayerMeasurement:
    """One layer in one frame. Points are (x, y) in pixels, the first pixel's centre being (0, 0).

    Attributes:
        layer: layer id, 1 to 255.
        area: pixels.
        centroid: mean of the pixels' centres.
        axis: unit vector (dx, dy) along the instrument towards its tip; y points down.
        tip: the far end of the distal part (wrist and jaws). Without parts, the far end of the layer. None
            where parts are known and the layer shows none but the shaft: the tip is out of sight.
    """

    layer: int
    area: int
    centroid: Point
    axis: Point
    tip: Point | None


def measure_layers(
    layers: npt.NDArray[np.uint8],
    parts: npt.NDArray[np.uint8] | None = None,
    schema: LabelSchema | None = None,
    *,
    roi: RegionOfInterest | None = None,
) -> list[LayerMeasurement]:
    """Measure every layer of a frame.

    The axis is the principal axis of the layer's second moments. With parts it leads from the shaft to the
    distal part; without, from the border that the instrument comes in by (or is nearest to) into the picture.

    Args:
        layers: (H, W) uint8 layer ids, 0 where no instrument is.
        parts: (H, W) uint8 part ids of the same frame; None when the model gives none.
        schema: the schema of `parts`. Its labels lead outwards: the first after the background is the shaft,
            all others are distal. A schema of kind ``"types"`` says nothing of parts, and `parts` is not used.
        roi: what of the frame is picture; the whole frame unless given.

    Returns:
        One measurement a layer that has pixels, by rising id.

    Raises:
        RASNetError: the masks differ in size, or parts come without their schema.

    Examples:
        >>> layers = np.zeros((100, 200), np.uint8)
        >>> layers[40:61, :120] = 1  # a shaft from the left border
        >>> measure_layers(layers)[0].tip
        Point(x=119.0, y=50.0)
    """
    if layers.ndim != 2:
        raise RASNetError(f"a layer mask must be (height, width), not {layers.shape}; give one frame at a time")
    if parts is not None and parts.shape != layers.shape:
        raise RASNetError(f"layers {layers.shape} and parts {parts.shape} must be masks of the same frame and size")
    if parts is not None and schema is None:
        raise RASNetError("parts were given without their label schema; give the schema as well")
    window = picture_window(layers.shape, roi)
    distal = parts if schema is not None and schema.kind == "parts" else None
    counts = cv2.calcHist([layers], [0], None, [256], [0, 256]).ravel()
    return [_measure_layer(int(layer), layers, distal, window) for layer in np.flatnonzero(counts[1:]) + 1]


def picture_window(shape: tuple[int, ...], roi: RegionOfInterest | None) -> Window:
    """The border that instruments come in by: the region of interest's, or the whole frame's."""
    if roi is None:
        top, left, height, width = 0, 0, shape[0], shape[1]
    else:
        top, left, height, width = roi.top, roi.left, roi.height, roi.width
    band = max(1, round(BORDER_SHARE * min(height, width)))
    return Window(top, left, top + height, left + width, band)


def _measure_layer(
    layer: int, layers: npt.NDArray[np.uint8], parts: npt.NDArray[np.uint8] | None, window: Window
) -> LayerMeasurement:
    mask = cv2.inRange(layers, layer, layer)
    left, top, width, height = cv2.boundingRect(mask)
    box = (slice(top, top + height), slice(left, left + width))
    mask = np.ascontiguousarray(mask[box])
    pose = measure_pose(mask, window, (top, left))
    if parts is None:
        return LayerMeasurement(layer, pose.area, pose.centroid, pose.axis, pose.far_end)
    inside = np.where(mask > 0, parts[box], 0)
    shaft, distal = (inside == 1).view(np.uint8), (inside > 1).view(np.uint8)
    distal_area = cv2.countNonZero(distal)
    if distal_area < DISTAL_SHARE * pose.area:
        return LayerMeasurement(layer, pose.area, pose.centroid, pose.axis, None)
    axis = pose.axis
    if cv2.countNonZero(shaft):
        axis = orient(axis, _centroid(shaft), _centroid(distal))
    return LayerMeasurement(layer, pose.area, pose.centroid, axis, far_end(distal, axis, (top, left)))


def _centroid(mask: npt.NDArray[np.uint8]) -> Point:
    moments = cv2.moments(mask, binaryImage=True)
    return Point(moments["m10"] / moments["m00"], moments["m01"] / moments["m00"])
