"""Hard negatives: pale, elongated tissue that is no instrument - ligaments, vessels, scars, edges of bowel."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from rasnet.datasets.augmentation.draw import Draw

PALE = (0.82, 0.74, 0.72)
"""Red, green and blue of the tissue, before it varies."""

BANDS = 2
_NODES = 14
_FAR = 9.0


def tissue_bands(images: Tensor, masks: Tensor, draw: Draw, probability: float = 0.35) -> Tensor:
    """Draw up to two bent bands behind the instruments; they are background, so masks stay as they are.

    Args:
        images: float (B, 3, H, W), 0 to 1.
        masks: uint8 (B, H, W); bands come only where it is 0.
        draw: randomness.
        probability: of each band.

    Returns:
        The pictures, of the same shape.
    """
    background = (masks == 0)[:, None].float()
    neighbour = images.roll(1, 0)  # the band's texture is another picture's
    for _ in range(BANDS):
        distance = _distance(draw, _half(images))
        distance = F.interpolate(distance, images.shape[-2:], mode="bilinear", align_corners=False)
        sharpness, opacity = draw.uniform(3, 14), draw.uniform(0.5, 1)
        shape = ((1 - distance) * sharpness).sigmoid() * opacity * draw.chance(probability)
        images = torch.lerp(images, _surface(neighbour, distance, draw), shape * background)
    return images.clamp(0, 1)


def _surface(texture: Tensor, distance: Tensor, draw: Draw) -> Tensor:
    """Colour the bands: paler than the tissue that lends its texture, darker to the edge, at times with highlights."""
    brightness = texture.mean(dim=1, keepdim=True)
    tint = texture.new_tensor(PALE).view(1, 3, 1, 1) * draw.uniform(0.75, 1.25, channels=3) * draw.uniform(0.5, 1.2)
    color = torch.lerp(texture, tint * (0.65 + 0.7 * brightness), draw.uniform(0.3, 0.95))
    rounded = color * (1.1 - 0.45 * distance.clamp(0, 1).square())
    size = (texture.shape[-2], texture.shape[-1])
    highlights = ((draw.clouds(20, size) - 0.72) * 30).sigmoid() * draw.chance(0.4)
    return rounded + 0.5 * highlights


def _distance(draw: Draw, size: tuple[int, int]) -> Tensor:
    """Distance of every pixel to a bent line, in widths of the band, with a ragged edge: (B, 1, *size)."""
    height, width = size
    x = torch.linspace(-1, 1, width, device=draw.device).view(1, 1, 1, width) * width / height
    y = torch.linspace(-1, 1, height, device=draw.device).view(1, 1, height, 1)
    nodes_x, nodes_y, widths = _line(draw)
    nearest = torch.full((draw.count, 1, height, width), _FAR, device=draw.device)
    for node in range(_NODES - 1):
        from_x, from_y = nodes_x[:, node : node + 1], nodes_y[:, node : node + 1]
        along_x, along_y = nodes_x[:, node + 1 : node + 2] - from_x, nodes_y[:, node + 1 : node + 2] - from_y
        length = along_x.square() + along_y.square() + 1e-6
        place = (((x - from_x) * along_x + (y - from_y) * along_y) / length).clamp(0, 1)
        off = torch.hypot(x - from_x - place * along_x, y - from_y - place * along_y)
        nearest = torch.minimum(nearest, off / widths[:, node : node + 1])
    return nearest + 0.25 * (draw.clouds(6, size) - 0.5)


def _line(draw: Draw) -> tuple[Tensor, Tensor, Tensor]:
    """Nodes of a bent line, x and y in half heights of the picture, and half widths there: each (B, nodes, 1, 1)."""
    t = torch.linspace(-0.1, 1.1, _NODES, device=draw.device).view(1, _NODES, 1, 1)
    angle, length = draw.uniform(0, 2 * math.pi), draw.uniform(0.3, 1.8)
    arc = draw.normal(0.25) * 4 * t * (1 - t)
    ripple = 0.05 * torch.sin(t * draw.uniform(4, 14) + angle)
    along, aside = (t - 0.5) * length, arc + ripple
    x = draw.uniform(-1.1, 1.1) + angle.cos() * along - angle.sin() * aside
    y = draw.uniform(-0.9, 0.9) + angle.sin() * along + angle.cos() * aside
    widths = draw.uniform(0.03, 0.16) * (1 + 0.35 * torch.sin(t * draw.uniform(2, 9) + angle))
    return x, y, widths.clamp_min(0.015)


def _half(images: Tensor) -> tuple[int, int]:
    """Half the pictures' size: a band's outline needs no more, and costs a quarter."""
    return images.shape[-2] // 2, images.shape[-1] // 2
