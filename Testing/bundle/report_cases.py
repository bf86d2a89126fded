"""A small case whose figures are known by construction."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from rasnet.case import Case
from rasnet.labels import LabelSchema
from rasnet.video import RegionOfInterest, open_source

HEIGHT, WIDTH, FRAMES, FPS = 128, 160, 50, 25.0

UInt8Array = npt.NDArray[np.uint8]


def write_frames(folder: Path, count: int = FRAMES) -> Path:
    """Even grey frames, one PNG each; frame i has grey value i."""
    folder.mkdir(parents=True)
    for index in range(count):
        Image.fromarray(np.full((HEIGHT, WIDTH, 3), index, np.uint8)).save(folder / f"{index:04d}.png")
    return folder


def true_mask(index: int) -> UInt8Array:
    """Layer 1: 80 x 20 px bar from the left border, frames 0 to 9 and 40 to 49.

    Layer 2: 60 x 10 px bar from the right border, frames 5 to 49, but for 20 to 24 (0.2 s).
    """
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    if index < 10 or index >= 40:
        mask[30:50, :80] = 1
    if index >= 5 and not 20 <= index < 25:
        mask[80:90, 100:] = 2
    return mask


def make_case(folder: Path, *, predicted: range = range(FRAMES), parts: bool = False, step: int = 1) -> Case:
    """A case of 50 frames, 160 x 128 px at 25 frames/s, with `true_mask` as the model's word."""
    source = open_source(write_frames(folder / "frames"))
    case = Case.create(
        folder / "case",
        source=source,
        schema=LabelSchema.load("instrument_parts"),
        roi=RegionOfInterest.whole(HEIGHT, WIDTH),
        model=None,
        step=step,
    )
    for index in predicted:
        mask = true_mask(index)
        part = np.zeros_like(mask)
        part[mask > 0] = 1  # shaft
        part[30:50, 60:80][mask[30:50, 60:80] > 0] = 2  # the last 20 px of layer 1: manipulator
        uncertainty = (0.0, index / 100, 0.0)
        case.write_prediction(index, index / FPS, mask, part if parts else None, uncertainty=uncertainty)
    return case
