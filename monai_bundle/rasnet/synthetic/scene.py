"""A synthetic operation: tissue, instruments, camera and their motion, drawn from one seed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from rasnet.errors import RASNetError
from rasnet.labels import LabelSchema
from rasnet.synthetic.camera import LensStyle, draw_lens
from rasnet.synthetic.motion import Absence, CameraPath, Instrument, draw_camera_path, draw_instrument
from rasnet.synthetic.parameters import Dice
from rasnet.synthetic.render import Rendered, Shot, render
from rasnet.synthetic.tissue import TissueStyle, draw_tissue

TYPES = tuple(label.name for label in LabelSchema.load("endovis2017_types").instruments)
"""Names of the instrument types that can be drawn."""

MAX_INSTRUMENTS = 4


class SyntheticFrame(NamedTuple):
    """A picture with its exact masks; in each mask 0 is background.

    Attributes:
        rgb: uint8 (H, W, 3).
        layers: instrument ids as `SyntheticScene.layers` lists them, uint8 (H, W).
        parts: ids of the schema ``instrument_parts``, uint8 (H, W).
        types: ids of the schema ``endovis2017_types``, uint8 (H, W).
        raw_parts: part values of EndoVis 2017: 10 shaft, 20 wrist, 30 claspers, 40 probe, uint8 (H, W).
    """

    rgb: npt.NDArray[np.uint8]
    layers: npt.NDArray[np.uint8]
    parts: npt.NDArray[np.uint8]
    types: npt.NDArray[np.uint8]
    raw_parts: npt.NDArray[np.uint8]


class _Script(NamedTuple):
    """What was drawn for a scene."""

    tissue: TissueStyle
    lens: LensStyle
    camera: CameraPath
    instruments: tuple[Instrument, ...]
    noise_seed: int

    def shot(self, time: float, index: int) -> Shot:
        """The moment at `time` seconds."""
        actors = tuple(instrument.actor(time) for instrument in self.instruments)
        return Shot(self.tissue, self.camera.view(time), self.lens, time, self.noise_seed + index, actors)


class SyntheticScene:
    """A synthetic operation with exact masks, the same for the same seed.

    Two or three instruments work at once by default: one stays, one leaves and comes back, others come later.

    Args:
        seed: any whole number from 0 up.
        size: height and width of the pictures in pixels.
        frames: length in frames.
        fps: frames per second.
        device: where to compute; masks and pictures are the same bytes again on the same device.
        types: type of each instrument, rearmost first, as names of the schema ``endovis2017_types``
            (none: an empty scene); drawn from the seed by default.

    Raises:
        RASNetError: more than four instruments, an unknown type, or a size or length below 1.

    Examples:
        >>> scene = SyntheticScene(7, size=(64, 80), frames=10)
        >>> scene.render(3).rgb.shape
        (64, 80, 3)
    """

    def __init__(
        self,
        seed: int,
        *,
        size: tuple[int, int] = (512, 640),
        frames: int = 250,
        fps: float = 25.0,
        device: str | torch.device = "cpu",
        types: Sequence[str] | None = None,
    ) -> None:
        if min(size) < 8 or frames < 1 or fps <= 0:
            raise RASNetError("a synthetic scene needs a size of at least 8x8, one frame and a positive frame rate")
        self.seed, self.size, self.frames, self.fps = seed, size, frames, fps
        self.device = torch.device(device)
        dice = Dice(seed)
        if types is None:
            types = [dice.choice(TYPES) for _ in range(dice.choice([2, 3, 3, 4]))]
        if unknown := [name for name in types if name not in TYPES]:
            raise RASNetError(f"there is no instrument type '{unknown[0]}'; use one of {', '.join(TYPES)}")
        if len(types) > MAX_INSTRUMENTS:
            raise RASNetError(f"a synthetic scene has at most {MAX_INSTRUMENTS} instruments; name fewer types")
        self._script = _draw_script(dice, types, duration=frames / fps, variety=0.0)

    @property
    def layers(self) -> list[tuple[int, str]]:
        """Id and type name of each instrument, in draw order."""
        return [(instrument.id, instrument.type_name) for instrument in self._script.instruments]

    def __len__(self) -> int:
        return self.frames

    def shot(self, index: int) -> Shot:
        """All that frame `index` depends on, for `rasnet.synthetic.render.render`.

        Raises:
            IndexError: the scene has no such frame.
        """
        if not -self.frames <= index < self.frames:
            raise IndexError(f"the scene has {self.frames} frames, not {index}")
        index %= self.frames
        return self._script.shot(index / self.fps, index)

    def render(self, index: int) -> SyntheticFrame:
        """Render frame `index`; negative indices count from the end.

        Raises:
            IndexError: the scene has no such frame.
        """
        return to_frames(render([self.shot(index)], self.size, self.device))[0]


def random_shots(count: int, *, seed: int) -> Iterator[Shot]:
    """Draw moments of `count` unlike scenes: palettes, scopes, lighting, smoke, blood, blur, instruments."""
    for index in range(count):
        dice = Dice(seed * 1_000_003 + index)
        number = 0 if dice.chance(0.1) else dice.choice([1, 1, 2, 2, 2, 3, 3, 4])
        script = _draw_script(dice, [dice.choice(TYPES) for _ in range(number)], duration=None, variety=1.0)
        yield script.shot(dice.between(0, 10), 0)


def random_frames(
    count: int, *, size: tuple[int, int], seed: int, device: str | torch.device = "cpu"
) -> Iterator[SyntheticFrame]:
    """Give independent stills for training, each of its own scene; about a tenth shows no instrument.

    Args:
        count: how many.
        size: height and width in pixels.
        seed: any whole number from 0 up; the same frames come for the same seed.
        device: where to compute.
    """
    target = torch.device(device)
    batch = 1 if target.type == "cpu" else 16
    shots = list(random_shots(count, seed=seed))
    for start in range(0, count, batch):
        yield from to_frames(render(shots[start : start + batch], size, target))


def _draw_script(dice: Dice, types: Sequence[str], *, duration: float | None, variety: float) -> _Script:
    """Draw a scene; `duration` in seconds schedules leaving and entering, None leaves all in place."""
    tissue = draw_tissue(dice, variety=variety)
    lens = draw_lens(dice, variety=variety)
    first_side = dice.between(0, 2 * math.pi) if variety > 0 else dice.choice([0.15, math.pi - 0.15])
    instruments = []
    for number, type_name in enumerate(types, start=1):
        side = first_side + (number - 1) * (2.4 + dice.between(-0.5, 0.5))
        absences = _schedule(dice, number, duration) if duration is not None else ()
        instruments.append(draw_instrument(dice, number, type_name, side=side, variety=variety, absences=absences))
    return _Script(tissue, lens, draw_camera_path(dice), tuple(instruments), dice.whole())


def _schedule(dice: Dice, number: int, duration: float) -> tuple[Absence, ...]:
    """When an instrument is away: the first never, the second in the middle, the others at first."""
    way = 0.11 * duration
    if number == 1:
        return ()
    if number == 2:
        start = duration * dice.between(0.36, 0.46)
        return (Absence(start, start + duration * dice.between(0.26, 0.34), way),)
    return (Absence(-duration, duration * (0.12 * (number - 1) + dice.between(0.0, 0.1)), way),)


def to_frames(rendered: Rendered) -> list[SyntheticFrame]:
    """Bring what was rendered to the CPU, frame by frame."""
    arrays = (rendered.rgb, rendered.layers, rendered.parts, rendered.types, rendered.raw_parts)
    return [SyntheticFrame(*planes) for planes in zip(*(array.cpu().numpy() for array in arrays), strict=True)]
