"""A small case whose pictures and masks anyone can compute."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from rasnet.case import Case, ModelInfo
from rasnet.labels import LabelSchema
from rasnet.masks import Mask
from rasnet.video import RegionOfInterest, open_source

HEIGHT, WIDTH = 48, 64
FRAMES = 8
SEGMENTED = range(6)


def picture(index: int) -> npt.NDArray[np.uint8]:
    """Red rises to the right and green downwards; blue says which frame it is. (48, 64, 3)."""
    rgb = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    rgb[..., 0] = np.arange(WIDTH) * 4
    rgb[..., 1] = np.arange(HEIGHT)[:, np.newaxis] * 5
    rgb[..., 2] = index * 20
    return rgb


def predicted_mask(index: int) -> Mask:
    """A square of layer 1 that moves right, a bar of layer 2 that moves down, and layer 3 in odd frames. (48, 64)."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[10:22, 2 + 3 * index : 14 + 3 * index] = 1
    mask[30 + index : 36 + index, 40:60] = 2
    if index % 2:
        mask[0:5, 50:64] = 3
    return mask


def expected_mask(index: int) -> Mask:
    """The predicted mask, or background where nothing is predicted. (48, 64)."""
    return predicted_mask(index) if index in SEGMENTED else np.zeros((HEIGHT, WIDTH), np.uint8)


def make_surgery(folder: Path) -> Case:
    """A case in ``folder/case`` about the pictures in ``folder/frames``."""
    (folder / "frames").mkdir(parents=True)
    for index in range(FRAMES):
        Image.fromarray(picture(index)).save(folder / "frames" / f"{index:04d}.png")
    with open_source(folder / "frames") as source:
        case = Case.create(
            folder / "case",
            source=source,
            schema=LabelSchema.load("endovis2017_types"),
            roi=RegionOfInterest.whole(HEIGHT, WIDTH),
            model=ModelInfo("toy", "ab" * 32, "torch"),
        )
    predict(case, SEGMENTED)
    case.update_layer(1, name="Left forceps", color=(10, 200, 30), type="Bipolar Forceps", who="A. Surgeon")
    return case


def predict(case: Case, indices: range) -> None:
    """Let a program write the masks of some frames."""
    for index in indices:
        case.write_prediction(index, case.times[index], predicted_mask(index), uncertainty=[0.1, index / 10])
