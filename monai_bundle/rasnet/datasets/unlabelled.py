"""Folders of frames of which nothing is known: tissue to paste instruments onto, and pictures for a teacher."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rasnet.datasets.example import Example
from rasnet.datasets.images import images_in, read_rgb
from rasnet.labels import IGNORE


def read_unlabelled(folder: Path, step: int = 1) -> Iterator[Example]:
    """Read images of any sizes.

    Args:
        folder: that the images lie in.
        step: take every step-th image.

    Raises:
        RASNetError: there is no image, or one is broken.
    """
    for file in images_in(folder)[::step]:
        rgb = read_rgb(file)
        yield Example(rgb, np.full(rgb.shape[:2], IGNORE, np.uint8))
