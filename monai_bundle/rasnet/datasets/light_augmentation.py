"""Augmentation for frames of one kind: none, as in the paper, or a little."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from rasnet.datasets.augmentation import Augmentation
from rasnet.datasets.augmentation.color import contrast, gamma
from rasnet.datasets.augmentation.draw import Draw
from rasnet.datasets.augmentation.geometry import View, mirror, sample, sampling_grid

Augment = Callable[[Tensor, Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor]]
Strength = Literal["none", "light", "strong"]

_ZOOM = (0.9, 1.25)
_TURN_DEGREES = 8.0
_SHIFT = 0.1


class NoAugmentation:
    """Gives pictures as they are kept: the paper names no augmentation."""

    def __call__(
        self, images: Tensor, masks: Tensor, aspects: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Turn a batch into floats; see `rasnet.datasets.Augmentation` for shapes."""
        return (images.float() / 255).contiguous(memory_format=torch.channels_last), masks


class LightAugmentation:
    """Flips, turns of a few degrees, a little zoom and shift, other contrast and gamma.

    Args:
        size: height and width of the output.
    """

    def __init__(self, size: Sequence[int] = (256, 320)) -> None:
        self.size = (size[0], size[1])

    @torch.no_grad()
    def __call__(
        self, images: Tensor, masks: Tensor, aspects: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Augment a batch; see `rasnet.datasets.Augmentation` for shapes."""
        draw = Draw(len(images), generator)
        view = View(
            aspects,
            zoom=draw.factor(*_ZOOM).flatten(),
            turn=draw.normal(math.radians(_TURN_DEGREES)).flatten(),
            flip_x=draw.sign().flatten(),
            flip_y=draw.sign().flatten(),
            shift_x=draw.uniform(-_SHIFT, _SHIFT).flatten(),
            shift_y=draw.uniform(-_SHIFT, _SHIFT).flatten(),
        )
        pictures, labels = sample(images.float() / 255, masks, mirror(sampling_grid(view, self.size)))
        for transform in (contrast, gamma):
            pictures = transform(pictures, draw)
        return pictures.clamp(0, 1).contiguous(memory_format=torch.channels_last), labels


def choose_augmentation(strength: Strength, size: Sequence[int]) -> Augment:
    """Give the augmentation of a name.

    Args:
        strength: ``"none"``, the paper's; ``"light"``; ``"strong"``, that of the released weights.
        size: height and width of the network's input.

    Raises:
        ValueError: no such augmentation.
    """
    if strength not in ("none", "light", "strong"):
        raise ValueError(f"augmentation must be 'none', 'light' or 'strong', not {strength!r}")
    if strength == "none":
        return NoAugmentation()
    return LightAugmentation(size) if strength == "light" else Augmentation(size)
