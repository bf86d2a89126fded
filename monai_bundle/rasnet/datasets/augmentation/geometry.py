"""Where the picture is looked at: flip, turn, zoom, shift, aspect. Masks follow their pictures exactly."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from rasnet.datasets.augmentation.draw import Draw

ZOOM = (0.68, 1.9)
"""Range of magnification; at 1 the output shows as large an area as the picture has."""

STRETCH = (math.exp(-0.18), math.exp(0.18))
"""Range of the factor on the aspect: video is digitised with non-square pixels, and often forgets it."""

TURN_DEGREES = 23.3
"""Standard deviation of the turn. Instruments come from any side, and scopes are held upright only roughly."""

UPSIDE_DOWN, MIRRORED_OUTSIDE = 0.25, 0.35
"""Probability of a vertical flip, and of going on beyond the picture as in a mirror instead of in black."""

# As far towards the edge as bilinear sampling meets no black beyond it.
_EDGE = 0.99


class View(NamedTuple):
    """What the output shows of each picture; every field is (B,).

    Attributes:
        aspect: width over height of the picture.
        zoom: magnification; 1 keeps the area.
        turn: radians.
        flip_x: -1 mirrors left and right, 1 does not.
        flip_y: -1 mirrors top and bottom, 1 does not.
        shift_x: of the centre, in half heights of the picture.
        shift_y: of the centre, in half heights of the picture.
    """

    aspect: Tensor
    zoom: Tensor
    turn: Tensor
    flip_x: Tensor
    flip_y: Tensor
    shift_x: Tensor
    shift_y: Tensor


def draw_views(aspects: Tensor, size: tuple[int, int], draw: Draw) -> View:
    """Draw a view of each picture that keeps most of the output inside it.

    Args:
        aspects: float (B,), width over height of the pictures.
        size: height and width of the output.
        draw: randomness.
    """
    aspect = aspects * draw.factor(*STRETCH).flatten()
    zoom = draw.factor(*ZOOM).flatten()
    half_height = _half_height(aspect, zoom, size)
    half_width = half_height * size[1] / size[0]
    return View(
        aspect,
        zoom,
        turn=draw.normal(math.radians(TURN_DEGREES)).flatten(),
        flip_x=draw.sign().flatten(),
        flip_y=draw.sign(UPSIDE_DOWN).flatten(),
        shift_x=draw.uniform(-1, 1).flatten() * (aspect / 4 + (aspect - half_width).abs() / 2),
        shift_y=draw.uniform(-1, 1).flatten() * (1 / 4 + (1 - half_height).abs() / 2),
    )


def sampling_grid(view: View, size: tuple[int, int]) -> Tensor:
    """Give the place in the picture that each output pixel shows.

    Returns:
        float (B, *size, 2), x and y from -1 to 1 over the picture, as `torch.nn.functional.grid_sample` takes them.
    """
    ratio = size[1] / size[0]
    cos, sin = view.turn.cos(), view.turn.sin()
    half = _half_height(view.aspect, view.zoom, size)
    across, down = half * ratio * view.flip_x, half * view.flip_y
    x = torch.stack([cos * across, -sin * down, view.shift_x], dim=1) / view.aspect[:, None]
    y = torch.stack([sin * across, cos * down, view.shift_y], dim=1)
    return F.affine_grid(torch.stack([x, y], dim=1), [len(view.turn), 1, *size], align_corners=False)


def mirror(grid: Tensor) -> Tensor:
    """Fold places outside the picture back into it, as in a mirror at its edge."""
    return (1 - ((grid + 1).remainder(4) - 2).abs()).clamp(-_EDGE, _EDGE)


def sample(images: Tensor, masks: Tensor, grid: Tensor) -> tuple[Tensor, Tensor]:
    """Look up pictures (bilinear) and masks (nearest) at the same places; outside both are 0.

    Args:
        images: float (B, 3, h, w).
        masks: uint8 (B, h, w).
        grid: float (B, H, W, 2), see `sampling_grid`.

    Returns:
        float (B, 3, H, W) and uint8 (B, H, W).
    """
    images = F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    found = F.grid_sample(masks[:, None].float(), grid, mode="nearest", padding_mode="zeros", align_corners=False)
    return images, found[:, 0].to(torch.uint8)


def reframe(images: Tensor, masks: Tensor, aspects: Tensor, size: tuple[int, int], draw: Draw) -> tuple[Tensor, Tensor]:
    """Look at each picture anew.

    Args:
        images: float (B, 3, h, w), pictures squeezed to one canvas.
        masks: uint8 (B, h, w).
        aspects: float (B,), width over height before they were squeezed.
        size: height and width of the output, whose pixels are square.
        draw: randomness.

    Returns:
        float (B, 3, *size) and uint8 (B, *size).
    """
    grid = sampling_grid(draw_views(aspects, size, draw), size)
    mirrored = draw.chance(MIRRORED_OUTSIDE) > 0
    return sample(images, masks, torch.where(mirrored, mirror(grid), grid))


def _half_height(aspect: Tensor, zoom: Tensor, size: tuple[int, int]) -> Tensor:
    """Half the output's height in half heights of the picture."""
    return (aspect * size[0] / size[1]).sqrt() / zoom
