"""How the picture moves from one frame to another, where that can be told, and where the video is cut."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

Value = TypeVar("Value", bound=np.generic)

Grey = npt.NDArray[np.uint8]
Field = npt.NDArray[np.float32]

SIDE = 320
"""Pixels of the longer side of the pictures that motion is measured in."""

# Where a pixel that is sent there and back arrives this far from where it started (pixels of such a picture), its
# motion is as likely wrong as right.
_CLOSURE = 2.0

# Of the picture's own contrast, what motion leaves unexplained at a cut, at least. Between neighbours in four real
# videos (265 pairs) it was 0.28 at most, between pictures of different scenes or a minute apart (230) 0.46 at least.
_CUT = 0.38

# Pixels of the small picture that a joined motion may have drifted.
_DRIFT = 4.0


class Motion(NamedTuple):
    """How one picture came out of another.

    Attributes:
        offset: float32 (h, w, 2), from each pixel (x, y) of the new picture to where it was in the old one.
        unexplained: mean grey difference that is left after the motion, as a share of the picture's contrast.
    """

    offset: Field
    unexplained: float

    @property
    def is_cut(self) -> bool:
        """Whether the two pictures show different scenes."""
        return self.unexplained > _CUT


def small_grey(rgb: npt.NDArray[np.uint8]) -> Grey:
    """Shrink a picture, uint8 (H, W, 3), to grey of at most `SIDE` pixels on the longer side, uint8 (h, w)."""
    height, width = rgb.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    size = max(16, round(width * scale)), max(16, round(height * scale))
    grey: Grey = cv2.cvtColor(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    return grey


def measure_motion(old: Grey, new: Grey) -> Motion:
    """Measure how the picture moved between two frames, by dense inverse search (T. Kroeger et al., ECCV 2016).

    Args:
        old: uint8 (h, w).
        new: uint8 (h, w), of the same size.
    """
    offset = _search().calc(new, old, None)
    left = cv2.absdiff(carry(old, offset), new)
    contrast = max(float(new.std()), 1.0)
    return Motion(offset, float(left.mean()) / contrast)


def refine(offset: Field, old: Grey, new: Grey) -> Field:
    """Take the drift out of a motion that was joined of many steps, where the two pictures are alike enough.

    Args:
        offset: float32 (h, w, 2), joined.
        old: uint8 (h, w), where the motion came from.
        new: uint8 (h, w), where it led to.

    Returns:
        float32 (h, w, 2): searched for anew from there, where that is near and explains the picture better.
    """
    found = _search().calc(new, old, offset.copy())
    near = np.linalg.norm(found - offset, axis=2) < _DRIFT
    better = near & (_unexplained(found, old, new) < _unexplained(offset, old, new))
    refined: Field = np.where(better[..., None], found, offset)
    return refined


def carry(image: npt.NDArray[Value], offset: Field, *, nearest: bool = False) -> npt.NDArray[Value]:
    """Move an image along: each pixel gets what was where it came from.

    Args:
        image: (H, W) or (H, W, C), uint8 or float32; any size, which `offset` is enlarged to.
        offset: float32 (h, w, 2), as in `Motion`.
        nearest: take values as they are, as masks need it, instead of mixing neighbours.

    Returns:
        Of the image's size and dtype; zero where the origin lies outside of the picture.
    """
    offset = enlarge_offset(offset, image.shape[:2])
    rows, columns = np.indices(image.shape[:2], dtype=np.float32)
    mode = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    border = cv2.BORDER_CONSTANT if nearest else cv2.BORDER_REPLICATE
    moved: npt.NDArray[Value] = cv2.remap(
        image, columns + offset[..., 0], rows + offset[..., 1], mode, borderMode=border
    )
    return moved


def closure(offset: Field, forth: Field) -> Field:
    """Say how far a motion can be believed: the way there and back must meet.

    They do not where something was uncovered, or where the search went astray.

    Args:
        offset: float32 (h, w, 2), from the new picture to the old one.
        forth: float32 (h, w, 2), from the old picture to the new one.

    Returns:
        float32 (h, w), 0 to 1, of each pixel of the new picture; 0 where its origin lies outside of the old one.
    """
    height, width = offset.shape[:2]
    rows, columns = np.indices((height, width), dtype=np.float32)
    x, y = columns + offset[..., 0], rows + offset[..., 1]
    inside = (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)
    missed = np.linalg.norm(offset + carry(forth, offset), axis=2)
    sure: Field = np.where(inside, np.exp2(-np.square(missed / _CLOSURE)), 0).astype(np.float32)
    return sure


def follow_on(earlier: Field, step: Field) -> Field:
    """Join the motion of two steps.

    Args:
        earlier: float32 (h, w, 2), of the step that a pixel takes last.
        step: float32 (h, w, 2), of the step that a pixel takes first.
    """
    joined: Field = step + carry(earlier, step)
    return joined


def enlarge_offset(offset: Field, size: tuple[int, ...]) -> Field:
    """Give a motion field for pictures of another size, height and width."""
    height, width = offset.shape[:2]
    if (height, width) == tuple(size):
        return offset
    enlarged: Field = cv2.resize(offset, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    enlarged *= np.array([size[1] / width, size[0] / height], np.float32)
    return enlarged


def _unexplained(offset: Field, old: Grey, new: Grey) -> Field:
    """Grey difference that a motion leaves around each pixel."""
    left: Field = cv2.GaussianBlur(cv2.absdiff(carry(old, offset), new).astype(np.float32), (0, 0), 3)
    return left


def _search() -> cv2.DISOpticalFlow:
    return cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
