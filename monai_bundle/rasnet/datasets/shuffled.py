"""Every frame once an epoch, in a new order: what a paper means by an epoch."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from ignite.engine import Engine, Events
from torch import Tensor

from rasnet.datasets.frames import FrameDataset
from rasnet.datasets.light_augmentation import Augment
from rasnet.errors import RASNetError


class ShuffledBatches:
    """Batches of all frames in an order that depends on the seed and the epoch alone, augmented on their device.

    So a training that was killed meets the same batches when it goes on, and several processes share one order, of
    which each takes its part of every batch. Frames that fill no batch are left out of the epoch.

    Args:
        dataset: the frames, on one device.
        augment: applied to every batch; see `choose_augmentation`.
        batch_size: frames in a batch, those of all processes together.
        seed: of order and augmentation.
        rank: of this process, 0 to `processes` - 1.
        processes: that train together.

    Raises:
        RASNetError: the frames are fewer than a batch, or the processes cannot share it evenly.
    """

    def __init__(
        self,
        dataset: FrameDataset,
        augment: Augment,
        *,
        batch_size: int,
        seed: int = 0,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        if batch_size % processes or batch_size < processes:
            raise RASNetError(
                f"{processes} processes cannot share batches of {batch_size}; give a --batch_size they can"
            )
        if len(dataset) < batch_size:
            raise RASNetError(
                f"the {len(dataset)} training frames do not fill a batch of {batch_size}; "
                f"give --batch_size {max(len(dataset), 1)} or less, or more frames"
            )
        self.dataset, self.augment, self.batch_size = dataset, augment, batch_size
        self.seed, self.rank, self.processes = seed, rank, processes
        self.epoch = 1
        ends = torch.tensor([0, *(len(group) for group in dataset.groups)]).cumsum(0)
        self._starts, self._ends = ends[:-1], ends[1:]

    def attach(self, engine: Engine) -> None:
        """Follow the epochs of a trainer, also of one that goes on."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._follow)

    def __len__(self) -> int:
        return len(self.dataset) // self.batch_size

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        order = torch.randperm(len(self.dataset), generator=torch.Generator().manual_seed(self._number(0)))
        noise = torch.Generator(self.dataset.groups[0].images.device).manual_seed(self._number(1 + self.rank))
        for batch in order[: len(self) * self.batch_size].view(-1, self.batch_size):
            images, masks, aspects = self._take(batch[self.rank :: self.processes].contiguous())
            pictures, labels = self.augment(images, masks, aspects, noise)
            yield {"image": pictures, "label": labels}

    def _follow(self, engine: Engine) -> None:
        self.epoch = engine.state.epoch

    def _number(self, stream: int) -> int:
        """A seed for one purpose in this epoch."""
        return (self.seed * 1_000_003 + self.epoch) * 1_009 + stream

    def _take(self, indices: Tensor) -> tuple[Tensor, ...]:
        """Collect frames, source by source: their order inside a batch does not matter."""
        groups = torch.bucketize(indices, self._ends, right=True)
        parts = [
            self.dataset.groups[group].take(indices[groups == group] - self._starts[group])
            for group in sorted(set(groups.tolist()))
        ]
        return tuple(torch.cat(tensors) for tensors in zip(*parts, strict=True))
