"""Noise to paint with: two periodic tiles of coloured noise, looked up at any place and scale.

A lookup costs one `grid_sample`, gives four independent fields at once, and has no direction of its own,
which lattice noise has and smooth shading would show.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

FIELDS = 4
"""Independent fields that one lookup gives."""

_SIDE = 512
_FEATURES = {"soft": 64.0, "fractal": 6.0}
Tile = Literal["soft", "fractal"]


@lru_cache(maxsize=8)
def _tile(name: Tile, device: str) -> Tensor:
    """Periodic noise of mean 0 and standard deviation 1, (1, FIELDS, side + 1, side + 1).

    ``soft`` has one size of feature; ``fractal`` has all sizes down to the texel, falling off as a
    natural surface does. Computed on the CPU, so that every device paints with the same tile.
    """
    generator = torch.Generator().manual_seed(2017 + len(name))
    white = torch.randn((FIELDS, _SIDE, _SIDE), generator=generator)
    frequency = torch.fft.fftfreq(_SIDE) * _SIDE
    radius = torch.hypot(frequency[:, None], frequency[None, :])
    peak = _FEATURES[name]
    if name == "soft":
        gain = torch.exp(-(((radius - 0.6 * peak) / (0.4 * peak)) ** 2))
    else:
        gain = radius.clamp(min=1e-6).pow(-1.65) * (radius >= peak)
    noise = torch.fft.ifft2(torch.fft.fft2(white) * gain).real
    noise = (noise - noise.mean((1, 2), keepdim=True)) / noise.std((1, 2), keepdim=True)
    return F.pad(noise[None], (0, 1, 0, 1), mode="circular").to(device)


def noise(tile: Tile, x: Tensor, y: Tensor, *, smooth: bool = False) -> Tensor:
    """Look noise up.

    Args:
        tile: ``"soft"`` or ``"fractal"``.
        x: places, float (B, H, W); the largest feature of the tile is about 1 wide.
        y: places; `x` and `y` may be of shapes that broadcast.
        smooth: interpolate with cubic splines, for heights that are magnified and then lit.

    Returns:
        Four independent fields, float (4, B, H, W), mean 0, standard deviation 1.
    """
    x, y = torch.broadcast_tensors(x, y)
    count, height, width = x.shape
    texels = _SIDE / _FEATURES[tile]
    places = torch.stack((x, y), -1).mul_(texels)
    if not smooth:
        return _lookup(tile, places).view(FIELDS, count, height, width)

    # A cubic B-spline is four linear lookups, each between the two texels that it weighs.
    whole = places.floor()
    part = places - whole
    back = (1 - part) ** 3 / 6
    front = part**3 / 6
    near = back + (4 - 6 * part**2 + 3 * part**3) / 6
    first = whole - 1 + (near - back) / near
    second = whole + 1 + front / (1 - near)
    x_pair, y_pair = (first[..., 0], second[..., 0]), (first[..., 1], second[..., 1])
    corners = torch.stack([torch.stack((px, py), -1) for py in y_pair for px in x_pair])
    fields = _lookup(tile, corners).view(FIELDS, 2, 2, count, height, width)
    rows = torch.lerp(fields[:, :, 1], fields[:, :, 0], near[..., 0])
    return torch.lerp(rows[:, 1], rows[:, 0], near[..., 1])


def _lookup(tile: Tile, places: Tensor) -> Tensor:
    """Interpolate a tile linearly at places in texels, float (..., 2); gives (FIELDS, places)."""
    grid = places.reshape(1, 1, -1, 2) / _SIDE
    grid = grid.sub_(grid.floor()).mul_(2).sub_(1)
    return F.grid_sample(_tile(tile, str(places.device)), grid, align_corners=True).flatten(1)


def grain(x: Tensor, y: Tensor, seed: Tensor) -> Tensor:
    """White noise by hashing whole pixel coordinates, float (B, H, W) of mean 0 and standard deviation 1.

    Args:
        x: pixel columns, int64 (1, 1, W).
        y: pixel rows, int64 (1, H, 1).
        seed: one number a picture, int64 (B, 1, 1).
    """
    state = (x * 73856093) ^ (y * 19349663) ^ (seed * 83492791)
    state = (state ^ (state >> 13)) * 1274126177 & 0xFFFFFFFF
    state = (state ^ (state >> 16)) * 668265263 & 0xFFFFFFFF
    low, high = state & 0xFFFF, (state >> 16) & 0xFFFF
    return ((low + high).float() / 65535 - 1) * 2.45
