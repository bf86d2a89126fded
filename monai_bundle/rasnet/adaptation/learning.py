"""Fine-tuning on a few frames, gently enough that nothing is forgotten."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rasnet.datasets.example import Example
from rasnet.datasets.light_augmentation import LightAugmentation
from rasnet.inference.network_input import network_size
from rasnet.inference.segmenter import Segmenter
from rasnet.losses import CrossEntropyLogJaccard
from rasnet.progress import Progress
from rasnet.training.batches import normalize

STEPS = 80
"""Steps of a fine-tuning, about a minute on two cores and seconds on a GPU."""

LEARNING_RATE = 1e-4
"""AdamW's, at most; it rises from nearly nothing, and falls to nothing along half a cosine."""

_WARM_UP = 0.25  # of the steps: AdamW's first ones, whose size is the learning rate whatever the gradient, do harm

_PERSON, _REPLAY = 3, 1  # pictures of a step
_ROOM = 1.25  # of the pictures that are kept, a side, over the network's input: for turning and zooming
_SURE = 0.9  # probability from which the parent's word about a frame of the case is worth keeping


class Replay(NamedTuple):
    """A picture, and what the parent says of it.

    Attributes:
        picture: float (3, h, w), normalised.
        wanted: float (C, h, w), class probabilities.
        weight: float (h, w), 0 where the parent's word does not count.
    """

    picture: Tensor
    wanted: Tensor
    weight: Tensor


@torch.no_grad()
def ask_parent(segmenter: Segmenter, pictures: Sequence[npt.NDArray[np.uint8]], *, sure: bool) -> list[Replay]:
    """Let the parent say what must not be forgotten.

    Args:
        segmenter: the parent.
        pictures: uint8 (H, W, 3).
        sure: count only pixels that the parent is sure of.
    """
    device = next(segmenter.parameters()).device
    asked = []
    for picture in pictures:
        prepared = segmenter.prepare(torch.from_numpy(np.ascontiguousarray(picture))[None].to(device))
        wanted = segmenter.network(prepared).float().softmax(dim=1)[0]
        most = wanted.amax(dim=0)
        asked.append(Replay(prepared[0], wanted, (most >= _SURE).float() if sure else torch.ones_like(most)))
    return asked


def fine_tune(
    segmenter: Segmenter,
    examples: Sequence[Example],
    replay: Sequence[Replay],
    *,
    most_seconds: float,
    seed: int = 0,
    progress: Progress,
) -> nn.Module:
    """Teach a copy of a network some frames.

    Each step shows frames of the person, turned, flipped, zoomed and in other light, for the paper's loss, and one
    picture of which the child is to say what the parent says (learning without forgetting: Z. Li and D. Hoiem, ECCV
    2016). Statistics of batch norm stay the parent's: those of a handful of alike frames would ruin the network. The
    encoder stays as it is too, so that the few frames cannot bend what it sees.

    Args:
        segmenter: the parent; it stays as it is.
        examples: frames to learn from, all of one size.
        replay: pictures to say of what the parent says.
        most_seconds: it ends after them, however far it is.
        seed: of draws.
        progress: told of every step.

    Returns:
        The child, in evaluation mode, on the parent's device.
    """
    network = copy.deepcopy(segmenter.network).eval()
    network.requires_grad_(True)
    network.encoder.requires_grad_(False)
    device = next(network.parameters()).device
    optimizer = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], LEARNING_RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=STEPS + 1, pct_start=_WARM_UP)
    loss_of = CrossEntropyLogJaccard()
    height, width = examples[0].rgb.shape[:2]
    size = network_size(height, width, segmenter.pixels)
    pictures = _Pictures(examples, size, seed, device)
    draws = torch.Generator().manual_seed(seed)
    end = time.monotonic() + most_seconds
    progress.start("learn", STEPS)
    for _ in range(STEPS):
        inputs, labels = next(pictures)
        old = [replay[int(torch.randint(len(replay), (), generator=draws))] for _ in range(_REPLAY if replay else 0)]
        loss = loss_of(network(inputs), labels)
        for memory in old:
            loss = loss + _forgotten(network(memory.picture[None])[0], memory) / len(old)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        progress.advance()
        if time.monotonic() > end:
            break
    return network.requires_grad_(False)


def _forgotten(scores: Tensor, memory: Replay) -> Tensor:
    """Cross entropy of the child's word with the parent's, over the pixels that count."""
    losses = -(memory.wanted * F.log_softmax(scores.float(), dim=0)).sum(dim=0)
    return (losses * memory.weight).sum() / memory.weight.sum().clamp_min(1)


class _Pictures(Iterator[tuple[Tensor, Tensor]]):
    """Batches of a person's frames, each frame as often as any other.

    Args:
        examples: the frames.
        size: height and width of the network's input.
        seed: of draws.
        device: where batches are made.
    """

    def __init__(self, examples: Sequence[Example], size: tuple[int, int], seed: int, device: torch.device) -> None:
        canvas = round(size[1] * _ROOM), round(size[0] * _ROOM)
        shown = [cv2.resize(example.rgb, canvas, interpolation=cv2.INTER_AREA) for example in examples]
        masks = [cv2.resize(example.mask, canvas, interpolation=cv2.INTER_NEAREST) for example in examples]
        self._images = torch.from_numpy(np.stack(shown)).permute(0, 3, 1, 2).contiguous().to(device)
        self._masks = torch.from_numpy(np.stack(masks)).to(device)
        aspects = [example.rgb.shape[1] / example.rgb.shape[0] for example in examples]
        self._aspects = torch.tensor(aspects, device=device)
        self._augment = LightAugmentation(size)
        self._draws = torch.Generator(device).manual_seed(seed)
        self._turn: list[int] = []

    def __next__(self) -> tuple[Tensor, Tensor]:
        while len(self._turn) < _PERSON:
            count = len(self._images)
            self._turn += torch.randperm(count, generator=self._draws, device=self._images.device).tolist()
        chosen, self._turn = self._turn[:_PERSON], self._turn[_PERSON:]
        images, labels = self._augment(self._images[chosen], self._masks[chosen], self._aspects[chosen], self._draws)
        return normalize(images).contiguous(memory_format=torch.channels_last), labels
