"""Synthetic stills with exact masks, rendered at the size that they are kept at."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from rasnet.datasets.example import Example
from rasnet.labels import IGNORE
from rasnet.synthetic import random_frames

# Brightest channel under which a pixel is black: the lens border, or an instrument in the dark.
_BLACK_BELOW = 5


def render_examples(count: int, size: tuple[int, int], seed: int, device: str | torch.device) -> Iterator[Example]:
    """Render stills, each of its own scene; the mask ignores what is too dark for anyone to see.

    Args:
        count: how many.
        size: height and width in pixels.
        seed: the same stills come for the same seed.
        device: where to render: a GPU does in a minute what takes a CPU core half an hour.
    """
    for frame in random_frames(count, size=size, seed=seed, device=device):
        parts = frame.parts.copy()
        parts[frame.rgb.max(axis=-1) < _BLACK_BELOW] = IGNORE
        yield Example(frame.rgb, parts)
