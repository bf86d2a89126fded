"""Which pixels of a layer are another instrument."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.bool_]


def component_at(layer: Pixels, x: int, y: int) -> Pixels:
    """The connected component (8 neighbours) that holds a pixel of a layer.

    Args:
        layer: bool (H, W), the pixels of the layer.
        x: column of a pixel that is True.
        y: its row.

    Returns:
        bool (H, W).
    """
    labels = _components(layer)
    component: Pixels = labels == labels[y, x]
    return component


def follow(
    component: Pixels, layer: Pixels, frames: Iterable[int], pixels_of: Callable[[int], Pixels]
) -> Iterator[tuple[int, Pixels]]:
    """Follow a component from frame to frame, as long as it stays apart from the rest of its layer.

    A component of the next frame belongs to it if it overlaps with it and not with the rest. Where it touches the
    rest, leaves the picture or jumps, nothing tells any more what belongs to it, and the following ends.

    Args:
        component: bool (H, W), of the first frame.
        layer: bool (H, W), all pixels of the layer in the first frame.
        frames: the frames after it, or before it, in the order in which to follow.
        pixels_of: gives the pixels of the layer in a frame, bool (H, W).

    Yields:
        Index and pixels, bool (H, W), of the component in each frame up to the end.
    """
    rest = layer & ~component
    for index in frames:
        layer = pixels_of(index)
        labels = _components(layer)
        ours = np.setdiff1d(labels[component], np.append(labels[rest], 0))
        if not ours.size:
            return
        component = np.isin(labels, ours)
        rest = layer & ~component
        yield index, component


def _components(layer: Pixels) -> npt.NDArray[np.int32]:
    labels: npt.NDArray[np.int32] = cv2.connectedComponents(layer.view(np.uint8))[1]
    return labels
