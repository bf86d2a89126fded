"""Frames at a coarser resolution, and edits of coarse masks carried back into full ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rasnet.masks import Mask


def shrink_image(rgb: npt.NDArray[np.uint8], scale: int) -> npt.NDArray[np.uint8]:
    """Mean colour of blocks of scale x scale pixels.

    Args:
        rgb: uint8 (H, W, 3); its border is repeated where the last block is not full.
        scale: 1 gives the picture itself.

    Returns:
        uint8 (ceil(H / scale), ceil(W / scale), 3).
    """
    if scale == 1:
        return rgb
    import cv2

    padded = _padded(rgb, scale)
    size = (padded.shape[1] // scale, padded.shape[0] // scale)
    small: npt.NDArray[np.uint8] = cv2.resize(padded, size, interpolation=cv2.INTER_AREA)
    return small


def shrink_mask(mask: Mask, scale: int) -> Mask:
    """The value at the middle of each block, uint8 (ceil(H / scale), ceil(W / scale))."""
    return mask if scale == 1 else _padded(mask, scale)[scale // 2 :: scale, scale // 2 :: scale].copy()


def carry_edit(full: Mask, edited: Mask, scale: int) -> Mask:
    """Put what was changed in a coarse mask into the full one; blocks that were not changed stay exact.

    Args:
        full: uint8 (H, W), the mask before the edit.
        edited: `shrink_mask(full, scale)`, changed by someone.
        scale: of the blocks.

    Returns:
        uint8 (H, W), whose `shrink_mask` is `edited`.
    """
    if scale == 1:
        return edited
    height, width = full.shape
    changed = _blocks(edited != shrink_mask(full, scale), scale)[:height, :width]
    return np.where(changed, _blocks(edited, scale)[:height, :width], full)


def _padded(image: npt.NDArray[np.uint8], scale: int) -> npt.NDArray[np.uint8]:
    rows, columns = (-image.shape[0]) % scale, (-image.shape[1]) % scale
    return np.pad(image, [(0, rows), (0, columns)] + [(0, 0)] * (image.ndim - 2), mode="edge")


def _blocks(image: npt.NDArray[np.generic], scale: int) -> npt.NDArray[np.generic]:
    return image.repeat(scale, axis=0).repeat(scale, axis=1)
