"""Folders of frames without masks: nothing is known of them, or it is known that they show no instrument."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rasnet.datasets.example import Example
from rasnet.datasets.images import images_in, read_rgb
from rasnet.labels import IGNORE


def read_unlabelled(folder: Path, step: int = 1) -> Iterator[Example]:
    """Read images of any sizes of which nothing is known: tissue to paste instruments onto, pictures for a teacher.

    Args:
        folder: that the images lie in.
        step: take every step-th image.

    Raises:
        RASNetError: there is no image, or one is broken.
    """
    return _read(folder, step, value=IGNORE)


def read_without_instruments(folder: Path, step: int = 1) -> Iterator[Example]:
    """Read images of any sizes that are background all over: tissue alone, or what is seen outside of the body.

    Args:
        folder: that the images lie in.
        step: take every step-th image.

    Raises:
        RASNetError: there is no image, or one is broken.
    """
    return _read(folder, step, value=0)


def _read(folder: Path, step: int, value: int) -> Iterator[Example]:
    for file in images_in(folder)[::step]:
        rgb = read_rgb(file)
        yield Example(rgb, np.full(rgb.shape[:2], value, np.uint8))
