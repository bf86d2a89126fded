"""Tissue: folded, vessel-bearing, wet, lit by the lamp at the tip of the scope."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from rasnet.synthetic.noise import noise
from rasnet.synthetic.parameters import Color, Dice

_ORGANS: tuple[Color, ...] = (
    (0.66, 0.42, 0.34),  # bowel of a pig, under a robot's scope
    (0.70, 0.40, 0.38),
    (0.76, 0.42, 0.40),  # uterus
    (0.62, 0.24, 0.25),  # muscle
    (0.46, 0.18, 0.18),  # liver
    (0.52, 0.25, 0.30),
    (0.72, 0.46, 0.50),  # peritoneum
    (0.64, 0.50, 0.54),
)
_FATS: tuple[Color, ...] = ((0.84, 0.62, 0.34), (0.84, 0.56, 0.36), (0.78, 0.60, 0.44), (0.88, 0.74, 0.52))
_MEMBRANES: tuple[Color, ...] = ((0.74, 0.58, 0.58), (0.68, 0.52, 0.56), (0.72, 0.60, 0.50))
_BLOOD: Color = (0.36, 0.03, 0.03)


class TissueStyle(NamedTuple):
    """What tissue a scene shows. Lengths are in frame widths.

    Attributes:
        organ: colour of the organ that covers most of the picture.
        second: colour of the other organ.
        fat: colour of the fat.
        membrane: colour of the pale strands.
        vessel: colour that vessels pull towards.
        origin: where in the noise the scene lies.
        size: size of a fold.
        stretch: how much longer than wide folds are.
        direction: direction of the folds, radians.
        warp: how crooked folds are.
        depth: height of the folds.
        crease: depth of the creases between folds.
        rough: height of the fine relief.
        fat_share: how much of the picture is fat, -3 (none) to 1.
        second_share: how much of the picture is the second organ, -3 (none) to 1.
        membrane_share: how many pale strands there are, 0 to 1.
        vessels: how marked vessels are, 0 to 1.
        blood: how much blood lies around, 0 to 1.
        wet: strength of the highlights, 0 to about 1.5.
        tilt: slope of the tissue as a whole, away from the camera: to the right, downwards.
        cavity: how much of the picture is lost in the dark of the cavity, 0 to 1.
        light: how much light reaches the tissue; 0 where the scope looks into the dark.
    """

    organ: Color
    second: Color
    fat: Color
    membrane: Color
    vessel: Color
    origin: tuple[float, float]
    size: float
    stretch: float
    direction: float
    warp: float
    depth: float
    crease: float
    rough: float
    fat_share: float
    second_share: float
    membrane_share: float
    vessels: float
    blood: float
    wet: float
    tilt: tuple[float, float]
    cavity: float
    light: float


class View(NamedTuple):
    """How the camera and breathing have moved the tissue at one time.

    Attributes:
        shift: way of the camera over the tissue, frame widths.
        turn: turn about the line of sight, radians.
        zoom: how much larger than at first things are.
        breath: displacement by breathing, frame widths.
    """

    shift: tuple[float, float]
    turn: float
    zoom: float
    breath: float


def draw_tissue(dice: Dice, *, variety: float) -> TissueStyle:
    """Draw what tissue a scene shows; `variety` 0 stays near the robotic look, 1 takes any."""
    organ = dice.choice(_ORGANS if variety > 0 else _ORGANS[:3])
    return TissueStyle(
        organ=dice.near(organ, 0.12 + 0.1 * variety),
        second=dice.near(dice.choice(_ORGANS), 0.15),
        fat=dice.near(dice.choice(_FATS), 0.1),
        membrane=dice.near(dice.choice(_MEMBRANES), 0.1),
        vessel=dice.near(dice.choice([(0.42, 0.06, 0.08), (0.40, 0.14, 0.26), (0.30, 0.04, 0.05)]), 0.1),
        origin=(dice.between(0, 20), dice.between(0, 20)),
        size=dice.between(0.26, 0.6),
        stretch=dice.between(1.0, 2.2),
        direction=dice.between(0, 3.14159),
        warp=dice.between(0.1, 0.5),
        depth=dice.between(0.06, 0.13),
        crease=dice.between(0.2, 1.0),
        rough=dice.between(0.4, 1.2),
        fat_share=dice.between(-1.6, 0.4 + 0.5 * variety),
        second_share=dice.between(-1.2, 0.5),
        membrane_share=dice.sometimes(0.6, 0.2, 1.0),
        vessels=dice.between(0.2, 1.0),
        blood=dice.sometimes(0.35 + 0.15 * variety, 0.1, 0.5 + 0.5 * variety),
        wet=dice.between(0.5, 1.3),
        tilt=(dice.between(-0.4, 0.4), dice.between(0.1, 0.5) * dice.choice([-1, 1, 1])),
        cavity=dice.sometimes(0.4, 0.2, 1.0),
        light=dice.between(0.0, 0.3) if dice.chance(0.03 * variety) else 1.0,
    )


def paint_tissue(style: dict[str, Tensor], view: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
    """Paint the tissue of B scenes, lit.

    Args:
        style: stacked `TissueStyle` records.
        view: stacked `View` records.
        x: columns in frame widths from the centre, float (1, 1, W).
        y: rows in frame widths from the centre, float (1, H, 1).

    Returns:
        Colours, float (3, B, H, W), 0 to about 2 in highlights.
    """
    place_x, place_y = _places(style, view, x, y)
    warp = noise("soft", place_x * 0.9, place_y * 0.9, smooth=True)
    sway_x, sway_y = place_x + style["warp"] * 0.35 * warp[0], place_y + style["warp"] * 0.35 * warp[1]
    cos, sin = torch.cos(style["direction"]), torch.sin(style["direction"])
    fold_x = (sway_x * cos + sway_y * sin) / style["stretch"]
    fold_y = sway_y * cos - sway_x * sin
    folds = noise("soft", fold_x, fold_y, smooth=True)
    lumps = noise("soft", sway_x * 3.6 + 5, sway_y * 3.6, smooth=True)
    fine = noise("fractal", place_x * 0.9, place_y * 0.9, smooth=True)
    finest = noise("fractal", sway_x * 4.3, sway_y * 4.3)
    film = noise("soft", sway_x * 7.0, sway_y * 7.0, smooth=True)
    grains = noise("soft", sway_x * 19.0, sway_y * 19.0)

    second = _step(folds[1] + 0.8 * warp[2] + style["second_share"], 14.0)
    fat = _step(folds[2] + 0.5 * warp[3] + 0.25 * lumps[1] + style["fat_share"] - 0.4, 8.0)
    membrane = _line(folds[3] + 0.35 * fine[0], 0.22) * _step(warp[0] + 1.2 * style["membrane_share"] - 0.6, 3.0)
    membrane = membrane * (style["membrane_share"] > 0)

    # Folds are round between sharp creases, as the absolute value of a smooth field is.
    ridge = torch.sqrt(folds[0] * folds[0] + 0.004)
    edge = torch.sqrt((folds[1] + 0.8 * warp[2] + style["second_share"]) ** 2 + 0.004)
    lobule = torch.sqrt(lumps[0] * lumps[0] + 0.01) * fat
    height = style["depth"] * (
        ridge + 0.35 * edge.clamp(max=1.2) + 0.22 * lobule + 0.5 * warp[2] + 0.08 * membrane * (1 + 0.12 * finest[1])
    )
    relief = height * style["size"] + style["rough"] * (
        0.0008 * fine[1] + 0.0002 * finest[2] + 0.0011 * film[0] + 0.00022 * grains[0]
    )
    crease = style["crease"] * (torch.exp(-ridge * 11) + torch.exp(-edge * 10) + 0.6 * fat * torch.exp(-lobule * 8))

    color = torch.lerp(style["organ"], style["second"], second)
    color = torch.lerp(color, style["fat"] * (1 + 0.10 * lumps[2]), fat)
    color = torch.lerp(color, style["membrane"], 0.75 * membrane.clamp(0, 1))
    color = color * (1 + 0.09 * fine[2] + 0.07 * warp[3] + 0.05 * finest[0] * style["rough"])
    color = _vessels(color, style, sway_x, sway_y, fine, warp)
    pool = _step(style["blood"] * 2.6 - 2.3 + 0.55 * fine[3] + 0.6 * warp[1] - 0.6 * (ridge - 0.6) + 0.4 * film[2], 5.0)
    pool = pool * (style["blood"] > 0)
    blood = torch.tensor(_BLOOD, device=x.device).view(3, 1, 1, 1)
    color = torch.lerp(color, blood * (1 + 0.2 * fine[1]), 0.85 * pool)
    return _light(color, relief, crease, pool, style, x, y, film[1], warp[2] + 0.3 * folds[3])


def _places(style: dict[str, Tensor], view: dict[str, Tensor], x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Where on the tissue each pixel looks, in fold sizes."""
    cos, sin = torch.cos(view["turn"]) / view["zoom"], torch.sin(view["turn"]) / view["zoom"]
    far_x, far_y = x * cos + y * sin + view["shift"][0], y * cos - x * sin + view["shift"][1]
    # Breathing lifts the tissue: it moves most at the bottom, and swells where it bulges.
    swell = view["breath"] * torch.sin(5 * far_x + 2) * torch.cos(4 * far_y)
    far_x, far_y = far_x + 0.5 * swell, far_y + swell + 0.6 * view["breath"] * (0.5 + y)
    return far_x / style["size"] + style["origin"][0], far_y / style["size"] + style["origin"][1]


def _vessels(color: Tensor, style: dict[str, Tensor], x: Tensor, y: Tensor, fine: Tensor, warp: Tensor) -> Tensor:
    large = noise("soft", x * 1.3 + 0.10 * fine[0] + 3, y * 1.3 + 0.10 * fine[3])
    small = noise("soft", x * 3.7 + 0.2 * fine[1], y * 3.7 + 0.2 * fine[2])
    lines = _line(large[0], 0.07) * _step(large[1] + 0.2, 3.0) + 0.7 * _line(large[2], 0.04) * _step(warp[0], 3.0)
    hair = _line(small[0], 0.08) * _step(large[3], 2.0) + _line(small[1], 0.06) * _step(warp[1], 2.0)
    amount = style["vessels"] * (0.55 * lines + 0.30 * hair)
    return torch.lerp(color, style["vessel"], amount.clamp(0, 0.75))


def _light(
    color: Tensor, relief: Tensor, crease: Tensor, pool: Tensor, style: dict[str, Tensor],
    x: Tensor, y: Tensor, patches: Tensor, deep: Tensor,
) -> Tensor:  # fmt: skip
    """Shade by facing, add wet highlights, and let the light fall off from the centre and into the cavity."""
    pixel = float(x[0, 0, 1] - x[0, 0, 0])
    slope_x, slope_y = _slope(relief, 2) / pixel, _slope(relief, 1) / pixel
    slope_x = slope_x * (1 - 0.8 * pool) + style["tilt"][0]  # blood lies level
    slope_y = slope_y * (1 - 0.8 * pool) + style["tilt"][1]
    normal_z = torch.rsqrt(1 + slope_x * slope_x + slope_y * slope_y)
    lamp_x, lamp_y = 0.06 - 0.9 * x, -0.12 - 0.9 * y
    lamp = torch.rsqrt(lamp_x * lamp_x + lamp_y * lamp_y + 1)
    facing = ((1 - slope_x * lamp_x - slope_y * lamp_y) * lamp * normal_z).clamp(0, 1)

    radius = x * x + y * y
    falloff = style["light"] * (1.15 + style["tilt"][0] * x - style["tilt"][1] * y) / (1 + 1.1 * radius)
    dark = 1 - style["cavity"] * _step(deep + 1.6 * style["cavity"] - 2.2, 2.5) * 0.9
    shade = falloff * dark * (0.30 + 0.75 * facing * facing) * (1 - 0.5 * crease.clamp(0, 1))
    lit = color * shade
    # Light that has travelled through tissue turns the shadows red.
    lit = lit * (1 - (1 - facing) * torch.tensor([0.0, 0.18, 0.16], device=x.device).view(3, 1, 1, 1))

    glint = ((facing - 0.987) * 95).clamp(0, 1) ** 2 * _step(patches + 0.4 * deep, 3.0)
    sheen = ((facing - 0.90) * 10).clamp(0, 1) ** 2
    return lit + style["wet"] * dark * falloff * (0.85 * glint + 0.06 * sheen) * (1 - 0.5 * crease.clamp(0, 1))


def _slope(height: Tensor, axis: int) -> Tensor:
    return torch.gradient(height, dim=axis)[0]


def _step(value: Tensor, steepness: float) -> Tensor:
    """0 below zero, 1 above, with a soft passage."""
    return torch.sigmoid(value * steepness)


def _line(value: Tensor, width: float) -> Tensor:
    """1 along the curve where a field is zero, 0 away from it."""
    return torch.exp(-((value / width) ** 2))
