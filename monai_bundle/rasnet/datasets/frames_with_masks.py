"""Folders of frames with binary masks beside them: ``000120.jpg`` and ``000120_mask.png``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rasnet.datasets.example import Example
from rasnet.datasets.images import images_in, read_grey, read_rgb
from rasnet.errors import RASNetError
from rasnet.labels import ANY_INSTRUMENT

MASK_ENDING = "_mask"


def read_frames_with_masks(folder: Path, step: int = 1) -> Iterator[Example]:
    """Read frames whose masks say "instrument" (128 to 255) or not, and nothing of parts.

    Args:
        folder: holds every frame and its mask, which is named after it.
        step: take every step-th frame.

    Raises:
        RASNetError: a mask or a frame is missing or broken.
    """
    files = images_in(folder)
    masks = {file.stem.removesuffix(MASK_ENDING): file for file in files if file.stem.endswith(MASK_ENDING)}
    frames = {file.stem: file for file in files if not file.stem.endswith(MASK_ENDING)}
    _check_pairs(folder, set(frames), set(masks))
    for name, file in list(frames.items())[::step]:
        instrument = read_grey(masks[name]) > 127
        yield Example(read_rgb(file), np.where(instrument, np.uint8(ANY_INSTRUMENT), np.uint8(0)))


def _check_pairs(folder: Path, frames: set[str], masks: set[str]) -> None:
    count = f"{folder} holds {len(frames)} frames and {len(masks)} masks"
    if lonely := sorted(frames - masks):
        raise RASNetError(f"{count}: frame {lonely[0]} has no {lonely[0]}{MASK_ENDING}.png; add it or remove the frame")
    if lonely := sorted(masks - frames):
        raise RASNetError(f"{count}: mask {lonely[0]}{MASK_ENDING} has no frame; add the frame or remove the mask")
