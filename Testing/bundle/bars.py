"""A picture that the released network understands, however small: a shaft over tissue that comes in from the left."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image
from videos import RECIPES, write

HEIGHT, WIDTH = 64, 96

# An even grey on an even red would not do: pictures like that are among those without instruments that it learnt from.
_NOISE = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
_MOTTLING = 3.0 * (cv2.GaussianBlur(_NOISE, (0, 0), 4)[..., :1].astype(np.float32) - 128)


def shading(rows: int) -> npt.NDArray[np.float64]:
    """Brightness across a cylinder, 0.35 at the edges and 1 in the middle, (rows, 1, 1)."""
    across: npt.NDArray[np.float64] = 0.35 + 0.65 * np.sqrt(1 - np.linspace(-1, 1, rows) ** 2)
    return across[:, None, None]


def bar(index: int, height: int = HEIGHT, width: int = WIDTH) -> npt.NDArray[np.uint8]:
    """Picture of frame `index`, uint8 (H, W, 3): the bar is 24 pixels long and grows by 4 a frame."""
    tissue = np.tile(_MOTTLING, (2, 2, 1))[:height, :width] * (1.0, 0.7, 0.7) + (150, 60, 50)
    rgb: npt.NDArray[np.uint8] = tissue.clip(0, 255).astype(np.uint8)
    rgb[24:40, : 24 + 4 * index] = (180 * shading(16)).astype(np.uint8)
    return rgb


def bar_mask(index: int, height: int = HEIGHT, width: int = WIDTH) -> npt.NDArray[np.bool_]:
    """Where the bar of frame `index` is, bool (H, W)."""
    mask = np.zeros((height, width), bool)
    mask[24:40, : 24 + 4 * index] = True
    return mask


def write_bar_video(path: Path, count: int) -> Path:
    """Encode `count` frames of 1/25 s as H.264 in MP4."""
    return write(path, RECIPES["mp4"], [bar(index) for index in range(count)])


def write_bar_folder(folder: Path, count: int) -> Path:
    """Write `count` PNG frames."""
    folder.mkdir()
    for index in range(count):
        Image.fromarray(bar(index)).save(folder / f"frame{index}.png")
    return folder
