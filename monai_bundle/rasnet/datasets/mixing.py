"""Batches drawn from many sources: labelled, synthetic and unlabelled frames in shares that change with time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from rasnet.datasets.augmentation import Augmentation
from rasnet.datasets.frames import FrameDataset, FrameGroup
from rasnet.datasets.sources import Role
from rasnet.errors import RASNetError


@dataclass(frozen=True)
class Ramp:
    """A quantity that goes in a straight line from one value to another, and stays there.

    Attributes:
        start: value at the beginning.
        end: value from `until` on.
        until: share of the training, above 0 to 1, at which `end` is reached.

    Examples:
        >>> Ramp(0.5, 0.1, until=0.4)(0.2)
        0.3
    """

    start: float
    end: float
    until: float = 1.0

    def __call__(self, progress: float) -> float:
        """Value at `progress`, 0 (the first iteration) to 1 (the end)."""
        return self.start + (self.end - self.start) * min(1.0, progress / self.until)


Labeller = Callable[[Tensor, Tensor, float], Tensor]
"""Gives labels, uint8 (B, H, W), for pictures, float (B, 3, H, W), 0 to 1, where labels are missing so far, uint8
(B, H, W), at a share of the training from 0 to 1."""


class MixedBatches:
    """Endless batches in epochs of a fixed length, augmented, for a trainer.

    A batch holds `batch_size` frames with labels, synthetic ones in their share among them, and `unlabelled` frames
    without. Within each of these roles a source is drawn by its weight, and a frame of it evenly, with
    replacement. A role that the data set lacks leaves its place to the others (unlabelled frames: to nobody).

    Args:
        dataset: the frames; batches come on its device.
        augmentation: applied to every batch.
        batch_size: frames with labels in a batch.
        unlabelled: frames without labels in a batch.
        synthetic_share: of the frames with labels, 0 to 1.
        epoch_length: batches an epoch.
        iterations: batches of the whole training, which `synthetic_share` follows.
        seed: the same batches come for the same seed, on the same kind of device.
        labeller: labels the unlabelled frames as far as it can; by default they stay unknown.

    Raises:
        RASNetError: the data set has no frame with labels.
    """

    def __init__(
        self,
        dataset: FrameDataset,
        augmentation: Augmentation,
        *,
        batch_size: int,
        unlabelled: int,
        synthetic_share: Ramp,
        epoch_length: int,
        iterations: int,
        seed: int = 0,
        labeller: Labeller | None = None,
    ) -> None:
        roles: tuple[Role, ...] = ("labelled", "synthetic", "unlabelled")
        self._groups = {role: [group for group in dataset.groups if group.source.role == role] for role in roles}
        if not self._groups["labelled"] and not self._groups["synthetic"]:
            raise RASNetError("the data list has no training source with labels; add one with the split 'train'")
        self.augmentation = augmentation
        self.batch_size = batch_size
        self.unlabelled = unlabelled if self._groups["unlabelled"] else 0
        self.synthetic_share = synthetic_share
        self.epoch_length = epoch_length
        self.iterations = iterations
        self.labeller = labeller
        self._drawn = 0
        device = dataset.groups[0].images.device
        self._choices = torch.Generator().manual_seed(seed)
        self._noise = torch.Generator(device).manual_seed(seed)

    def __len__(self) -> int:
        return self.epoch_length

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        for _ in range(self.epoch_length):
            yield self._batch()

    def _batch(self) -> dict[str, Tensor]:
        progress = self._drawn / self.iterations
        synthetic = self._synthetic(progress)
        self._drawn += 1
        parts = [
            *self._draw(self._groups["labelled"], self.batch_size - synthetic),
            *self._draw(self._groups["synthetic"], synthetic),
            *self._draw(self._groups["unlabelled"], self.unlabelled),
        ]
        images, masks, aspects = (torch.cat(tensors) for tensors in zip(*parts, strict=True))

        def complete(pictures: Tensor, labels: Tensor) -> Tensor:
            if self.labeller is None or not self.unlabelled:
                return labels
            known, unknown = labels[: -self.unlabelled], labels[-self.unlabelled :]
            return torch.cat([known, self.labeller(pictures[-self.unlabelled :], unknown, progress)])

        pictures, labels = self.augmentation(images, masks, aspects, self._noise, complete)
        return {"image": pictures, "label": labels}

    def _synthetic(self, progress: float) -> int:
        """How many of the next batch's labelled frames are synthetic."""
        if not self._groups["synthetic"]:
            return 0
        if not self._groups["labelled"]:
            return self.batch_size
        share = self.synthetic_share(progress)
        return int((torch.rand(self.batch_size, generator=self._choices) < share).sum())

    def _draw(self, groups: list[FrameGroup], count: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        if not groups or not count:
            return
        weights = torch.tensor([group.source.weight for group in groups], dtype=torch.float64)
        places = torch.multinomial(weights, count, replacement=True, generator=self._choices)
        for group, wanted in zip(groups, torch.bincount(places, minlength=len(groups)).tolist(), strict=True):
            if wanted:
                yield group.take(torch.randint(len(group), (wanted,), generator=self._choices))
