"""Fine-tuning on a few frames, gently enough that nothing is forgotten."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Sequence
from itertools import islice

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rasnet.adaptation.replay import ROOM, Memory
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

_PERSON, _REPLAY = 2, 2  # pictures of a step
_KEEP = 8.0  # weight of saying what the parent says, against fitting the person's frames


def fine_tune(
    segmenter: Segmenter,
    examples: Sequence[Example],
    memory: Memory | None,
    *,
    most_seconds: float,
    seed: int = 0,
    progress: Progress,
) -> nn.Module:
    """Teach a copy of a network some frames.

    Each step shows frames of the person, turned, flipped, zoomed and in other light, for the paper's loss, and as many
    pictures of which the child is to say what the parent says. Statistics of batch norm stay the parent's: those of a
    handful of alike frames would ruin the network. The encoder stays as it is too, so that the few frames cannot bend
    what it sees.

    Args:
        segmenter: the parent; it stays as it is.
        examples: frames to learn from, all of one size.
        memory: pictures to say of what the parent says.
        most_seconds: it ends after them; a machine that is too slow for all steps makes fewer, with the same rise and
            fall of the learning rate.
        seed: of draws.
        progress: told of every step.

    Returns:
        The child, in evaluation mode, on the parent's device.
    """
    network = copy.deepcopy(segmenter.network).eval()
    network.requires_grad_(True)
    if isinstance(encoder := getattr(network, "encoder", None), nn.Module):
        encoder.requires_grad_(False)
    device = next(network.parameters()).device
    optimizer = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], LEARNING_RATE, weight_decay=0.0)
    loss_of = CrossEntropyLogJaccard()
    height, width = examples[0].rgb.shape[:2]
    size = network_size(height, width, segmenter.pixels)
    pictures = _Pictures(examples, size, seed, device)
    turns = _turns(len(memory.pictures), torch.Generator().manual_seed(seed)) if memory else iter(())
    began = time.monotonic()
    progress.start("learn", STEPS)
    for step in range(STEPS):
        share = max((step + 1) / (STEPS + 1), (time.monotonic() - began) / most_seconds)
        if share >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * _rate(share)
        inputs, labels = next(pictures)
        loss = loss_of(network(inputs), labels)
        if memory is not None:
            old = list(islice(turns, _REPLAY))
            loss = loss + _KEEP * _forgotten(network(memory.pictures[old]), memory.wanted[old])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        progress.advance()
    return network.requires_grad_(False)


def _rate(share: float) -> float:
    """Of the highest learning rate, after a share of the learning; both 0 to 1."""
    if share < _WARM_UP:
        return (1 - math.cos(math.pi * share / _WARM_UP)) / 2
    return (1 + math.cos(math.pi * (share - _WARM_UP) / (1 - _WARM_UP))) / 2


def _forgotten(scores: Tensor, wanted: Tensor) -> Tensor:
    """Mean cross entropy of the child's word, class scores, with the parent's, probabilities, both (N, C, h, w)."""
    return -(wanted * F.log_softmax(scores.float(), dim=1)).sum(dim=1).mean()


def _turns(count: int, draws: torch.Generator) -> Iterator[int]:
    """Numbers below `count`, each as often as any other, for ever."""
    while True:
        yield from torch.randperm(count, generator=draws).tolist()


class _Pictures(Iterator[tuple[Tensor, Tensor]]):
    """Batches of a person's frames, each frame as often as any other.

    Args:
        examples: the frames.
        size: height and width of the network's input.
        seed: of draws.
        device: where batches are made.
    """

    def __init__(self, examples: Sequence[Example], size: tuple[int, int], seed: int, device: torch.device) -> None:
        canvas = round(size[1] * ROOM), round(size[0] * ROOM)
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
