"""Instruments of one picture over another."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from rasnet.datasets.augmentation.draw import Draw
from rasnet.labels import IGNORE


def copy_paste(images: Tensor, masks: Tensor, draw: Draw, probability: float = 0.3) -> tuple[Tensor, Tensor]:
    """Lay the instruments of a random other picture of the batch over a picture, with soft edges.

    An instrument that is copied onto an unlabelled picture is labelled; what surrounds it stays unknown.

    Args:
        images: float (B, 3, H, W), 0 to 1.
        masks: uint8 (B, H, W).
        draw: randomness.
        probability: that a picture receives instruments.

    Returns:
        The pictures and masks, of the same shapes and dtypes.
    """
    donor = draw.order()
    pasted = (masks[donor] > 0) & (masks[donor] != IGNORE) & (draw.chance(probability)[:, 0] > 0)
    coverage = F.avg_pool2d(pasted[:, None].float(), kernel_size=5, stride=1, padding=2)
    opacity = torch.where(pasted[:, None], coverage.clamp_min(0.6), coverage / 4)
    return torch.lerp(images, images[donor], opacity), torch.where(pasted, masks[donor], masks)
