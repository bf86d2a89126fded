"""How cameras and light sources differ: colour, contrast, light field, and blood on the tissue.

Every function takes pictures, float (B, 3, H, W), near 0 to 1, and gives pictures of the same shape; probabilities
and ranges hold for each picture by itself.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rasnet.datasets.augmentation.draw import Draw

LUMINANCE = (0.299, 0.587, 0.114)
BLOOD = (0.9, 0.25, 0.2)


def saturation(images: Tensor, draw: Draw) -> Tensor:
    """Scale colourfulness by 0.5 to 1.5; make 15 % of the pictures grey, as some archives are."""
    grey = (images * _color(images, LUMINANCE)).sum(dim=1, keepdim=True)
    return torch.lerp(grey, images, draw.uniform(0.5, 1.5) * (1 - draw.chance(0.15)))


def hue(images: Tensor, draw: Draw) -> Tensor:
    """Turn colours about the grey axis, by 7 degrees (standard deviation)."""
    angle = draw.normal(0.12)
    cos, sin = angle.cos(), angle.sin() / math.sqrt(3)
    rest = (1 - cos) / 3
    red, green, blue = images.unbind(dim=1)
    shifted = torch.stack([green, blue, red], dim=1)
    twice = torch.stack([blue, red, green], dim=1)
    return images * (cos + rest) + shifted * (rest - sin) + twice * (rest + sin)


def white_balance(images: Tensor, draw: Draw) -> Tensor:
    """Scale red, green and blue each by 0.85 to 1.15."""
    return images * draw.uniform(0.85, 1.15, channels=3)


def gamma(images: Tensor, draw: Draw) -> Tensor:
    """Raise to a power of 0.58 to 1.73."""
    return images.clamp(1e-4, 1) ** draw.factor(math.exp(-0.55), math.exp(0.55))


def contrast(images: Tensor, draw: Draw) -> Tensor:
    """Scale the distance to the picture's mean by 0.67 to 1.49 and the mean by 0.64 to 1.42."""
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    spread = draw.factor(math.exp(-0.4), math.exp(0.4))
    return (images - mean) * spread + mean * draw.factor(math.exp(-0.45), math.exp(0.35))


def uneven_light(images: Tensor, draw: Draw) -> Tensor:
    """Brighten and darken areas by up to 70 %, in 30 % of the pictures."""
    field = (draw.clouds(2, _size(images)) - 0.5) * draw.uniform(0.4, 1.4)
    return images * (1 + field * draw.chance(0.3))


def blood(images: Tensor, draw: Draw) -> Tensor:
    """Tint patches red, by 20 to 80 %, in 20 % of the pictures."""
    patches = ((draw.clouds(4, _size(images)) - draw.uniform(0.45, 0.6)) * 8).sigmoid()
    patches = patches * draw.uniform(0.2, 0.8) * draw.chance(0.2)
    return torch.lerp(images, images * _color(images, BLOOD), patches)


def _size(images: Tensor) -> tuple[int, int]:
    return images.shape[-2], images.shape[-1]


def _color(images: Tensor, color: tuple[float, float, float]) -> Tensor:
    return images.new_tensor(color).view(1, 3, 1, 1)
