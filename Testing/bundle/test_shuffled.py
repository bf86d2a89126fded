"""An epoch is every frame once; pictures and masks are augmented together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from rasnet.datasets import FrameDataset, FrameGroup, ShuffledBatches, Source
from rasnet.datasets.light_augmentation import LightAugmentation, NoAugmentation, choose_augmentation


def make_dataset(counts: Sequence[int]) -> FrameDataset:
    """Groups of 8x8 frames; every frame has a number of its own in every pixel."""
    dataset, number = FrameDataset([]), 0
    for place, count in enumerate(counts):
        values = torch.arange(number, number + count, dtype=torch.uint8).view(-1, 1, 1, 1)
        source = Source("frames_with_masks", f"sequence {place}")
        masks = values[:, 0].expand(-1, 8, 8).clone()
        dataset.groups.append(FrameGroup(source, values.expand(-1, 3, 8, 8).clone(), masks, torch.ones(count)))
        number += count
    dataset._ends = torch.tensor(counts).cumsum(0).tolist()
    return dataset


class TestShuffledBatches:
    def numbers(self, epoch: int = 1, **wishes: Any) -> list[list[int]]:
        batches = ShuffledBatches(make_dataset([5, 1, 7]), NoAugmentation(), **({"batch_size": 4} | wishes))
        batches.epoch = epoch
        assert len(batches) == 3
        return [sorted(batch["label"][:, 0, 0].tolist()) for batch in batches]

    def test_a_picture_and_its_mask_stay_together(self) -> None:
        for batch in ShuffledBatches(make_dataset([5, 1, 7]), NoAugmentation(), batch_size=4):
            assert torch.equal((batch["image"][:, 0, 0, 0] * 255).round(), batch["label"][:, 0, 0].float())

    def test_every_frame_comes_at_most_once(self) -> None:
        drawn = [number for batch in self.numbers() for number in batch]
        assert len(drawn) == len(set(drawn)) == 12

    def test_the_order_depends_on_seed_and_epoch_alone(self) -> None:
        assert self.numbers() == self.numbers()
        assert len({str(self.numbers(epoch=epoch, seed=seed)) for epoch in (1, 2) for seed in (0, 1)}) == 4

    def test_processes_share_every_batch(self) -> None:
        shares = [self.numbers(rank=rank, processes=2) for rank in (0, 1)]
        assert [sorted(a + b) for a, b in zip(*shares, strict=True)] == self.numbers()


class TestAugmentation:
    def test_light_moves_masks_with_their_pictures(self) -> None:
        masks = torch.zeros(16, 32, 40, dtype=torch.uint8)
        masks[:, 4:20, 6:14] = 3
        images = (masks[:, None] > 0).expand(-1, 3, -1, -1).to(torch.uint8) * 255
        aspects = torch.full((16,), 1.25)
        augment = LightAugmentation((32, 40))
        pictures, labels = augment(images, masks, aspects, torch.Generator().manual_seed(0))
        assert pictures.shape == (16, 3, 32, 40)
        agree = ((pictures[:, 0] > 0.3) == (labels == 3)).float().mean(dim=(1, 2))
        assert agree.min() > 0.93  # but for the rims, which are interpolated
        assert len({tuple(label.flatten().tolist()) for label in labels}) == 16

    @pytest.mark.parametrize("strength", ["none", "light", "strong"])
    def test_each_gives_pictures_of_the_networks_size(self, strength: Any) -> None:
        images = torch.zeros(2, 3, 32, 64, dtype=torch.uint8)
        pictures, labels = choose_augmentation(strength, (32, 64))(
            images, images[:, 0], torch.full((2,), 1.25), torch.Generator().manual_seed(0)
        )
        assert (pictures.shape, labels.shape, labels.dtype) == ((2, 3, 32, 64), (2, 32, 64), torch.uint8)

    def test_there_is_no_other(self) -> None:
        with pytest.raises(ValueError, match="must be 'none', 'light' or 'strong', not 'much'"):
            choose_augmentation("much", (32, 32))  # type: ignore[arg-type]
