"""What a model must not forget: pictures of many kinds, and what it says of them before it learns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rasnet.datasets.augmentation import Augmentation
from rasnet.inference.segmenter import Segmenter
from rasnet.training.batches import normalize

ROOM = 1.25
"""Of the pictures that are kept, a side, over the network's input: for turning and zooming."""

_AT_ONCE = 6  # pictures, which lend each other their instruments


class Memory(NamedTuple):
    """Pictures, and what the parent says of them.

    Attributes:
        pictures: float (N, 3, h, w), normalised.
        wanted: float (N, C, h, w), class probabilities.
    """

    pictures: Tensor
    wanted: Tensor


@torch.no_grad()
def ask_parent(
    segmenter: Segmenter,
    pictures: Sequence[npt.NDArray[np.uint8]],
    size: tuple[int, int],
    *,
    times: int = 1,
    seed: int = 0,
) -> Memory:
    """Let the parent say what it sees in pictures that are changed out of recognition.

    Every operation has its own light, colour, scope, smoke and blood. A few frames of one, changed by the augmentation
    of the released weights, stand for others that are not at hand: what the parent knows about those is kept by
    keeping what it says of these (learning without forgetting: Z. Li and D. Hoiem, ECCV 2016).

    Args:
        segmenter: the parent.
        pictures: uint8 (H, W, 3).
        size: height and width of the network's input.
        times: that each picture is changed, each time otherwise.
        seed: of draws.
    """
    device = next(segmenter.parameters()).device
    draws, augment = torch.Generator(device).manual_seed(seed), Augmentation(size)
    seen = [torch.from_numpy(np.ascontiguousarray(picture))[None].to(device) for picture in pictures]
    masks = [segmenter(picture).classes[0].cpu().numpy() for picture in seen]
    asked, wanted = [], []
    for chosen in _groups(len(pictures), times):
        images, labels = (
            torch.from_numpy(np.stack([_on_canvas(of[index], size, how) for index in chosen])).to(device)
            for of, how in ((pictures, cv2.INTER_AREA), (masks, cv2.INTER_NEAREST))
        )
        aspects = torch.tensor([pictures[i].shape[1] / pictures[i].shape[0] for i in chosen], device=device)
        changed, _ = augment(images.permute(0, 3, 1, 2).contiguous(), labels, aspects, draws)
        asked.append(normalize(changed).contiguous(memory_format=torch.channels_last))
        wanted.append(segmenter.network(asked[-1]).float().softmax(dim=1))
    return Memory(torch.cat(asked), torch.cat(wanted))


def _groups(count: int, times: int) -> Iterator[list[int]]:
    for _ in range(times):
        for start in range(0, count, _AT_ONCE):
            yield list(range(start, min(start + _AT_ONCE, count)))


def _on_canvas(picture: npt.NDArray[np.uint8], size: tuple[int, int], how: int) -> npt.NDArray[np.uint8]:
    height, width = size
    resized = cv2.resize(picture, (round(width * ROOM), round(height * ROOM)), interpolation=how)
    return np.asarray(resized, np.uint8)
