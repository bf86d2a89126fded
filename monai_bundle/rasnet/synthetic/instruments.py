"""Instruments: signed distances and surfaces of shaft, wrist and jaws, shaded like metal.

Each part is a limb, a tapered rod in its own frame, known by its distance (negative inside) and by the
direction that its surface faces. Parts are painted over one another; the painted surface is lit once.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from rasnet.synthetic.noise import noise
from rasnet.synthetic.parameters import Color

SHAFT, WRIST, CLASPERS, PROBE = 10, 20, 30, 40
"""Part values as the masks of EndoVis 2017 have them."""


class Pose(NamedTuple):
    """Where an instrument is at one time. Lengths are in frame widths, from the frame's centre.

    Attributes:
        x: end of the shaft, to the right.
        y: end of the shaft, downwards.
        angle: direction from the trocar to the tip, radians.
        radius: half-width of the shaft at its end.
        taper: how much the shaft widens towards the camera, per half-width of length.
        bend: angle of the wrist's link against the shaft, radians.
        yaw: angle of the jaws against the link, radians.
        opening: angle between the jaws, radians.
        roll: 0 shows the jaws from the side (the opening shows), 1 from above (the windows show).
        reach: how long the wrist and the jaws look, for 1 when they lie in the picture's plane.
        softness: width of the edge in pixels, for 1 when in focus.
    """

    x: float
    y: float
    angle: float
    radius: float
    taper: float
    bend: float
    yaw: float
    opening: float
    roll: float
    reach: float
    softness: float


class Finish(NamedTuple):
    """What an instrument is made of.

    Attributes:
        shaft_color: colour of the shaft.
        shaft_metal: 0 for a dark plastic shaft, 1 for a polished steel one.
        ring: place of a ring of another shade on the shaft, half-widths from its end.
        ring_gain: that ring's brightness, where 1 is the shaft's own.
        print_gain: brightness of the maker's print on the shaft; 0 for none.
        soil: how much blood clings to the instrument, 0 to 1.
        soil_color: colour of that blood.
        texture: place in the noise that gives scratches and reflections.
    """

    shaft_color: Color
    shaft_metal: float
    ring: float
    ring_gain: float
    print_gain: float
    soil: float
    soil_color: Color
    texture: float


class Painted(NamedTuple):
    """Instruments, each alone in its picture.

    Attributes:
        rgb: lit colours, float (3, N, H, W), 0 to about 1.5.
        coverage: how much of the pixel the instrument covers, float (N, H, W), 0 to 1.
        raw_parts: part values 10, 20, 30, 40 wherever covered by a half or more, float (N, H, W).
    """

    rgb: Tensor
    coverage: Tensor
    raw_parts: Tensor


class Limb(NamedTuple):
    """A rod in its own frame: distance, facing, and where along and across it a pixel lies."""

    distance: Tensor
    normal_x: Tensor
    normal_y: Tensor
    along: Tensor
    across: Tensor


class Surface:
    """What is painted so far: facing, colour and gloss, with the coverage of all parts."""

    def __init__(self, like: Tensor, scale: Tensor, softness: Tensor) -> None:
        self.channels = torch.zeros((6, *like.shape), device=like.device)  # normal x, y; red, green, blue; metal
        self.coverage = torch.zeros_like(like)
        self.raw_parts = torch.zeros_like(like)
        self.edge = torch.full_like(like, 9.0)
        self._scale = scale / softness

    def paint(self, limb: Limb, angle: Tensor, color: Tensor, metal: Tensor | float, part: Tensor | float) -> None:
        """Paint a limb over what is there."""
        alpha = (0.5 - limb.distance * self._scale).clamp_(0, 1)
        cos, sin = torch.cos(angle), torch.sin(angle)
        layer = torch.empty_like(self.channels)
        layer[0] = limb.normal_x * cos - limb.normal_y * sin
        layer[1] = limb.normal_x * sin + limb.normal_y * cos
        layer[2:5] = color
        layer[5] = metal
        # At an outer edge nothing lies beneath, and the limb's own surface counts in full.
        share = alpha / torch.maximum(alpha, self.coverage).clamp(min=1e-6)
        self.channels = torch.lerp(self.channels, layer, share)
        self.coverage = torch.maximum(self.coverage, alpha)
        self.raw_parts = torch.where(alpha >= 0.5, part, self.raw_parts)
        # Creases between parts are dark: remember the distance to the edge of the part on top.
        self.edge = torch.where(alpha >= 0.5, -limb.distance, self.edge.minimum(limb.distance.clamp(min=0)))


def paint_instruments(
    pose: dict[str, Tensor], shape: dict[str, Tensor], finish: dict[str, Tensor], x: Tensor, y: Tensor
) -> Painted:
    """Paint N instruments, each alone.

    Args:
        pose: stacked `Pose` records.
        shape: stacked `JawShape` records.
        finish: stacked `Finish` records.
        x: columns in frame widths from the centre, float (1, 1, W).
        y: rows in frame widths from the centre, float (1, H, 1).
    """
    along, across = _turn((x - pose["x"]) / pose["radius"], (y - pose["y"]) / pose["radius"], pose["angle"])
    surface = Surface(along, pose["radius"] * x.shape[-1], pose["softness"])
    angle = pose["angle"]

    shaft = _shaft(along, across, pose["taper"])
    surface.paint(shaft, angle, _shaft_color(along, across, finish), finish["shaft_metal"], SHAFT)

    along = along / pose["reach"]
    collar = _tube(along, across, shape["collar"], shape["collar_tip"])
    surface.paint(collar, angle, _collar_color(along, across, shape), shape["collar_metal"], WRIST)

    # The wrist bends where the tube ends; the jaws turn where its link ends.
    along, across = _turn(along - shape["collar"], across, pose["bend"])
    angle = angle + pose["bend"]
    steel = shape["jaw_color"]
    link = _limb(along, across, shape["link"], shape["collar_tip"] * 0.88, shape["side"] * 0.5 + 0.42, 2.5)
    surface.paint(link, angle, steel * _cables(along, across, shape["link"]), 1.0, WRIST)
    _pin(surface, along, across, 0.52, angle, steel)

    along, across = _turn(along - shape["link"], across, pose["yaw"])
    angle = angle + pose["yaw"]
    whole = shape["opening"] <= 0
    clasper = torch.where(whole, PROBE, CLASPERS).float()
    for side in (-1.0, 1.0):
        turn = side * 0.5 * pose["opening"] * (1 - pose["roll"])
        jaw_along, jaw_across = _turn(along, across, turn)
        jaw, color = _jaw(jaw_along, jaw_across, side, shape, pose["roll"], whole)
        mirrored = jaw._replace(normal_y=jaw.normal_y * side)
        surface.paint(mirrored, angle + turn, color, shape["jaw_metal"], clasper)
    _pin(surface, along, across, 0.40 * (shape["opening"] > 0) + 1e-3, angle, steel)
    return _light(surface, pose, finish, x, y)


def _turn(x: Tensor, y: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates in a frame that is turned by `angle`."""
    cos, sin = torch.cos(angle), torch.sin(angle)
    return x * cos + y * sin, y * cos - x * sin


def _shaft(along: Tensor, across: Tensor, taper: Tensor) -> Limb:
    radius = 1 + taper * (-along).clamp(min=0)
    distance = torch.maximum(across.abs() - radius, along)
    facing = across / radius
    return Limb(distance, torch.zeros_like(facing), facing, along, facing)


def _tube(along: Tensor, across: Tensor, length: Tensor, tip: Tensor) -> Limb:
    fraction = (along / length.clamp(min=0.05)).clamp(0, 1)
    radius = 0.97 + (tip - 0.97) * fraction**3
    distance = torch.maximum(across.abs() - radius, (along - 0.5 * length).abs() - 0.5 * length)
    facing = across / radius
    return Limb(distance, torch.zeros_like(facing), facing, along, facing)


def _limb(along: Tensor, across: Tensor, length: Tensor, root: Tensor, tip: Tensor, flatness: Tensor | float) -> Limb:
    """A tapered rod with round ends, from the origin along the first axis."""
    nearest = torch.minimum(along.clamp(min=0), length)
    radius = root + (tip - root) * nearest / length
    offset = along - nearest
    reach = torch.sqrt(offset * offset + across * across + 1e-9)
    steep = (reach / radius).clamp(max=1) ** (flatness - 1) / radius
    return Limb(reach - radius, offset * steep, across * steep, nearest / length, across / radius)


def _jaw(
    along: Tensor, across: Tensor, side: float, shape: dict[str, Tensor], roll: Tensor, whole: Tensor
) -> tuple[Limb, Tensor]:
    """One jaw. Both are bent to the same side, then one is mirrored: its gripping edge is at 0."""
    length, tip = shape["length"], shape["tip"]
    half = shape["side"] + (shape["face"] - shape["side"]) * roll
    fraction = (along / length).clamp(0, 1)
    taper = 1 + (tip - 1) * fraction
    apart = torch.where(whole, 0.0, shape["side"] * (1 - roll))  # from the side, the jaws lie next to each other
    bent = (across - shape["curve"] * fraction * fraction * (1 - 0.4 * roll)) * side
    bowed = bent - shape["bow"] * torch.sin(torch.pi * fraction) * (1 - roll) - apart * taper
    ripple = shape["teeth"] * torch.sin(along * 30) * (bowed < 0) * (fraction > 0.3)
    limb = _limb(along, bowed + ripple, length, half, half * tip, shape["flatness"])

    start, end, wide = shape["window"]
    in_window = torch.maximum((fraction - 0.5 * (start + end)).abs() - 0.5 * (end - start), fraction * 0 - 1)
    window = torch.maximum(limb.across.abs() - wide * roll, in_window * length) * half
    limb = limb._replace(distance=torch.maximum(limb.distance, torch.where(wide * roll > 0.12, -window, -9.0)))

    start, end, wide = shape["pad"]
    on_pad = (limb.along > start) & (limb.along < end) & (limb.across.abs() < wide)
    return limb, torch.where(on_pad, shape["pad_color"], shape["jaw_color"])


def _pin(surface: Surface, along: Tensor, across: Tensor, radius: Tensor | float, angle: Tensor, color: Tensor) -> None:
    """A pulley on its pin, seen along its axis."""
    reach = torch.sqrt(along * along + across * across + 1e-9) / radius
    rim = 1 - 0.6 * torch.exp(-(((reach - 0.62) / 0.12) ** 2))
    limb = Limb((reach - 1) * radius, 0.55 * along / radius, 0.55 * across / radius, along, across)
    surface.paint(limb, angle, color * rim, 1.0, WRIST)


def _cables(along: Tensor, across: Tensor, length: Tensor) -> Tensor:
    """Brightness of the wrist's link: dark slots beside its cables."""
    slots = torch.exp(-(((across.abs() - 0.30) / 0.07) ** 2)) + torch.exp(-((across / 0.06) ** 2))
    return 1 - 0.65 * slots * ((along > 0.45) & (along < length * 0.95))


def _shaft_color(along: Tensor, across: Tensor, finish: dict[str, Tensor]) -> Tensor:
    ring = ((along + finish["ring"]).abs() < 0.14) | ((along + 0.12).abs() < 0.06)
    gain = torch.where(ring, finish["ring_gain"], 1.0)
    letters = noise("soft", along * 2.4 + finish["texture"], (across * 2.5).round() + finish["texture"])[0]
    start = -finish["ring"] - 1
    printed = (letters > 0.4) & (across.abs() < 0.3) & (along < start) & (along > start - 4)
    return finish["shaft_color"] * gain + torch.where(printed, finish["print_gain"], 0.0)


def _collar_color(along: Tensor, across: Tensor, shape: dict[str, Tensor]) -> Tensor:
    """Colour of the tube: two seams, and the fork in which the wrist hangs."""
    place = along / shape["collar"].clamp(min=0.3)
    seams = torch.exp(-(((place - 0.22) / 0.025) ** 2)) + torch.exp(-(((place - 0.45) / 0.02) ** 2))
    fork = torch.exp(-(((across.abs() - 0.62) / 0.07) ** 2)) * (place > 0.5)
    return shape["collar_color"] * (1 - 0.6 * (seams + fork).clamp(max=1) * (shape["collar_metal"] > 0))


def _light(surface: Surface, pose: dict[str, Tensor], finish: dict[str, Tensor], x: Tensor, y: Tensor) -> Painted:
    """Light the painted surface by the scope's lamp, next to the camera, and by the red light of tissue."""
    normal_x, normal_y = surface.channels[0], surface.channels[1]
    flat = (normal_x * normal_x + normal_y * normal_y).clamp(max=0.98)
    normal_z = torch.sqrt(1 - flat)
    albedo, metal = surface.channels[2:5], surface.channels[5]

    # The lamp sits above the camera's centre; what lies to the side sees it from the side.
    lamp_x, lamp_y = -0.5 * x, -0.35 - 0.5 * y
    lamp_norm = torch.rsqrt(lamp_x * lamp_x + lamp_y * lamp_y + 1)
    facing = (normal_x * lamp_x + normal_y * lamp_y + normal_z) * lamp_norm
    half_facing = (normal_x * lamp_x + normal_y * lamp_y + normal_z * (1 + 1 / lamp_norm)) * 0.5
    diffuse = facing.clamp(min=0)

    texture = finish["texture"]
    local_x, local_y = _turn((x - pose["x"]) / pose["radius"], (y - pose["y"]) / pose["radius"], pose["angle"])
    scratch = noise("fractal", local_x * 0.10 + texture, local_y * 0.8 + texture)
    mirror = noise("soft", normal_x * 0.9 + local_x * 0.10 + texture, normal_y * 0.9 + local_y * 0.1 - texture)

    # Metal shows its surroundings: bright lamp, dark cavity, red tissue, in bands that follow the facing.
    bands = (0.46 + 0.27 * mirror[0] + 0.05 * scratch[1]).clamp(0.05, 1.1) * (0.40 + 0.60 * normal_z)
    tissue_light = (0.5 + 0.5 * mirror[1]).clamp(0, 1) * (1.15 - normal_z) * 0.5
    glint = ((half_facing - 0.975 + 0.035 * mirror[2]) * 24).clamp(0, 1) ** 2
    streak = torch.exp(-(((facing - 0.98) / 0.06) ** 2))
    plain = diffuse * (0.92 + 0.07 * scratch[0])
    shade = torch.lerp(plain, 0.28 * plain + 0.80 * bands, metal)
    shade = shade * (1 - 0.45 * torch.exp(-surface.edge.clamp(min=0) * 14))

    rgb = albedo * shade
    rgb = rgb + (0.07 + 0.12 * metal) * streak + 0.6 * metal * glint * (0.75 + 0.15 * scratch[2]).clamp(0, 1)
    red = torch.tensor([0.38, 0.15, 0.12], device=x.device).view(3, 1, 1, 1)
    rgb = rgb + red * tissue_light * (0.25 + 0.75 * metal)
    soiled = (scratch[3] + mirror[3] - 2.2 + 2.0 * finish["soil"]).clamp(0, 1) * (finish["soil"] > 0)
    rgb = torch.lerp(rgb, finish["soil_color"] * (0.4 + 0.8 * diffuse), 0.75 * soiled)
    return Painted(rgb, surface.coverage, surface.raw_parts * (surface.coverage >= 0.5))
