"""Frames outside the body: theatre, drapes and faces have other colours than tissue in the light of an endoscope."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

_WIDTH = 160  # pixels: colours need no more
_DARK = 25  # grey levels: black border, and what has no colour
_LEAST_LIT = 0.05  # share of the picture
_GREY = 0.06  # saturation

# Logistic regression: 679 laparoscopic and robotic frames (EndoVis 2015, a proctology set) against 617 photographs
# and drawings of the documentation of OpenCV. docs/exchange.md says what it finds and misses on other frames.
_WEIGHTS = np.array([-8.51, 2.79, -6.16, 1.05, 61.25, 7.56, 5.63, 16.06])
_BIAS = 1.48


class BodyScore(NamedTuple):
    """How a frame looks.

    Attributes:
        outside: above 0 it looks like a picture from outside the body; nan for a frame that is black.
        is_grey: there are no colours that could tell.
    """

    outside: float
    is_grey: bool


def score_frame(rgb: npt.NDArray[np.uint8]) -> BodyScore:
    """Score a frame by its colours.

    Args:
        rgb: uint8 (H, W, 3).
    """
    size = (_WIDTH, max(round(rgb.shape[0] * _WIDTH / rgb.shape[1]), 1))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).reshape(-1, 3).astype(np.float32)
    lit = small[small.max(axis=1) > _DARK]
    if len(lit) < _LEAST_LIT * len(small):
        return BodyScore(float("nan"), is_grey=False)
    red, green, blue = lit.T
    brightest = lit.max(axis=1)
    warm = (red - np.maximum(green, blue)) / brightest
    saturation = (brightest - lit.min(axis=1)) / brightest
    green_share, blue_share = green / lit.sum(axis=1), blue / lit.sum(axis=1)
    features = (
        (warm > 0.12).mean(),
        (warm < -0.05).mean(),
        np.maximum(warm, -0.5).mean(),
        warm.std(),
        green_share.std(),
        saturation.std(),
        ((brightest > 235) & (saturation < 0.1)).mean(),
        green_share.mean() - blue_share.mean(),
    )
    return BodyScore(float(_WEIGHTS @ features + _BIAS), is_grey=bool(np.percentile(saturation, 95) < _GREY))
