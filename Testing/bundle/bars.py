"""A picture that the released network understands, however small it is: a grey bar that comes in from the left."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from videos import RECIPES, write

HEIGHT, WIDTH = 64, 96


def bar(index: int, height: int = HEIGHT, width: int = WIDTH) -> npt.NDArray[np.uint8]:
    """Picture of frame `index`, uint8 (H, W, 3): the bar is 24 pixels long and grows by 4 a frame."""
    rgb = np.full((height, width, 3), (150, 60, 50), np.uint8)
    rgb[24:40, : 24 + 4 * index] = 180
    return rgb


def write_bar_video(path: Path, count: int) -> Path:
    """Encode `count` frames of 1/25 s as H.264 in MP4."""
    return write(path, RECIPES["mp4"], [bar(index) for index in range(count)])


def write_bar_folder(folder: Path, count: int) -> Path:
    """Write `count` PNG frames."""
    folder.mkdir()
    for index in range(count):
        Image.fromarray(bar(index)).save(folder / f"frame{index}.png")
    return folder
