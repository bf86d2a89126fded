"""The size of the network's input, which every backend, exporter and training set takes from here."""

from __future__ import annotations

import math

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

PAPER_PIXELS = 320 * 256
"""Pixels of the network's input in the paper, which resizes every frame to 320x256."""

NETWORK_STRIDE = 32


def network_size(height: int, width: int, pixels: int = PAPER_PIXELS) -> tuple[int, int]:
    """Choose the network's input size for a picture: its shape, the paper's number of pixels, multiples of 32.

    Args:
        height: of the picture, in pixels.
        width: of the picture, in pixels.
        pixels: wanted number of pixels of the input.

    Returns:
        Height and width of the network's input.

    Examples:
        >>> network_size(1024, 1280)  # EndoVis 2017
        (256, 320)
        >>> network_size(1080, 1920)
        (224, 384)
    """
    scale = math.sqrt(pixels / (height * width))
    rows, columns = (
        max(NETWORK_STRIDE, round(side * scale / NETWORK_STRIDE) * NETWORK_STRIDE) for side in (height, width)
    )
    return rows, columns
