"""Blank pictures: what a camera gives without a signal, in the light of a lamp, behind a cloth or out of focus."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import numpy.typing as npt

from rasnet.datasets.example import Example

FloatArray = npt.NDArray[np.float32]

_SMOOTHEST, _ROUGHEST = 2, 12  # cells a side of the fields of colour


def render_blanks(count: int, size: tuple[int, int], seed: int) -> Iterator[Example]:
    """Render pictures without anything to find: black, white, one colour, and smooth fields of colours; some noisy.

    Args:
        count: how many.
        size: height and width in pixels.
        seed: the same pictures come for the same seed.
    """
    kinds: tuple[Callable[[tuple[int, int], np.random.Generator], FloatArray], ...] = (_dark, _bright, _flat, _smooth)
    random = np.random.default_rng(seed)
    for place in range(count):
        picture = kinds[place % len(kinds)](size, random)
        noise = random.normal(0, random.choice([0.0, 0.01, 0.06]), picture.shape)
        rgb = np.round(255 * (picture + noise).clip(0, 1)).astype(np.uint8)
        yield Example(rgb, np.zeros(size, np.uint8))


def _dark(size: tuple[int, int], random: np.random.Generator) -> FloatArray:
    light = random.choice(np.array([0.0, 0.03, 0.1], np.float32))
    dark: FloatArray = _smooth(size, random) * light
    return dark


def _bright(size: tuple[int, int], random: np.random.Generator) -> FloatArray:
    return 1 - _dark(size, random)


def _flat(size: tuple[int, int], random: np.random.Generator) -> FloatArray:
    color = random.random(3, dtype=np.float32)
    return np.broadcast_to(color if random.random() < 0.7 else color[:1], (*size, 3))


def _smooth(size: tuple[int, int], random: np.random.Generator) -> FloatArray:
    """Colours of a few random points, with smooth transitions."""
    cells = int(random.integers(_SMOOTHEST, _ROUGHEST, endpoint=True))
    points = random.random((cells, cells, 3), dtype=np.float32)
    field: FloatArray = cv2.resize(points, size[::-1], interpolation=cv2.INTER_CUBIC)
    return field
