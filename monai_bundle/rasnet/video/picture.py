"""A decoded picture as an upright RGB array."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

UNSPECIFIED = 2
"""The colour space of a picture that states none, by FFmpeg's number."""

_converters = threading.local()


def to_rgb(picture: Any, matrix: npt.NDArray[np.int32] | None, threads: int = 0) -> npt.NDArray[np.uint8]:
    """Convert a PyAV frame to uint8 (H, W, 3), full range, turned upright by a display matrix.

    The colour matrix and range are those that the video states. Where it states no matrix, pictures
    larger than standard definition are taken as BT.709 and others as BT.601, as video players do.

    Several threads may convert pictures at once.

    Args:
        picture: the frame.
        matrix: (3, 3), or None where the picture is upright.
        threads: that share the work; 0 takes one a core. Callers that convert pictures side by side give 1: each would
            start as many threads as there are cores, which cost more than the work itself.

    Returns:
        uint8 (H, W, 3), which shows the converted frame's memory where nothing is turned.
    """
    colors = "ITU709" if picture.colorspace == UNSPECIFIED and is_high_definition(picture) else None
    if picture.format.name == "nv12":  # which FFmpeg turns into other colours
        picture = _converter().reformat(picture, format="yuv420p", threads=threads)
    converted = _converter().reformat(picture, format="rgb24", src_colorspace=colors, threads=threads)
    return upright(converted.to_ndarray(), matrix)


def is_high_definition(picture: Any) -> bool:
    """Whether a PyAV frame is larger than standard definition, and taken as BT.709 where it states no colour matrix."""
    return bool(picture.width >= 1280 or picture.height > 576)


def _converter() -> Any:
    """FFmpeg's scaler of this thread, whose tables are made once and not for every picture."""
    if not hasattr(_converters, "own"):
        from av.video.reformatter import VideoReformatter

        _converters.own = VideoReformatter()
    return _converters.own


def display_matrix(picture: Any) -> npt.NDArray[np.int32] | None:
    """The (3, 3) display matrix that comes with a picture, None where there is none.

    Ask one picture of a video only: PyAV's side data and its frame hold each other, so every frame that is asked stays
    in memory until Python's garbage collector comes by, hundreds of frames later.
    """
    data = picture.side_data.get("DISPLAYMATRIX")
    return None if data is None else np.frombuffer(bytes(data), np.int32, count=9).reshape(3, 3)


def upright(image: npt.NDArray[np.uint8], matrix: npt.NDArray[np.int32] | None) -> npt.NDArray[np.uint8]:
    """Turn and mirror an image as a display matrix says.

    Args:
        image: uint8 (H, W, 3).
        matrix: (3, 3), row vectors: (x', y') = (x, y) @ matrix[:2, :2]. Angles are rounded to quarter turns.

    Returns:
        uint8 (H, W, 3) or (W, H, 3), contiguous.
    """
    if matrix is None:
        return image
    (a, b), (c, d) = matrix[:2, :2].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        image = image.transpose(1, 0, 2)
        along_x, along_y = c, b
    else:
        along_x, along_y = a, d
    if along_x < 0:
        image = image[:, ::-1]
    if along_y < 0:
        image = image[::-1]
    return np.ascontiguousarray(image)
