"""Folders of pictures that show no instrument: tissue alone, or what a camera sees outside of the body."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rasnet.datasets.example import Example
from rasnet.datasets.images import images_in, read_rgb


def read_without_instruments(folder: Path, step: int = 1) -> Iterator[Example]:
    """Read images of any sizes; every pixel of them is background.

    Args:
        folder: that the images lie in.
        step: take every step-th image.

    Raises:
        RASNetError: there is no image, or one is broken.
    """
    for file in images_in(folder)[::step]:
        rgb = read_rgb(file)
        yield Example(rgb, np.zeros(rgb.shape[:2], np.uint8))
