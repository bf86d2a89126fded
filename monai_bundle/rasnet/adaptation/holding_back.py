"""Which frames are kept back to judge what was learnt, and how they judge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from rasnet.case import FrameRow
from rasnet.datasets.example import Example
from rasnet.errors import RASNetError
from rasnet.inference.segmenter import Segmenter
from rasnet.losses import IGNORE

PLACE_S = 1.0
"""Frames within this time, in seconds, show one place of the video: they are learnt from or held back together."""

APART_S = 0.4
"""How far from a frame held back those lie that are learnt from, in seconds. So much later a copied mask is worth less
than what the model says (Dice 0.82 and 0.90, EndoVis 2015, dataset 3): a frame that was not learnt."""

LEAST_PLACES = 4
"""Places of the video that a person must have dealt with: at least two to learn from and two to judge by."""

LEAST_GAIN = 0.005
"""Mean Dice of the frames held back by which the child must be better."""

MOST_LOSS = 0.02
"""Mean Dice of synthetic scenes that the child may lose."""

_SHARE = 4  # one place of so many is held back, and two at least
_NEGLIGIBLE = 0.005  # of the picture: a mask of so few pixels is nearly none


class Division(NamedTuple):
    """Frames to learn from and frames to judge by."""

    learn: list[FrameRow]
    held_back: list[FrameRow]


def divide(rows: Sequence[FrameRow]) -> Division:
    """Hold back one place of the video out of four, spread over it.

    Where frames follow each other closely, those that show nearly what is held back are not learnt from either.

    Args:
        rows: frames that a person answered for, by time.

    Raises:
        RASNetError: they show too few places of the video to learn from some and judge by others.
    """
    places: list[list[FrameRow]] = []
    for row in rows:
        if places and row.pts - places[-1][0].pts < PLACE_S:
            places[-1].append(row)
        else:
            places.append([row])
    count = max(2, round(len(places) / _SHARE))
    back = {int(place) for place in (np.arange(count) + 0.5) * len(places) / count}
    held_back = [row for number, place in enumerate(places) if number in back for row in place]
    asked_s = np.array([row.pts for row in held_back])
    learn = [
        [row for row in place if np.abs(asked_s - row.pts).min() >= APART_S]
        for number, place in enumerate(places)
        if number not in back
    ]
    if sum(map(bool, learn)) + count < LEAST_PLACES:
        raise RASNetError(
            "the frames that a person dealt with show too little of the video: to learn from some and judge by others, "
            f"they must lie at {LEAST_PLACES} places that are {PLACE_S:g} s or more apart; `rasnet queue` says which "
            "frames to correct next"
        )
    return Division([row for place in learn for row in place], held_back)


@torch.inference_mode()
def judge(network: nn.Module, examples: Sequence[Example], pixels: int) -> list[float]:
    """Dice of instrument against background in each frame, as the pipeline would segment it.

    So few pixels as are nearly none count as none: an empty frame is worth 1 if the mask is nearly empty too, and a
    speck does not cost all of it.

    Args:
        network: in evaluation mode.
        examples: the frames with their true masks.
        pixels: of the network's input.
    """
    device = next(network.parameters()).device
    segmenter = Segmenter(network, pixels).eval().to(device)
    scores = []
    for example in examples:
        classes = segmenter(torch.from_numpy(example.rgb)[None].to(device)).classes[0].cpu().numpy()
        known = example.mask != IGNORE
        found, true = (classes > 0) & known, (example.mask > 0) & known
        negligible = _NEGLIGIBLE * true.size
        sizes = np.count_nonzero(found) + np.count_nonzero(true)
        scores.append(float((2 * np.count_nonzero(found & true) + negligible) / (sizes + negligible)))
    return scores
