"""From the parameters of moments to pictures and masks, many at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor

from rasnet.synthetic.camera import LensStyle, cast_shadow, expose, field_of_view
from rasnet.synthetic.instruments import Finish, Painted, Pose, paint_instruments
from rasnet.synthetic.parameters import stack
from rasnet.synthetic.shapes import JawShape
from rasnet.synthetic.tissue import TissueStyle, View, paint_tissue


class Actor(NamedTuple):
    """An instrument at one moment: its layer id, its type id, and all that its look depends on."""

    layer: int
    type_id: int
    pose: Pose
    shape: JawShape
    finish: Finish


class Shot(NamedTuple):
    """All that one picture depends on.

    Attributes:
        tissue: what tissue there is.
        view: how camera and breathing have moved it.
        lens: how it is seen.
        time: seconds.
        seed: of the sensor's noise.
        actors: instruments, from the back to the front.
    """

    tissue: TissueStyle
    view: View
    lens: LensStyle
    time: float
    seed: int
    actors: tuple[Actor, ...]


class Rendered(NamedTuple):
    """Pictures and masks on the device that rendered them.

    Attributes:
        rgb: uint8 (B, H, W, 3).
        layers: layer ids, uint8 (B, H, W).
        types: type ids, uint8 (B, H, W).
        raw_parts: part values of EndoVis 2017, uint8 (B, H, W).
    """

    rgb: Tensor
    layers: Tensor
    types: Tensor
    raw_parts: Tensor

    @property
    def parts(self) -> Tensor:
        """Ids of the schema ``instrument_parts``: 1 shaft, 2 manipulator, uint8 (B, H, W)."""
        return (self.raw_parts > 0).byte() + (self.raw_parts > 10).byte()


@torch.inference_mode()
def render(shots: Sequence[Shot], size: tuple[int, int], device: torch.device) -> Rendered:
    """Render pictures of one size with their masks.

    Args:
        shots: what to render; at least one.
        size: height and width in pixels.
        device: where to compute.

    Returns:
        As many pictures and masks as `shots`.
    """
    height, width = size
    x = ((torch.arange(width, device=device) + 0.5) / width - 0.5).view(1, 1, width)
    y = ((torch.arange(height, device=device) + 0.5 - 0.5 * height) / width).view(1, height, 1)
    tissue = stack([shot.tissue for shot in shots], device)
    view = stack([shot.view for shot in shots], device)
    lens = stack([shot.lens for shot in shots], device)
    rgb = paint_tissue(tissue, view, x, y)
    masks = torch.zeros((3, *rgb.shape[1:]), dtype=torch.uint8, device=device)

    actors = [actor for shot in shots for actor in shot.actors]
    if actors:
        # A processor's cache holds the planes of one instrument; a GPU wants them all at once.
        group = 1 if device.type == "cpu" else len(actors)
        groups = [_paint(actors[start : start + group], x, y) for start in range(0, len(actors), group)]
        painted = Painted(*(torch.cat(planes, dim=-3) for planes in zip(*groups, strict=True)))
        rgb, masks = _compose(rgb, masks, painted, shots, lens)
        masks *= field_of_view(lens, x, y) >= 0.5

    time = torch.tensor([shot.time for shot in shots]).view(-1, 1, 1).to(device)
    seed = torch.tensor([shot.seed for shot in shots]).view(-1, 1, 1).to(device)
    return Rendered(expose(rgb, lens, x, y, time, seed), *masks)


def _paint(actors: Sequence[Actor], x: Tensor, y: Tensor) -> Painted:
    pose = stack([actor.pose for actor in actors], x.device)
    shape = stack([actor.shape for actor in actors], x.device)
    finish = stack([actor.finish for actor in actors], x.device)
    return paint_instruments(pose, shape, finish, x, y)


def _compose(
    rgb: Tensor, masks: Tensor, painted: Painted, shots: Sequence[Shot], lens: dict[str, Tensor]
) -> tuple[Tensor, Tensor]:
    """Lay each shot's instruments over its tissue, from the back to the front."""
    rounds = _rounds(shots)
    union = torch.zeros_like(rgb[0])
    for scenes, instruments in rounds:
        union[scenes] = torch.maximum(union[scenes], painted.coverage[instruments])
    rgb = cast_shadow(rgb, union, lens)
    ids = torch.tensor([(actor.layer, actor.type_id) for shot in shots for actor in shot.actors], dtype=torch.uint8)
    ids = ids.to(rgb.device).T[:, :, None, None]
    for scenes, instruments in rounds:
        coverage = painted.coverage[instruments]
        rgb[:, scenes] = torch.lerp(rgb[:, scenes], painted.rgb[:, instruments], coverage)
        raw = painted.raw_parts[instruments].byte()
        values = torch.cat((ids[:, instruments].expand(2, *raw.shape), raw[None]))
        masks[:, scenes] = torch.where(coverage >= 0.5, values, masks[:, scenes])
    return rgb, masks


def _rounds(shots: Sequence[Shot]) -> list[tuple[list[int], list[int]]]:
    """For the rearmost instrument of every shot, then the next ...: which shots, and which instruments."""
    firsts = [0, *accumulate(len(shot.actors) for shot in shots)]
    depth = max(len(shot.actors) for shot in shots)
    rounds = []
    for level in range(depth):
        scenes = [index for index, shot in enumerate(shots) if len(shot.actors) > level]
        rounds.append((scenes, [firsts[index] + level for index in scenes]))
    return rounds
