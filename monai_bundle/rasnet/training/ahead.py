"""Batches that are made while the GPU works on the one before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

Batch = dict[str, Tensor]


class Batches(Protocol):
    """What an epoch's batches come from."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Batch]: ...


class Ahead:
    """Gives the same batches in the same order, each of which was begun before the one in front of it was given.

    Batches that are cut and augmented on the GPU need it between two steps of a training, and copies of indices make
    the CPU wait until the GPU has done all that it was given. On a stream of their own they wait for themselves alone,
    and the GPU has the next step's work before it has ended this one's. On a CPU nothing is gained, and nothing done.

    Args:
        batches: what makes them, anew for every epoch; each is a dictionary of tensors. How they are made must not
            depend on what is being trained, whose weights may be changing meanwhile.
        device: that they are made on.
    """

    def __init__(self, batches: Batches, device: str | torch.device) -> None:
        self.batches, self.device = batches, torch.device(device)

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        return self._ahead() if self.device.type == "cuda" else iter(self.batches)

    def _ahead(self) -> Iterator[Batch]:
        own = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        own.wait_stream(torch.cuda.current_stream(self.device))  # the frames may still be on their way
        making = iter(self.batches)

        def make() -> Batch | None:
            with torch.cuda.stream(own):
                return next(making, None)

        batch = make()
        while batch is not None:
            training = torch.cuda.current_stream(self.device)
            training.wait_stream(own)  # before the next one is begun, which it need not wait for
            for tensor in batch.values():
                tensor.record_stream(training)  # or its memory could be given to a later batch too early
            upcoming = make()
            yield batch
            batch = upcoming
