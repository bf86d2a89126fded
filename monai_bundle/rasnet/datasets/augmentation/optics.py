"""From tissue to file: smoke, highlights, blur, scaling, interlacing, noise, compression, the lens' border.

Every function takes pictures, float (B, 3, H, W), near 0 to 1, and gives pictures of the same shape; probabilities
and ranges hold for each picture by itself.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from rasnet.datasets.augmentation.draw import Draw

_BLUR_RADIUS = 5
_OUTSIDE_BRIGHTNESS = 0.02

_BLOCK = 8
# Rows: luma, blue and red difference (ITU-R BT.601).
_YCC = ((0.299, 0.587, 0.114), (-0.1687, -0.3313, 0.5), (0.5, -0.4187, -0.0813))


def smoke(images: Tensor, draw: Draw) -> Tensor:
    """Lay smoke of up to 85 % opacity over 25 % of the pictures, in clouds of a greyish white."""
    opacity = (draw.clouds(3, _size(images)) * draw.uniform(0.2, 1.1)).clamp(0, 0.85) * draw.chance(0.25)
    return torch.lerp(images, draw.uniform(0.55, 0.95) * (1 + draw.normal(0.06, channels=3)), opacity)


def highlights(images: Tensor, draw: Draw) -> Tensor:
    """Sprinkle wet highlights over parts of 25 % of the pictures."""
    spots = ((draw.clouds(20, _size(images)) - draw.uniform(0.74, 0.84)) * 40).sigmoid()
    area = ((draw.clouds(3, _size(images)) - 0.5) * 20).sigmoid()
    return images + (1 - images) * spots * area * draw.chance(0.25) * 0.95


def blur(images: Tensor, draw: Draw) -> Tensor:
    """Blur 30 % of the pictures by a Gaussian of 0.3 to 2.2 pixels: focus, motion, a wet lens."""
    count, channels, height, width = images.shape
    offsets = torch.arange(-_BLUR_RADIUS, _BLUR_RADIUS + 1, device=images.device)
    kernel = torch.exp(-(offsets / draw.uniform(0.3, 2.2)).square() / 2)
    kernel = (kernel / kernel.sum(dim=-1, keepdim=True)).repeat_interleave(channels, dim=0)
    planes = F.pad(images, [_BLUR_RADIUS] * 4, mode="replicate").flatten(0, 1)[None]
    planes = F.conv2d(planes, kernel, groups=count * channels)
    planes = F.conv2d(planes, kernel.mT, groups=count * channels)
    return torch.lerp(images, planes.view(count, channels, height, width), draw.chance(0.3))


def low_resolution(images: Tensor, draw: Draw) -> Tensor:
    """Show 15 % of the pictures at half their resolution."""
    small = F.interpolate(images, scale_factor=0.5, mode="area")
    large = F.interpolate(small, _size(images), mode="bilinear", align_corners=False)
    return torch.lerp(images, large, draw.chance(0.15))


def interlacing(images: Tensor, draw: Draw) -> Tensor:
    """Shift every other row of 5 % of the pictures by 2 pixels, as a moving camera does in interlaced video."""
    odd = (torch.arange(images.shape[-2], device=images.device) % 2).view(1, 1, -1, 1)
    return torch.lerp(images, images.roll(2, dims=3), odd * draw.chance(0.05))


def noise(images: Tensor, draw: Draw) -> Tensor:
    """Add noise of a standard deviation of up to 0.06 to 50 % of the pictures."""
    return images + draw.grain(images) * draw.uniform(0, 0.06) * draw.chance(0.5)


def compression(images: Tensor, draw: Draw) -> Tensor:
    """Compress 30 % of the pictures as JPEG and intra frames of video do: rounded frequencies of 8x8 blocks.

    Rounding is coarser for higher frequencies and for colour, as in the tables of ITU-T T.81, annex K.
    """
    height, width = _size(images)
    padded = F.pad(images, [0, -width % _BLOCK, 0, -height % _BLOCK], mode="replicate")
    to_ycc, waves = images.new_tensor(_YCC), _cosines(images.device)
    blocks = torch.einsum("ij,bjhw->bihw", to_ycc, padded)
    rows, columns = (side // _BLOCK for side in _size(padded))
    blocks = blocks.reshape(-1, 3, rows, _BLOCK, columns, _BLOCK)
    frequencies = torch.einsum("uy,vx,bcrykx->bcrukv", waves, waves, blocks)
    order = torch.arange(_BLOCK, device=images.device)
    coarser = (1 + order.view(-1, 1, 1) + order) * images.new_tensor([1.0, 2.0, 2.0]).view(1, 3, 1, 1, 1, 1)
    step = draw.factor(2, 9)[..., None, None] / 255 * coarser
    blocks = torch.einsum("uy,vx,bcrukv->bcrykx", waves, waves, (frequencies / step).round() * step)
    coded = torch.einsum("ij,bjhw->bihw", to_ycc.inverse(), blocks.flatten(4, 5).flatten(2, 3))
    return torch.lerp(images, coded[..., :height, :width], draw.chance(0.3))


def lens_border(images: Tensor, masks: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
    """Show 30 % of the pictures through a round lens with black around it, and darken 40 % towards the rim.

    Args:
        images: float (B, 3, H, W).
        masks: uint8 (B, H, W).
        draw: randomness.

    Returns:
        The pictures, and the masks, which are background (0) beyond the lens.
    """
    height, width = _size(images)
    x = torch.linspace(-1, 1, width, device=images.device).view(1, 1, 1, width)
    y = torch.linspace(-1, 1, height, device=images.device).view(1, 1, height, 1) * height / width
    distance = torch.hypot(x - draw.uniform(-0.12, 0.12), y - draw.uniform(-0.12, 0.12))  # in half widths
    lens = ((draw.uniform(0.72, 1.15) - distance) * 60).sigmoid()
    inside = 1 - draw.chance(0.3) * (1 - lens)
    rim = 1 - draw.chance(0.4) * draw.uniform(0.2, 0.8) * (distance / 1.2).clamp(0, 1).square()
    masks = masks.masked_fill(inside[:, 0] < 0.5, 0)
    return images * inside * rim + (1 - inside) * _OUTSIDE_BRIGHTNESS, masks


def _cosines(device: torch.device) -> Tensor:
    """The orthonormal discrete cosine transform of 8 values, float (8, 8): a row for each frequency."""
    places = torch.arange(_BLOCK, device=device)
    waves = torch.cos(torch.pi * (2 * places + 1) * places[:, None] / (2 * _BLOCK)) * math.sqrt(2 / _BLOCK)
    waves[0] /= math.sqrt(2)
    return waves


def _size(images: Tensor) -> tuple[int, int]:
    return images.shape[-2], images.shape[-1]
