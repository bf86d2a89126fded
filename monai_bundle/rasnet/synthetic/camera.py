"""What lens, air and sensor do to a picture: shadow, smoke, blur, border, vignette, colour, noise."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from rasnet.synthetic.noise import grain, noise
from rasnet.synthetic.parameters import Color, Dice

_BLUR_REACH = 0.018
"""Half the side of the blur's kernel, frame widths."""


class LensStyle(NamedTuple):
    """How a scene is seen. Lengths are in frame widths.

    Attributes:
        exposure: gain of the picture.
        gamma: exponent of the picture; below 1 lifts the shadows.
        balance: gain by colour channel.
        saturation: 1 as it is, 0 grey.
        vignette: darkening towards the corners, 0 to 1.
        border: radius of the lens' circle; beyond 1 it is out of the picture.
        border_center: the circle's centre.
        tube: brightness of what lies outside the circle: 0 is black, above it the wall of a trocar.
        smoke: density of the smoke, 0 to 1.
        smoke_color: its colour.
        smoke_place: where in the noise the smoke lies.
        blur: defocus, standard deviation in frame widths.
        drag: blur by motion, standard deviation in frame widths.
        drag_angle: direction of the motion, radians.
        noise: standard deviation of the sensor's noise, 0 to 1 of full scale.
        shadow: darkness of the instruments' shadows on tissue, 0 to 1.
        shadow_shift: where shadows fall, frame widths.
    """

    exposure: float
    gamma: float
    balance: Color
    saturation: float
    vignette: float
    border: float
    border_center: tuple[float, float]
    tube: float
    smoke: float
    smoke_color: Color
    smoke_place: tuple[float, float]
    blur: float
    drag: float
    drag_angle: float
    noise: float
    shadow: float
    shadow_shift: tuple[float, float]


def draw_lens(dice: Dice, *, variety: float) -> LensStyle:
    """Draw how a scene is seen; `variety` 0 is a clear modern scope, 1 anything that clinics see."""
    grey = dice.chance(0.07 * variety)
    shadow_side = dice.choice([-1.0, 1.0])
    trocar = dice.chance(0.05 * variety)
    border = dice.between(0.40, 0.60) if dice.chance(0.28 * variety) else 2.0
    return LensStyle(
        exposure=dice.between(1.0, 1.2) * (1 + variety * dice.between(-0.3, 0.35)),
        gamma=dice.between(0.92, 1.05) * (1 + variety * dice.between(-0.15, 0.2)),
        balance=dice.near((1.0, 1.0, 1.0), 0.02 + 0.08 * variety),
        saturation=0.0 if grey else dice.between(0.9, 1.15) * (1 + variety * dice.between(-0.35, 0.2)),
        vignette=dice.between(0.1, 0.5),
        border=dice.between(0.15, 0.40) if trocar else border,
        border_center=(dice.between(-0.12, 0.12), dice.between(-0.08, 0.08)),
        tube=dice.between(0.15, 0.7) if trocar else 0.0,
        smoke=dice.sometimes(0.5 - 0.25 * variety, 0.25 - 0.1 * variety, 0.5 + 0.3 * variety),
        smoke_color=dice.near((0.74, 0.72, 0.74), 0.1),
        smoke_place=(dice.between(0, 20), dice.between(0, 20)),
        blur=dice.sometimes(0.3 * variety, 0.001, 0.006),
        drag=dice.sometimes(0.2 * variety, 0.002, 0.010),
        drag_angle=dice.between(0, 3.14159),
        noise=dice.between(0.004, 0.010) + variety * dice.sometimes(0.4, 0.005, 0.03),
        shadow=dice.between(0.35, 0.7),
        shadow_shift=(shadow_side * dice.between(0.01, 0.05), dice.between(0.02, 0.07)),
    )


def cast_shadow(tissue: Tensor, coverage: Tensor, lens: dict[str, Tensor]) -> Tensor:
    """Darken the tissue, float (3, B, H, W), where instruments, float (B, H, W), stand in the light."""
    count, height, width = coverage.shape
    small = F.avg_pool2d(coverage[:, None], 4, ceil_mode=True)
    reach = max(1, round(0.02 * width / 4))
    for _ in range(2):
        small = F.avg_pool2d(F.pad(small, (reach,) * 4, mode="replicate"), 2 * reach + 1, 1)
    shift = torch.stack((lens["shadow_shift"][0] * 2, lens["shadow_shift"][1] * 2 * width / height)).view(2, count)
    turn = torch.eye(2, 3, device=coverage.device).repeat(count, 1, 1)
    turn[:, :, 2] = -shift.T
    grid = F.affine_grid(turn, [count, 1, height, width], align_corners=False)
    soft = F.grid_sample(small, grid, padding_mode="border", align_corners=False)[:, 0]
    return tissue * (1 - lens["shadow"] * soft)


def field_of_view(lens: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
    """How much of each pixel lies in the lens' circle, float (B, H, W), 0 to 1."""
    radius = torch.sqrt((x - lens["border_center"][0]) ** 2 + (y - lens["border_center"][1]) ** 2)
    return ((lens["border"] - radius) * x.shape[-1] * 0.4 + 0.5).clamp(0, 1)


def expose(rgb: Tensor, lens: dict[str, Tensor], x: Tensor, y: Tensor, time: Tensor, seed: Tensor) -> Tensor:
    """Take the picture.

    Args:
        rgb: lit scene, float (3, B, H, W).
        lens: stacked `LensStyle` records.
        x: columns in frame widths from the centre, float (1, 1, W).
        y: rows in frame widths from the centre, float (1, H, 1).
        time: seconds, float (B, 1, 1); moves the smoke.
        seed: of the sensor's noise, int64 (B, 1, 1).

    Returns:
        Picture, uint8 (B, H, W, 3).
    """
    if bool((lens["smoke"] > 0).any()):
        rgb = _smoke(rgb, lens, x, y, time)
    if bool((lens["blur"] + lens["drag"] > 0).any()):
        rgb = _blur(rgb, lens, x.shape[-1])
    rgb = rgb * lens["exposure"] * lens["balance"]
    rgb = torch.where(rgb > 0.8, 0.8 + 0.2 * torch.tanh((rgb - 0.8) / 0.2), rgb).clamp(min=0)  # a sensor's shoulder
    rgb = rgb ** lens["gamma"]
    grey = (0.3 * rgb[0] + 0.59 * rgb[1] + 0.11 * rgb[2])[None]
    rgb = torch.lerp(grey, rgb, lens["saturation"])

    inside = field_of_view(lens, x, y)
    rgb = rgb * (1 - lens["vignette"] * 1.6 * (x * x + y * y)).clamp(min=0)
    rings = 0.06 * torch.sin(90 * (x * x + y * y)) - 1.5 * (x * x + y * y)
    wall = lens["tube"] * (0.95 + rings).clamp(min=0)
    rgb = torch.lerp(wall.expand_as(rgb), rgb, inside)
    columns = torch.arange(x.shape[-1], device=rgb.device).view(1, 1, -1)
    rows = torch.arange(y.shape[1], device=rgb.device).view(1, -1, 1)
    luminance = grain(columns, rows, seed)
    speck = torch.stack([luminance + 0.5 * grain(columns, rows, seed + shift) for shift in (1, 2, 3)])
    rgb = rgb + lens["noise"] * speck * (0.25 + 0.75 * inside)
    return rgb.clamp_(0, 1).mul_(255).round_().byte().permute(1, 2, 3, 0)


def _smoke(rgb: Tensor, lens: dict[str, Tensor], x: Tensor, y: Tensor, time: Tensor) -> Tensor:
    drift = 0.06 * time
    place_x, place_y = x * 1.6 + lens["smoke_place"][0] + drift, y * 1.6 + lens["smoke_place"][1] + 0.7 * drift
    swirl = noise("soft", place_x * 0.8 - 0.5 * drift, place_y * 0.8)
    wisps = noise("fractal", place_x * 0.7 + 0.35 * swirl[0], place_y * 0.7 + 0.35 * swirl[1] + drift)
    density = (0.35 + 0.30 * wisps[0] + 0.35 * swirl[2]).clamp(0, 1) * lens["smoke"] * (lens["smoke"] > 0)
    return torch.lerp(rgb, lens["smoke_color"] * (1 - 0.5 * (x * x + y * y)), density.clamp(0, 0.95))


def _blur(rgb: Tensor, lens: dict[str, Tensor], width: int) -> Tensor:
    """Blur each picture by its own Gaussian, longer in the direction of its motion."""
    _, count, rows, columns = rgb.shape
    reach = max(2, round(_BLUR_REACH * width))
    steps = torch.arange(-reach, reach + 1, device=rgb.device, dtype=rgb.dtype)
    dx, dy = steps.view(1, 1, -1), steps.view(1, -1, 1)
    cos, sin = torch.cos(lens["drag_angle"]), torch.sin(lens["drag_angle"])
    across = (lens["blur"] * width).clamp(min=0.05)
    along = torch.sqrt(across**2 + (lens["drag"] * width) ** 2)
    weight = torch.exp(-0.5 * (((dx * cos + dy * sin) / along) ** 2 + ((dy * cos - dx * sin) / across) ** 2))
    weight = (weight / weight.sum((1, 2), keepdim=True)).repeat(3, 1, 1)[:, None]
    flat = F.pad(rgb.reshape(1, 3 * count, rows, columns), (reach,) * 4, mode="replicate")
    return F.conv2d(flat, weight, groups=3 * count).view(3, count, rows, columns)
