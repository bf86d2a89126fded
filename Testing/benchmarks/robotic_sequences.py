"""Sequences of EndoVis 2015 robotic: decoded once, at the size of the training and with masks at their own size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from rasnet.datasets import FrameDataset, Source
from rasnet.datasets.endovis2015 import read_robotic
from rasnet.datasets.endovis2017_cache import resized
from rasnet.datasets.frames import FrameGroup
from rasnet.errors import RASNetError
from rasnet.files import whole_file
from rasnet.video import RegionOfInterest, find_roi, open_source


@dataclass(frozen=True, eq=False)
class LabelledSequence:
    """One sequence.

    Attributes:
        name: of its folder.
        group: frames and masks at the size of the training, of the region of interest alone, on the training's device.
        truth: uint8 (N, H, W) on the CPU: parts at the full size of the masks.
        roi: what of the full size the network sees.
    """

    name: str
    group: FrameGroup
    truth: Tensor
    roi: RegionOfInterest


class SequenceFrames(FrameDataset):
    """All frames of some sequences as one data set, without a copy."""

    def __init__(self, sequences: Sequence[LabelledSequence]) -> None:
        self.groups = [sequence.group for sequence in sequences]
        self._ends = list(accumulate(map(len, self.groups)))


def find_sequences(data: Path) -> tuple[str, ...]:
    """Name the sequences in a folder.

    Raises:
        RASNetError: there are fewer than two, so that none can be left out.
    """
    names = tuple(sorted(video.parent.name for video in data.glob("*/Video.avi")))
    if len(names) < 2:
        raise RASNetError(f"{data} must hold two or more folders with Video.avi and *Segmentation.avi, as EndoVis 2015")
    return names


def decode_sequence(folder: Path, size: tuple[int, int], every: int, kept: Path) -> None:
    """Decode a sequence and keep it in a folder, as `load_sequence` wants it.

    Args:
        folder: of the sequence, with Video.avi and its masks.
        size: height and width of the training.
        every: take every n-th frame.
        kept: the folder to write to.

    Raises:
        RASNetError: videos are missing or damaged.
    """
    with open_source(folder / "Video.avi") as video:
        roi = find_roi(video)
    images, masks, truth = [], [], []
    for rgb, parts in read_robotic(folder, every):
        images.append(resized(np.ascontiguousarray(roi.crop(rgb)), size, Image.Resampling.BILINEAR))
        masks.append(resized(np.ascontiguousarray(roi.crop(parts)), size, Image.Resampling.NEAREST))
        truth.append(parts)
    with whole_file(kept / f"{folder.name}.npz") as making:
        np.savez(making, images=np.moveaxis(np.stack(images), -1, 1), masks=masks, truth=truth, roi=astuple(roi))


def load_sequence(kept: Path, name: str, device: torch.device) -> LabelledSequence:
    """Load what `decode_sequence` has kept: frames for the training on its device, truth on the CPU."""
    with np.load(kept / f"{name}.npz") as arrays:
        images, masks, truth = (torch.from_numpy(arrays[key]) for key in ("images", "masks", "truth"))
        roi = RegionOfInterest(*arrays["roi"].tolist())
    aspects = torch.full((len(images),), roi.width / roi.height)
    group = FrameGroup(Source("endovis2015_robotic", name), images.to(device), masks.to(device), aspects.to(device))
    return LabelledSequence(name, group, truth, roi)
