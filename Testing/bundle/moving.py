"""A textured picture in which a bar moves by a known step, and cases about it with masks that are right or wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
from bars import shading
from PIL import Image

from rasnet.case import Case, ModelInfo
from rasnet.labels import LabelSchema
from rasnet.masks import Mask
from rasnet.video import RegionOfInterest, open_source

HEIGHT, WIDTH, STEP = 128, 160, 2
MODEL = ModelInfo("toy", "ab" * 32, "torch")


def _texture(seed: int) -> np.ndarray:
    """Smooth noise, uint8 (H, 3W, 3)."""
    noise = np.random.default_rng(seed).integers(0, 256, (HEIGHT, 3 * WIDTH, 3), np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3).astype(np.float32)
    return np.clip((smooth - 128) * 6 + 128, 0, 255).astype(np.uint8)


_TISSUE, _METAL = _texture(0), _texture(1)


def true_mask(index: int) -> Mask:
    """Layer 1: a bar of 60 x 30 pixels whose left end is at 20 + 2 index. (H, W)."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[50:80, 20 + STEP * index : 80 + STEP * index] = 1
    return mask


def true_parts(index: int) -> Mask:
    """Shaft (1), and manipulator (2) in the last 20 columns. (H, W)."""
    parts = true_mask(index)
    parts[:, 60 + STEP * index :] *= 2
    return parts


def wrong_mask(index: int) -> Mask:
    """The true mask without the upper half of the bar, everywhere in the video. (H, W)."""
    mask = true_mask(index)
    mask[50:65] = 0
    return mask


def picture(index: int, scene: int = 0) -> np.ndarray:
    """A shaft of grey metal over red tissue, each with a texture that moves with it, uint8 (H, W, 3).

    The released weights find it in part, so that there is something to learn.
    """
    mottling = np.roll(_TISSUE, WIDTH * scene, axis=1)[:, :WIDTH].mean(axis=2, keepdims=True) - 128.0
    tissue = (150, 60, 50) + mottling * (0.5, 0.35, 0.35)
    metal = 120 - 90 * scene + np.roll(_METAL, STEP * index, axis=1)[:, :WIDTH] * (0.4, 0.45, 0.5)
    metal[50:80] *= shading(30)
    rgb: np.ndarray = np.where(true_mask(index)[..., None] > 0, metal, tissue).clip(0, 255).astype(np.uint8)
    return rgb


def make_moving_case(
    folder: Path,
    frames: int,
    *,
    mask: Callable[[int], Mask] = true_mask,
    uncertainty: Callable[[int], float] = lambda index: 0.1,
    cut: int | None = None,
    predicted: Iterable[int] | None = None,
) -> Case:
    """A case of a folder of frames (25 frames/s); from frame `cut` on the scene is another one."""
    (folder / "frames").mkdir(parents=True)
    for index in range(frames):
        rgb = picture(index, scene=int(cut is not None and index >= cut))
        Image.fromarray(rgb).save(folder / "frames" / f"{index:04d}.png")
    case = Case.create(
        folder / "case",
        source=open_source(folder / "frames"),
        schema=LabelSchema.load("instrument_parts"),
        roi=RegionOfInterest.whole(HEIGHT, WIDTH),
        model=MODEL,
    )
    for index in range(frames) if predicted is None else predicted:
        found = mask(index)
        figures = (uncertainty(index), uncertainty(index), float("nan"))
        case.write_prediction(index, case.times[index], found, true_parts(index) * (found > 0), uncertainty=figures)
    return case


def dice(first: Mask, second: Mask) -> float:
    """Of everything that is not 0."""
    one, other = first > 0, second > 0
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))
