"""Batches on their way into the network: normalised, and for validation in their own aspect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from rasnet.datasets.frames import FrameDataset, FrameGroup
from rasnet.inference.segmenter import IMAGENET_MEAN, IMAGENET_STD, network_size
from rasnet.training.normalization import standardize


def normalize(pictures: Tensor) -> Tensor:
    """Normalise pictures, float (B, 3, H, W), 0 to 1, by ImageNet's statistics, as `Segmenter` does."""
    return standardize(pictures, IMAGENET_MEAN, IMAGENET_STD)


def prepare_batch(
    batch: dict[str, Tensor], device: str | torch.device | None = None, non_blocking: bool = False, **_: Any
) -> tuple[Tensor, Tensor]:
    """Give an engine its input, normalised pictures, and its target, from a batch with ``image`` and ``label``."""
    images = batch["image"].to(device, non_blocking=non_blocking)
    return normalize(images), batch["label"].to(device, non_blocking=non_blocking)


class ValidationBatches:
    """Every frame once, at the size that the pipeline would give it to the network at.

    A batch holds frames of one source and one aspect: ``image``, float (B, 3, h, w), 0 to 1; ``label``, uint8
    (B, H, W), at the size that the data set keeps; ``source``, its name.

    Args:
        dataset: the frames.
        batch_size: most frames in a batch.
        pixels: of the network's input.
    """

    def __init__(self, dataset: FrameDataset, batch_size: int, pixels: int) -> None:
        self.pixels = pixels
        self._batches = [
            (group, indices)
            for group in dataset.groups
            for aspect in sorted(set(group.aspects.tolist()))
            for indices in (group.aspects == aspect).nonzero().flatten().split(batch_size)
        ]

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for group, indices in self._batches:
            yield self._batch(group, indices)

    def _batch(self, group: FrameGroup, indices: Tensor) -> dict[str, Any]:
        images, masks, aspects = group.take(indices)
        height = images.shape[-2]
        size = network_size(height, round(height * float(aspects[0])), self.pixels)
        images = F.interpolate(images.float() / 255, size, mode="bilinear", antialias=True, align_corners=False)
        images = images.clamp(0, 1).contiguous(memory_format=torch.channels_last)
        return {"image": images, "label": masks, "source": group.source.name}
